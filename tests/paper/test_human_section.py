"""The taggers beside the model in the paper."""

import re

import pytest
from tests.paper.made_up import write_study

from fergap.paper.cells import FEW
from fergap.paper.human import LIMITS, bands, description, figure, human_reference, read_by_people
from fergap.paper.numbers import points
from fergap.paper.results import Results

CRUDE = "metric == 'model_accuracy' and adjusted_for.isna()"
EQUAL = "adjusted_for == 'ambiguity'"
TAGGERS = "metric == 'tagger_accuracy'"


def results(folder, **rows):
    def edit(found):
        table = found["human_reference"]
        for query, values in rows.values():
            own = table.query(f"attribute == 'age' and reference.notna() and ({query})").index
            assert len(own)
            table.loc[own, ["estimate", "ci_low", "ci_high"]] = values

    return Results(write_study(folder, n=400, edit=edit))


def plain(text):
    return re.sub(r"\]\{title=[^}]*\}", "", text.replace("\N{NO-BREAK SPACE}", " ").replace("[[", "["))


@pytest.mark.parametrize(
    ("taggers", "said", "equal", "left"),
    [
        (
            [-0.07, -0.1, -0.04],
            "Taggers agree less on child than on adult faces",
            [-0.02, -0.06, 0.02],
            "does not show that baseline has a gap where votes disagree as much",
        ),
        (
            [-0.01, -0.04, 0.02],
            "That taggers agree less or more on child than on adult faces is not shown",
            [-0.05, -0.09, -0.01],
            "reads child faces worse also where votes disagree as much",
        ),
        (
            [0.07, 0.04, 0.1],
            "Taggers agree more on child than on adult faces",
            [0.05, 0.01, 0.09],
            "reads child faces better where votes disagree as much",
        ),
    ],
)
def test_each_gap_is_said_as_its_intervals_say(tmp_path, taggers, said, equal, left):
    study = results(tmp_path, a=(TAGGERS, taggers), b=(EQUAL, equal))
    text, table = plain(read_by_people(study)), plain(human_reference(study))
    assert said in text
    assert left in text
    assert LIMITS in text
    for low, high in (taggers[1:], equal[1:]):
        assert f"[{100 * low:.1f}, {100 * high:.1f}]".replace("-", "−") in text
        assert f"[{100 * low:.1f}, {100 * high:.1f}]".replace("-", "−") in table


def test_every_gap_of_the_arms_shown_has_its_row(tmp_path):
    assert len(human_reference(results(tmp_path)).splitlines()) == 2 + 2 * 2


def test_the_figure_and_its_description_have_every_band(tmp_path):
    study = results(tmp_path)
    rows = bands(study)
    assert set(rows["metric"]) == {"model_accuracy", "tagger_accuracy"}
    panels = figure(study).axes
    assert [axes.get_title(loc="left") for axes in panels] == ["female − male", "child − adult"]
    told = description(study)
    for axes, (_, own) in zip(panels, rows.groupby("attribute", sort=False), strict=True):
        assert len(axes.get_xticks()) == own.drop_duplicates(["bits_above", "bits_to"]).shape[0]
        drawn = {round(float(y), 6) for line in axes.lines for y in line.get_ydata()}
        taggers_once = own[(own["metric"] == "model_accuracy") | (own["arm"] == "baseline")]
        shown = taggers_once[taggers_once["estimate"].notna()]
        assert {round(100 * e, 6) for e in shown["estimate"]} <= drawn
        for row in shown.itertuples():
            assert points(row.estimate) in told


def test_a_band_of_one_or_two_faces_is_not_told(tmp_path):
    def edit(found):
        table = found["by_ambiguity"]
        own = table.index[(table["attribute"] == "age") & (table["bits_to"] == 0)]
        assert len(own)
        table.loc[own, ["n_group", "estimate"]] = [2, 0.4321]

    study = Results(write_study(tmp_path, n=400, edit=edit))
    axes = figure(study).axes[1]
    assert axes.get_xticklabels()[0].get_text().splitlines()[1].startswith(FEW)
    assert 43.21 not in {round(float(y), 2) for line in axes.lines for y in line.get_ydata()}
    assert "43.2" not in description(study)

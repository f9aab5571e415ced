"""The taggers beside the model in the paper."""

import re

import pytest
from tests.paper.made_up import write_study

from fergap.paper.human import LIMITS, human_reference, read_by_people
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

"""Heat maps of the data: what they show, what they leave out, and that they fit a page."""

import numpy as np
import pandas as pd
import pytest
from tests.paper.made_up import study_config, write_study

from fergap.paper.dataset import heat_map_caption
from fergap.paper.descriptions import DESCRIPTIONS
from fergap.paper.figures import draw
from fergap.paper.figures_shares import DEPTHS, MOST_ROWS, blocks, cell_text, lines_of, told_z
from fergap.paper.results import Results
from fergap.paper.style import sheet

CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
MANY = (
    ("gender", ("male", "female")),
    ("age", tuple(f"{10 * i}-{10 * i + 9}" for i in range(9))),
    ("race", ("White", "Black", "Asian", "Indian")),
)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return Results(write_study(tmp_path_factory.mktemp("small"), n=400))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Results:
    study = study_config(arms=[{"name": "baseline", "network": "pyramid"}], audit={"contrasts": []})
    study["audit"] |= {"attributes": [name for name, _ in MANY], "reference": {"gender": "male"}}
    return Results(write_study(tmp_path_factory.mktemp("large"), study, classes=CLASSES, groups=MANY, n=3000))


def test_cells_hold_what_the_table_does(small: Results) -> None:
    table = small.table("dataset_shares").set_index(["attribute", "group", "label"])
    (block,) = blocks(small, 2)
    assert block.attribute == "gender*age"
    assert sorted(block.groups) == ["female*adult", "female*child", "male*adult", "male*child"]
    for g, group in enumerate(block.groups):
        for c, label in enumerate(small.classes):
            row = table.loc[(block.attribute, group, label)]
            assert block.counts[g, c] == row["count"]
            assert block.n[g] == row["n"]
            assert block.z[g, c] == row["duchers_z"]
            assert block.apart[g, c] == (row["ci_low"] > row["overall"] or row["ci_high"] < row["overall"])
    assert [b.attribute for b in blocks(small, 1)] == ["gender", "age"]
    assert blocks(small, 3) == []


def test_text_of_a_cell_by_the_room_that_there_is(small: Results) -> None:
    block = blocks(small, 1)[0]
    n, share = block.counts[0, 0], f"{100 * block.shares[0, 0]:.1f}\N{NO-BREAK SPACE}%"
    ends = f"[{100 * block.low[0, 0]:.1f}, {100 * block.high[0, 0]:.1f}]"
    assert [cell_text(block, 0, 0, lines).split("\n") for lines in (1, 2, 3)] == [
        [str(n)],
        [str(n), ends],
        [str(n), share, ends],
    ]


def test_one_or_two_faces_are_not_told(tmp_path) -> None:
    def edit(found: dict[str, pd.DataFrame]) -> None:
        table = found["dataset_shares"]
        row = table.index[(table["attribute"] == "age") & (table["group"] == "child")][0]
        table.loc[row, ["count", "duchers_z"]] = [2, -0.777]

    results = Results(write_study(tmp_path, n=400, edit=edit))
    block = next(b for b in blocks(results, 1) if b.attribute == "age")
    place = block.groups.index("child"), 0
    assert cell_text(block, *place, 3) == "<\N{NO-BREAK SPACE}3"
    assert np.isnan(told_z(block)[place])
    assert "0.78" not in DESCRIPTIONS["shares_by_one"](results)


def test_of_many_groups_the_largest_are_shown(large: Results) -> None:
    made = blocks(large, 3)
    (block,) = made
    everything = large.table("dataset_shares").query("attribute == 'gender*age*race' and n > 0")
    assert len(block.groups) == MOST_ROWS
    assert block.left_out == everything["group"].nunique() - MOST_ROWS > 0
    left = everything[~everything["group"].isin(block.groups)]
    assert left["n"].max() <= block.n.min()
    assert lines_of(made) == 1
    assert "Smaller groups are left to" in heat_map_caption(large, 3)
    assert sum(len(b.groups) for b in blocks(large, 2)) <= MOST_ROWS + 3


def test_heat_maps_fit_a_page(large: Results) -> None:
    made = draw(large)
    for name in DEPTHS:
        width, height = made[name].get_size_inches() * 2.54
        assert width <= 16.01, name
        assert height <= 23.5, name
        with sheet():
            made[name].draw_without_rendering()
            assert made[name].get_tightbbox().width * 2.54 <= 16.4, name
    assert "the largest 36 of" in made["shares_by_three"].axes[0].get_title(loc="left")

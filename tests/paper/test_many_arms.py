"""A study of more arms than a paper tells in full: which these are, and that no verdict on another is lost."""

import itertools
import re

import pytest
from made_up import study_config, write_study
from test_document import assembled, many

from fergap.paper.cards import sentences, summary_card
from fergap.paper.document import Document
from fergap.paper.figures import COMPARING, FIGURES, draw
from fergap.paper.figures_arms import changed, rows_of
from fergap.paper.reading_arms import changes_of_arms, told_in_full
from fergap.paper.results import MOST_IN_FULL, Results, of_arms
from fergap.paper.style import save
from fergap.paper.tables import OF_ALL_ARMS, TABLES
from fergap.paper.tables_arms import classes_of_arms
from fergap.tables import TABLES as COLUMNS
from fergap.tables import read

SPACE = "\N{NO-BREAK SPACE}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("many"), many())


@pytest.fixture(scope="module")
def text(folder):
    return assembled(folder).replace(SPACE, " ").replace("\N{ZERO WIDTH SPACE}", "").replace("\\", "")


def floats(text):
    """The tables of a paper, by label."""
    return dict(re.findall(r"::: \{#tbl-([\w-]+)\}\n\n(.*?)\n:::", text, flags=re.DOTALL))


def results_of(study):
    """Results of a configuration alone, which the choice of the arms rests on."""
    found = Results("nowhere", study)
    found.tables["ranking"] = found.table("ranking")
    return found


def without_contrasts(number):
    arms = [{"name": f"arm_{i}", "predictions": "x.csv"} for i in range(number)]
    return study_config(arms=arms, audit={"contrasts": []})


@pytest.mark.parametrize(
    ("study", "told"),
    [
        (many(), ["baseline", "left"]),  # the first contrast is with a placebo
        (many(("left", "right", "up", "down")), ["baseline", "left"]),
        (many(("placebo", "left", "right")), ["baseline", "placebo", "left", "right"]),
        (many(arms_in_full=["down", "baseline"]), ["baseline", "down"]),
        (many(("placebo", "left"), arms_in_full=["left"]), ["left"]),
        (without_contrasts(MOST_IN_FULL), [f"arm_{i}" for i in range(MOST_IN_FULL)]),
        (without_contrasts(MOST_IN_FULL + 1), ["arm_0"]),
    ],
)
def test_which_arms_are_told_in_full(study, told):
    results = results_of(study)
    assert results.in_full == told
    detail = results.detail()
    assert detail.arms == detail.in_full == told
    assert (detail is results) == (told == results.arms) == (told_in_full(results) == "")
    assert detail.detail() is detail
    assert all(set(pair) <= set(told) for pair in detail.contrasts)


def test_the_detail_of_every_table_is_about_its_arms_alone_and_keeps_the_lines(folder):
    whole = Results(folder)
    detail, others = whole.detail(), set(whole.arms) - set(whole.in_full)
    assert others
    cut = 0
    for name in COLUMNS:
        if not whole.has(name):
            continue
        rows = detail.table(name)
        for column in {"arm", "before", "after", "second"}.intersection(rows):
            assert not others.intersection(rows[column]), (name, column)
        assert rows.equals(whole.table(name).loc[rows.index])
        cut += len(rows) < len(whole.table(name))
    assert cut > 20


def test_rows_about_no_arm_stay(folder):
    table = read(folder / "audit" / "models_compared.csv", "models_compared")
    kept = of_arms(table, ["baseline", "left"])
    assert set(table.loc[table["second"].isna(), "test"]) <= set(kept["test"])
    pairs = kept[kept["second"].notna()]
    assert set(zip(pairs["first"], pairs["second"], strict=True)) == {("baseline", "left")}


def test_every_arm_has_its_verdicts_and_the_tables_of_one_arm_are_those_told_in_full(folder, text):
    whole, tables = Results(folder), floats(text)
    told = whole.verdicts()
    told = told[told["attribute"].isin(whole.plain)]
    for label, rows in (
        ("verdicts-arms", told[told["contrast"].isna()]),
        ("changes-arms", told[told["contrast"].notna()]),
    ):
        lines = tables[label].splitlines()
        for row in rows.itertuples():
            assert any(f"| {row.arm} |" in re.sub(" +", " ", line) and row.verdict in line for line in lines)
        assert len(lines) == len(rows) + 4
    for label in ("gaps", "tests", "groups", "gap-changes", "classes-1", "placebo", "equivalence", "composition"):
        if label in tables:
            assert not re.search(r"\b(right|up|down)\b *\|", tables[label]), label
    for arm in whole.arms:
        assert arm in tables["accuracy"]
    assert "tbl-folds-3" not in text


def test_the_first_page_tells_each_gap_once_and_all_contrasts(folder, text):
    abstract = text[: text.index("# Data")]
    for sentence in changes_of_arms(Results(folder)):
        plain = re.sub(r'\[((?:\\.|[^\[\]\\])*)\]\{title="[^"]*"\}', r"\1", sentence).replace("\\", "")
        shown = re.sub(r'\[((?:\[[^\]]*\]|[^\[\]])*)\]\{title="[^"]*"\}', r"\1", abstract)
        assert plain.replace(SPACE, " ").replace("\N{ZERO WIDTH SPACE}", "") in shown
    assert abstract.count("The gap ") == 2
    assert "was not shown to change in [any of 5 contrasts]" in abstract
    assert re.search(r"retrain without the intervention, \[is shown for none of 8 changes\]", abstract)
    assert "Of 6 arms, baseline and left are told in full" in text


def test_without_a_contrast_in_full_the_paper_leads_to_the_table_of_all(tmp_path):
    names = ("left", "right")
    text = assembled(write_study(tmp_path, many(names, arms_in_full=["right"]), n=600, training=False, faces=False))
    assert "No contrast is between two arms that are told in full; @tbl-changes-arms has them all." in text
    assert "declares no contrast" not in text
    assert "#tbl-gap-changes" not in text
    tables = floats(text)
    assert all(name in tables["changes-arms"] for name in names)
    assert "left" not in tables["groups"]
    defined = re.findall(r"\{#((?:fig|tbl|sec)-[\w-]+)", text)
    assert set(re.findall(r"(?<!\\)@((?:fig|tbl|sec)-[\w-]*\w)", text)) <= set(defined)


def test_a_change_that_is_shown_is_told_with_its_numbers(tmp_path):
    def edit(found):
        rows = found["verdicts"]["contrast"].eq("baseline to up") & found["verdicts"]["attribute"].eq("age")
        columns = ["verdict", "gap_before", "gap_after", "estimate", "ci_low", "ci_high", "levelling_down", "lost"]
        values = ["narrowed, not shown equivalent", -0.123, -0.045, 0.078, 0.031, 0.125, 1, "adult"]
        found["verdicts"].loc[rows, columns] = values
        other = found["tradeoff"]["arm"] != "baseline"
        found["tradeoff"].loc[other, "accuracy_p_adjusted"] = 0.5
        found["tradeoff"].loc[found["tradeoff"]["arm"] == "right", "accuracy_p_adjusted"] = 0.01

    folder = write_study(tmp_path, many(), edit=edit)
    said = "up (−12.3 to −4.5, change +7.8 [3.1, 12.5]; levelling down)"
    for found in (Document(folder).abstract(), " ".join(sentences(Results(folder)))):
        plain = re.sub(r'(?<!\\)\[((?:\\.|[^\[\]\\])*)\]\{title="[^"]*"\}', r"\1", found).replace("\\", "")
        assert f"narrowed, not shown to be within the margin after, under {said}" in plain.replace(SPACE, " ")
        assert "was not shown to change in 4 contrasts" in plain
    assert "up" in changed(Results(folder), ("age", "child", "adult"))
    assert "left" not in changed(Results(folder), ("age", "child", "adult"))
    assert changed(Results(folder), None) == {"right"}


def test_a_changed_value_changes_the_tables_and_figures_of_all_arms(folder, tmp_path):
    def edit(found):
        gaps = found["gaps"]
        rows = (
            (gaps["arm"] == "down")
            & (gaps["attribute"] == "age")
            & gaps["class"].isna()
            & (gaps["metric"] == "accuracy")
        )
        gaps.loc[rows, "estimate"] += 0.01
        fair = found["fairness"]
        fair.loc[(fair["arm"] == "down") & (fair["attribute"] == "age") & fair["class"].notna(), "estimate"] /= 2
        found["verdicts"].loc[found["verdicts"]["after"] == "down", "gap_after"] += 0.01

    before, after = Results(folder), Results(write_study(tmp_path, many(), edit=edit))
    for metric in ("equal_opportunity_difference", "demographic_parity_ratio"):
        old, new = (classes_of_arms(r, "age", metric).splitlines() for r in (before, after))
        assert [a for a, b in zip(old, new, strict=True) if a != b] == [
            line for line in old if line.startswith("| down")
        ]
    assert TABLES["changes_of_arms"](before) != TABLES["changes_of_arms"](after)
    assert rows_of(after, ("age", "child", "adult"))["down"].estimate == pytest.approx(
        rows_of(before, ("age", "child", "adult"))["down"].estimate + 0.01
    )
    made = []
    for results, name in ((before, "a.svg"), (after, "b.svg")):
        save(draw(results)["arms"], tmp_path / name)
        made.append((tmp_path / name).read_bytes())
    assert made[0] != made[1]


def test_what_compares_arms_exists():
    assert set(TABLES) >= OF_ALL_ARMS
    assert set(FIGURES) >= COMPARING


def test_the_card_of_many_arms_names_them_all_and_fits_its_page(tmp_path):
    names = ("placebo", *(f"intervention_{i}" for i in range(17)))
    results = Results(write_study(tmp_path, many(names), n=400, training=False, faces=False))
    figure = summary_card(results)
    figure.draw_without_rendering()
    ticks = list(figure.axes[0].get_yticklabels())
    assert [t.get_text() for t in ticks] == ["baseline", *names]
    for text in (*figure.texts, *ticks):
        box = text.get_window_extent().transformed(figure.transFigure.inverted())
        assert box.x0 > 0.01
        assert box.x1 < 0.97, text.get_text()
        assert box.y0 > 0.01
    heights = [t.get_window_extent() for t in ticks]
    assert all(a.y0 > b.y1 - 1 for a, b in itertools.pairwise(heights))
    assert "What to keep in mind" in [t.get_text() for t in figure.texts]

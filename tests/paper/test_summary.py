"""What a finished run says on the terminal."""

import csv
from pathlib import Path

import pytest

from fergap.audit.checks import LEARNED
from fergap.audit.verdicts import CHANGED
from fergap.paper import summary as said
from fergap.paper.summary import MANY, MOST, points, summary


def row(arm: str, verdict: str, *, contrast: str = "", **more: str) -> dict[str, str]:
    """A row of the table ``verdicts`` with what the summary reads of it."""
    found = {"arm": arm, "group": "child", "reference": "adult", "contrast": contrast, "verdict": verdict}
    return found | {"estimate": "-0.05", "ci_low": "-0.08", "ci_high": "", "levelling_down": "", "lost": ""} | more


def study(folder: Path, rows: list[dict[str, str]]) -> Path:
    (folder / "audit").mkdir()
    with (folder / "audit/verdicts.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    (folder / "paper").mkdir()
    (folder / "paper/paper.pdf").touch()
    return folder


@pytest.mark.parametrize(
    ("text", "expected"), [("", "–"), ("-0.0004", "0.0"), ("-0.0126", "−1.3"), ("0.1", "+10.0"), ("0", "0.0")]
)
def test_points(text: str, expected: str) -> None:
    assert points(text) == expected


def test_the_verdicts_of_few_arms_stand_one_by_one(tmp_path: Path) -> None:
    rows = [row(f"arm{i}", "gap") for i in range(MANY - 1)]
    rows.append(row("arm1", "narrowed and equivalent", contrast="arm0 to arm1", levelling_down="1.0", lost="adult"))
    lines = summary(study(tmp_path, rows), ["html", "pdf"]).splitlines()
    assert len(lines) == 1 + 2 + len(rows) + 1 + 2
    assert lines[1].split("  ")[0].rstrip() == "arm"
    assert lines[3].split() == ["arm0", "child", "−", "adult", "−5.0", "−8.0", "…", "–", "gap"]
    assert lines[-4].startswith("arm0 to arm1  child − adult, change of the gap")
    assert lines[-4].endswith("narrowed; gap after equivalent; adult lost (levelling down)")
    assert lines[-3] == "intervals are not adjusted for the number of comparisons, verdicts are"
    assert lines[-1] == str(tmp_path / "paper" / "paper.pdf")


def test_the_verdicts_of_many_arms_are_counted_and_changes_told(tmp_path: Path) -> None:
    rows = [row(f"arm{i}", "gap" if i < 9 else "undecided") for i in range(MANY)]
    rows += [row("arm1", "no change shown", contrast=f"arm0 to arm{i}") for i in range(3)]
    rows.append(row("arm4", "reversed", contrast="arm0 to arm4"))
    lines = summary(study(tmp_path, rows), ["pdf"]).splitlines()
    assert [line.rsplit(maxsplit=1) for line in lines[3:7]] == [
        ["child − adult                     gap", "9"],
        ["child − adult                     undecided", "3"],
        ["child − adult, change of the gap  no change shown", "3"],
        ["child − adult, change of the gap  reversed", "1"],
    ]
    assert [line for line in lines if line.startswith("arm")] == [lines[10]]
    assert lines[10].startswith("arm0 to arm4 ")
    assert lines[10].endswith("reversed")
    assert f"every verdict: {tmp_path / 'audit' / 'verdicts.csv'}" in lines


def test_of_many_changes_some_are_shown(tmp_path: Path) -> None:
    rows = [row(f"arm{i}", "widened", contrast=f"arm0 to arm{i}") for i in range(MOST + 5)]
    text = summary(study(tmp_path, rows), [])
    assert sum(line.startswith("arm") for line in text.splitlines()) == MOST
    assert "\nand 5 more changes; every verdict: " in text


def test_a_study_without_verdicts_names_its_paper_alone(tmp_path: Path) -> None:
    (tmp_path / "paper").mkdir()
    (tmp_path / "paper/paper.html").touch()
    assert summary(tmp_path, ["html", "pdf"]).split() == [str(tmp_path / "paper" / "paper.html")]


def test_a_gap_after_that_is_equivalent_is_not_read_as_its_change(tmp_path: Path) -> None:
    changed = row("b", "equivalent, change not shown", contrast="a to b", levelling_down="0", lost="female; male")
    assert "  gap after equivalent; change not shown; both groups lost\n" in summary(study(tmp_path, [changed]), [])


def test_an_arm_that_learned_nothing_is_told(tmp_path: Path) -> None:
    folder = study(tmp_path, [row("arm0", "equivalent")])
    text = f'check,value,verdict,arm\n{LEARNED},"9 right, 10 by always saying angry",look,arm0\n{LEARNED},x,ok,arm1\n'
    (folder / "audit/checks.csv").write_text(text, encoding="utf-8")
    told = f"arm0: not shown to be {LEARNED} (9 right, 10 by always saying angry): its gaps say nothing"
    assert told in summary(folder, []).splitlines()
    assert "arm1" not in summary(folder, [])


def test_what_was_asked_of_people_is_told_alone(tmp_path: Path) -> None:
    folder = study(tmp_path, [row("arm0", "gap")])
    (folder / "people/exchange").mkdir(parents=True)
    (folder / "people/exchange/cvat.xml").touch()
    (folder / "people/exchange/.snakemake_timestamp").touch()
    assert summary(folder, ["pdf"], ["exchange"]).split() == [str(folder / "people/exchange/cvat.xml")]
    lines = summary(folder, ["pdf"], ["annotate"]).splitlines()
    assert lines[1] == f"open this page in a browser: file://{folder / 'people/annotate.html'}"
    assert not any("gap" in line for line in lines)
    assert "gap" in summary(folder, ["pdf"], ["all"])


def test_what_counts_as_a_change_is_what_the_audit_calls_so() -> None:
    assert said.CHANGED == CHANGED
    assert said.LEARNED == LEARNED

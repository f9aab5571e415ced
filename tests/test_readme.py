"""What the README promises is there."""

import re
from pathlib import Path

import pandas as pd
import pytest

from fergap.audit.sentences import percent, points


@pytest.fixture(scope="module")
def documents(root: Path) -> str:
    return "\n".join((root / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md"))


def test_every_make_target_named_is_one(documents: str, root: Path) -> None:
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"^make (\w+)", documents, flags=re.MULTILINE))
    assert {"demo", "test", "lint"} <= named
    for target in named:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_every_file_named_is_there(documents: str, root: Path) -> None:
    paths = re.findall(r"\]\(([\w./-]+)\)", documents) + re.findall(
        r"`((?:studies|schemas|scripts)/[\w./-]+)`", documents
    )
    assert len(paths) > 8
    for path in paths:
        assert (root / path).exists(), path


def test_ci_runs_the_readmes_commands(documents: str, root: Path) -> None:
    steps = re.findall(r"^make \w+", (root / ".ci" / "run").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert {"make lint", "make test", "make demo"} <= set(steps)
    for step in steps:
        assert step in documents


def test_the_numbers_of_the_fer2013_study_are_those_of_its_tables(root: Path) -> None:
    readme = (root / "README.md").read_text(encoding="utf-8")
    tables = {p.stem: pd.read_csv(p) for p in (root / "reference-results" / "fer2013-cpu").glob("*.csv")}
    overall = tables["group_metrics"].query("metric == 'accuracy'").set_index(["arm", "group"])["estimate"]
    changes = tables["changes"].query("primary == 1").set_index("group")
    for name, group in (("all faces", "all"), ("adults", "adult"), ("children", "child")):
        row = changes.loc[group]
        before, after = overall["baseline", group], overall["child_oversampled", group]
        cells = [name, f"{row['n']:,}", percent(before), percent(after)]
        assert f"| {' | '.join(cells)} | {points(row['estimate'])}" in readme
    verdicts = tables["verdicts"]
    for row in verdicts[~verdicts["attribute"].str.contains("*", regex=False)].itertuples():
        assert f"[{points(row.ci_low)}, {points(row.ci_high)}]" in readme, row.sentence
    flattered = tables["optimism"].query("arm == 'child_oversampled'").set_index("group")["in_sample"]
    assert f"children at {percent(flattered['child'])} and adults at {percent(flattered['adult'])}" in readme
    assert verdicts.query("contrast == contrast and attribute == 'age'")["levelling_down"].item() == 1


def test_the_numbers_of_the_strong_recipe_are_those_of_its_tables(root: Path) -> None:
    readme = (root / "README.md").read_text(encoding="utf-8")
    folder = root / "reference-results" / "fer2013-cpu-strong"
    metrics, verdicts = pd.read_csv(folder / "group_metrics.csv"), pd.read_csv(folder / "verdicts.csv")
    accuracy = metrics.query("metric == 'accuracy'").set_index("group")
    names = {"adult": "adults", "child": "children", "male": "men", "female": "women"}
    for group, name in names.items():
        row = accuracy.loc[group]
        shown = f"{percent(row['estimate'])} [{points(row['ci_low'])}, {points(row['ci_high'])}]"
        assert f"| {name} | {row['n']:,} | {shown} |" in readme
    whole = accuracy.loc["all"]
    assert f"{percent(whole['estimate'])} [{points(whole['ci_low'])}, {points(whole['ci_high'])}]" in readme
    for row in verdicts[verdicts["group"].isin(names)].itertuples():
        assert f"{points(row.estimate)} [{points(row.ci_low)}, {points(row.ci_high)}]: {row.verdict}" in readme

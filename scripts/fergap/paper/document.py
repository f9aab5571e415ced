"""What the paper's cells call: values, sentences, tables and figures of one study as Markdown."""

import csv
import os
import re
from functools import cached_property

import pandas as pd
import yaml

from fergap.audit.validation import INDEPENDENT
from fergap.files import whole
from fergap.paper import (
    correction,
    dataset,
    human,
    methods,
    model_bias,
    planted_found,
    raters,
    reading_arms,
    reading_networks,
    reading_sensitivity,
)
from fergap.paper.cells import find, pair, reason, told, whole_name
from fergap.paper.descriptions import DESCRIPTIONS
from fergap.paper.figures import COMPARING
from fergap.paper.layers import layers
from fergap.paper.markdown import bullets, listing, plain_rows, prose, sentence
from fergap.paper.numbers import count, interval, level, percent, points
from fergap.paper.results import WHOLE, Results
from fergap.paper.sources import CONFIGURATION, Shown
from fergap.paper.tables import OF_ALL_ARMS, TABLES
from fergap.paper.tables_gaps import much_smaller
from fergap.paper.tables_networks import protocol_means
from fergap.paper.tables_sensitivity import MATTERS, clustered_gaps
from fergap.paper.tables_tradeoff import FEWEST_ARMS, compared_arms

STUDY_OF_FER2013 = ("fer2013", "ferplus")


def in_brief(text: str) -> str:
    """Return a verdict's sentence without the one that says what the sample could have shown."""
    return re.split(r" (?=The smallest \D+ this sample could have shown|No \D+ could have been shown)", text)[0]


class OneLine(dict):
    """A mapping that YAML writes on one line: in blocks, the entries of many arms take pages."""


class Writer(yaml.SafeDumper):
    """Writes YAML with :class:`OneLine`."""


Writer.add_representer(
    OneLine, lambda writer, entry: writer.represent_mapping("tag:yaml.org,2002:map", entry.items(), flow_style=True)
)


class Document:
    """One study's paper.

    ``results`` are those of the arms that are told in full, ``whole`` those of all arms; a table that compares arms is
    made of the whole, every other of ``results``.

    Parameters
    ----------
    folder : path
        Holds ``study.json``, the tables (see :class:`fergap.paper.results.Results`), ``figures/*.svg`` and
        ``published.yaml``.
    """

    def __init__(self, folder: str | os.PathLike):
        self.whole = Results(folder)
        self.results = self.whole.detail()
        self.study = self.whole.study
        self.printed: dict[str, str] = {}

    @cached_property
    def published(self) -> dict | None:
        """The published study's numbers, where this study asks the same question of the same pictures."""
        faces = self.study["faces"]
        if faces["source"] not in STUDY_OF_FER2013 or faces["labels"] != "engagement":
            return None
        return yaml.safe_load((self.results.folder / "published.yaml").read_text(encoding="utf-8"))

    def has(self, table: str) -> bool:
        """Whether the study has rows in a table."""
        return self.results.has(table)

    @property
    def seen_as(self) -> str:
        """Whether its arms are told out of fold, or as they were given."""
        return methods.seen_as(self.study)

    # what a cell prints

    def write(self, *paragraphs: str) -> None:
        """Print Markdown paragraphs."""
        for text in paragraphs:
            print(text, end="\n\n")

    def table(self, make: str, label: str, caption: str, *args: object) -> None:
        """Print table ``make`` of ``TABLES`` as a float with a caption."""
        text = TABLES[make](self.whole if make in OF_ALL_ARMS else self.results, *args)
        self.printed[label.removeprefix("tbl-")] = text
        self.write(f"::: {{#{label}}}\n\n{text}\n\n{caption}\n\n:::")

    def figure(self, name: str, label: str, caption: str) -> None:
        """Print a figure as a float with its caption and an alternative text made from its data."""
        alt = DESCRIPTIONS[name](self.whole if name in COMPARING else self.results).replace('"', "'").replace("\\", "/")
        self.write(f'![{caption}](figures/{name}.svg){{#{label} fig-alt="{alt}"}}')

    # values in a sentence

    @cached_property
    def values(self) -> dict[str, str]:
        """Every inline value of the paper, as printed."""
        return {name: shown for name, (shown, _) in self.sourced.items()}

    @cached_property
    def sourced(self) -> dict[str, tuple[str, tuple]]:
        """Every inline value of the paper, as printed, with what :meth:`Results.cite` or ``mark`` asks for."""
        study, audit, folds = self.study, self.study["audit"], self.study["folds"]
        accuracy = self.results.accuracy()
        tested = accuracy.loc[accuracy["attribute"] == WHOLE, "n"]
        metrics, confusion, column = "audit/group_metrics.csv", "audit/confusion.csv", "true"
        if not study["arms"]:
            metrics, confusion, column = "audit/dataset_shares.csv", "audit/dataset_shares.csv", "label"
            shares = self.results.table("dataset_shares")
            tested = shares.loc[shares["attribute"] == WHOLE, "n"]

        def set_by(key: str) -> tuple:
            return CONFIGURATION, (), key

        return {
            "study": (study["study"], set_by("study")),
            "faces": (count(tested.max()) if len(tested) else "no", (metrics, tuple(tested.index[:1]), "n")),
            "classes": (listing(self.results.classes), (confusion, (), column)),
            "class count": (methods.small(len(self.results.classes)), (confusion, (), column)),
            "checks": (count(len(self.results.table("checks"))), ("audit/checks.csv", (), "check")),
            "arms": (listing(self.whole.arms), set_by("arms")),
            "attributes": (
                listing([a.replace("*", " × ") for a in self.results.attributes]),
                set_by("audit.attributes"),
            ),
            "margin": (points(audit["margin"], signed=False), set_by("audit.margin")),
            "confidence": (level(audit["confidence"]), set_by("audit.confidence")),
            "equivalence confidence": (level(2 * audit["confidence"] - 1), set_by("audit.confidence")),
            "resamples": (count(audit["resamples"]), set_by("audit.resamples")),
            "minimum faces": (count(audit["minimum_faces"]), set_by("audit.minimum_faces")),
            "seed": (str(study["seed"]), set_by("seed")),
            "folds": (count(folds["count"]), set_by("folds.count")),
            "repeats": (count(folds["repeats"]), set_by("folds.repeats")),
            "validation": (percent(folds["validation"], 0), set_by("folds.validation")),
            "commit": (study.get("commit") or "unknown", set_by("commit")),
            "engine": (os.environ.get("FERGAP_ENGINE") or study.get("engine") or "unknown", set_by("paper.engine")),
            "command": (methods.command(study), set_by("study")),
        }

    def value(self, name: str) -> Shown:
        """Return one inline value as printed; in the text it carries its source."""
        text, source = self.sourced[name]
        return Shown(text, self.results.sources.mark(prose(text), *source))

    def list_values(self) -> None:
        """Print every value that the paper has shown so far with its source.

        The list goes to ``values.csv``, and every table of the paper, as printed, to ``tables/*.csv``.
        """
        for label, text in self.printed.items():
            with whole(f"tables/{label}.csv") as draft, draft.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows(plain_rows(text))
        found = self.results.sources.table()
        with whole("values.csv") as draft:
            found.to_csv(draft, index=False, lineterminator="\n")
        self.table(
            "values", "tbl-values", "Every number of the text, with the table, line and column that it comes from."
        )

    # sentences

    def sentences(self, arms: list[str] | None = None, contrasts: bool = False, brief: bool = False) -> list[str]:
        """Return the verdicts' sentences word for word: of gaps (of these arms), or of contrasts.

        Those on combinations of attributes are left to the tables. ``brief`` leaves out what each verdict ends with,
        the smallest gap that the sample could have shown.
        """
        rows = self.results.verdicts()
        rows = rows[rows["attribute"].isin(self.results.plain)]
        rows = rows[rows["contrast"].notna()] if contrasts else rows[rows["contrast"].isna()]
        if arms is not None:
            rows = rows[rows["arm"].isin(arms)]
        said = [(row, in_brief(row.sentence) if brief else row.sentence) for row in rows.itertuples()]
        return [self.results.cite(sentence(told(text)), "verdicts", row, "sentence") for row, text in said]

    def abstract(self) -> str:
        """Return the abstract: what was audited, the gaps, what the retrain changed, what remains undecided.

        Of many arms it tells the gaps before, and in one sentence for each gap its change in every contrast.
        """
        if not self.study["arms"]:
            said = [methods.question(self.study, self.values), dataset.found(self.results)]
            return "\n\n".join(filter(None, [*said, planted_found.held(self.whole)]))
        results, whole, first = self.results, self.whole, self.results.arms[0]
        if results.contrasts:
            first = results.contrasts[0][0]
        row = find(results.accuracy(), arm=first, attribute=WHOLE)
        parts = [methods.question(self.study, self.values)]
        if row is not None and pd.notna(row.estimate):
            accuracy = results.cite(percent(row.estimate), "group_metrics", row, "estimate")
            around = results.cite(prose(interval(row.ci_low, row.ci_high)), "group_metrics", row, "ci_low, ci_high")
            parts.append(
                f"{methods.seen_as(self.study, [first]).capitalize()}, {prose(first)} recognised {accuracy} of "
                f"{count(row.n)} faces ({self.values['confidence']} CI {around})."
            )
        verdicts = whole.verdicts()
        told = verdicts["attribute"].isin(whole.plain) & (verdicts["contrast"].notna() | (verdicts["arm"] == first))
        if not self.abridged():
            said = self.sentences([first] if results.contrasts else None, brief=True)
            said += self.sentences(contrasts=True, brief=True)
            told |= verdicts["attribute"].isin(whole.plain) & (not results.contrasts)
        elif whole.contrasts:
            said = self.sentences([first], brief=True) + reading_arms.changes_of_arms(whole)
        else:
            said = reading_arms.verdicts_of_arms(whole)
            told |= verdicts["attribute"].isin(whole.plain)
        more = int((~told).sum())
        rest = f"@sec-results holds {methods.small(more)} more verdicts." if more else ""
        placebo = reading_networks.placebo_summary(whole)
        choice = reading_sensitivity.choices_summary(results)
        rest = " ".join(
            filter(None, [correction.read_otherwise(results), placebo, choice, planted_found.held(whole), rest])
        )
        parts.append(methods.words_of_verdicts(study=self.study))
        return f"{' '.join(parts)}\n\n{bullets(said)}\n\n{rest} All intervals are conditional on the fitted models."

    def undecided(self) -> str:
        """Say about which gaps the audit cannot decide, each with the smallest margin that it can certify."""
        rows = self.whole.verdicts()
        rows = rows[rows["contrast"].isna() & (rows["verdict"] == "undecided")]
        told = rows["arm"].isin(self.results.arms)
        left = int((~told).sum())
        rows = rows[told]
        plain = rows["attribute"].isin(self.results.plain)
        named = "; ".join(
            f"{pair(r)} under {prose(r.arm)} ({points(r.smallest_margin, signed=False)})"
            for r in rows[plain].itertuples(index=False)
        )
        combined = int((~plain).sum())
        counted = [(combined, "between combinations of groups"), (left, "under other arms")]
        others = listing([f"{methods.small(n)} gap{'s' if n > 1 else ''} {where}" for n, where in counted if n])
        if not named:
            return f"Undecided remain{'s' if combined + left == 1 else ''} {others}." if others else ""
        said = f"Undecided remain these gaps, with the smallest margin in points that the data certify: {named}"
        return f"{said}; and {others}." if others else f"{said}."

    def not_estimable(self) -> list[str]:
        """Return the groups that could not be estimated and why, and how many finer estimates could not."""
        found, finer = [], 0
        for table in ("group_metrics", "gaps", "changes", "gap_changes"):
            rows = self.whole.table(table)
            for row in rows[rows["status"] != "ok"].rename(columns={"class": "label"}).itertuples(index=False):
                if row.status.startswith("not estimable") and pd.isna(getattr(row, "label", None)):
                    found.append(f"{whole_name(row.attribute, row.group)} ({reason(row.status)})")
                else:
                    finer += 1
        more = [f"{count(finer)} metrics of single classes, or their intervals"] if finer else []
        return list(dict.fromkeys(found)) + more

    def left_out(self) -> bool:
        """Whether the cleaning removed any picture."""
        return bool((self.results.table("dropped")["count"] > 0).any())

    def notes(self, *topics: str) -> list[str]:
        """Return why ours and the published numbers cannot be compared, on these topics."""
        return [prose(n["text"].strip()) for n in self.published["notes"] if n["about"] in topics]

    def looks(self) -> bool:
        """Whether any check of the audit's input asks for a look."""
        return bool((self.results.table("checks")["verdict"] != "ok").any())

    def look_kinds(self) -> str:
        """Return which checks of the audit's input ask for a look, and how often each."""
        rows = self.results.table("checks")
        kinds = rows.loc[rows["verdict"] != "ok", "check"].value_counts(sort=False)
        return listing([prose(kind) + (f" ({count(n)} times)" if n > 1 else "") for kind, n in kinds.items()])

    def arms_with_folds(self) -> list[tuple[int, str]]:
        """Return (position, arm) of the arms whose predictions come from more than one fold."""
        table = self.results.table("fold_metrics")
        return [
            (i, a)
            for i, a in enumerate(self.results.arms, 1)
            if table.loc[table["arm"] == a, "fold"].drop_duplicates().size > 1
        ]

    def published_for(self, arm: str) -> dict | None:
        """Return the published numbers for an arm without an intervention, the one whose folds they print."""
        plain = next(a for a in self.study["arms"] if a["name"] == arm)
        return self.published if methods.intervention(plain) == "none" else None

    def ranked(self) -> list[tuple[int, str]]:
        """Return (position, names) of the families of more than two trained arms on the same faces."""
        table, trained = self.whole.table("ranking"), set(self.whole.table("runs")["arm"])
        families = [
            arms
            for arms, rows in table.groupby("arms", sort=False)
            if len(rows) > 2 and len(trained.intersection(rows["arm"])) > 2
        ]
        return list(enumerate(families, 1))

    def interventions_compared(self) -> bool:
        """Whether there are arms enough on the same faces for a comparison beyond contrasts of two."""
        return compared_arms(self.whole)["arm"].nunique() >= FEWEST_ARMS

    def abridged(self) -> bool:
        """Whether some arms are only compared, and not told in full."""
        return self.results is not self.whole

    def ranked_by_bias(self) -> list[tuple[int, str]]:
        """Return (position, names) of the families of arms that are ranked by their bias."""
        return list(enumerate(model_bias.families(self.whole), 1))

    def left_to_ranking(self, arms: str) -> bool:
        """Whether a family of arms appears in its ranking alone."""
        return bool(self.whole.ranked_alone.intersection(arms.split(", ")))

    def clustered(self) -> bool:
        """Whether intervals with sets of faces as the unit differ enough to be shown."""
        return bool((clustered_gaps(self.results)["design_effect"] >= MATTERS).any())

    def validated(self) -> bool:
        """Whether a validation sample corrected any gap."""
        return bool((self.results.table("label_noise")["scenario"] == INDEPENDENT).any())

    def has_planted(self) -> bool:
        """Whether several drawn sources have truths against which what was found can be held."""
        return len(planted_found.questions(self.whole)) > 0

    def data_depends(self) -> str:
        """Whether and how far classes and attributes depend on one another."""
        return dataset.found(self.results)

    def raters_agree(self) -> str:
        """How far those agree who said who is in the pictures."""
        return raters.raters_agree(self.results)

    def corrected(self) -> bool:
        """Whether people answered about some of the faces that a model labelled, in attributes that are shown."""
        return len(correction.gaps(self.results)) > 0

    def corrected_by_people(self) -> str:
        """What each gap is by a model's labels alone and corrected by people's answers, and what would turn it."""
        return correction.corrected(self.results)

    def read_by_people(self) -> str:
        """How taggers were set against one another, what each gap is for them and at equal ambiguity, and limits."""
        return human.read_by_people(self.results)

    def confidence(self) -> str:
        """Return words on the annotators' confidence in the groups, where any has one."""
        known = self.results.table("people")["confidence"].notna().any()
        return ", and how sure the annotators of people were" if known else ""

    def scored(self) -> bool:
        """Whether any arm that is shown in detail has probabilities."""
        return bool(self.results.table("calibration_metrics")["arm"].isin(self.results.headline).any())

    def by_sets(self) -> bool:
        """Whether the logistic models were also fitted with sets of faces as the unit."""
        return bool((self.results.table("models")["covariance"] == "cluster").any())

    def chosen_on_test(self) -> bool:
        """Whether the study knows what choosing the epoch on the reported faces would have given."""
        return bool(protocol_means(self.results))

    def replicated(self) -> bool:
        """Whether any arm was trained with more than one seed or repeat."""
        table = self.results.table("replicates")
        return bool(table[["arm", "seed", "repeat"]].drop_duplicates()["arm"].duplicated().any())

    def optimism(self) -> bool:
        """Whether any group has an accuracy on training faces."""
        return bool(self.results.table("optimism")["in_sample"].notna().any())

    # what there is to show

    def drawn(self, figure: str) -> bool:
        """Whether a figure was drawn."""
        return (self.results.folder / "figures" / f"{figure}.svg").is_file()

    def drawn_networks(self) -> list[tuple[int, str]]:
        """Return (position, name) of the networks that can be told layer by layer."""
        told = set(self.results.arms)
        used = dict.fromkeys(a["network"] for a in self.study["arms"] if a.get("network") and a["name"] in told)
        size = self.study["faces"].get("size", 48)
        known = [n for n in used if layers(n, len(self.results.classes), size)]
        return list(enumerate(known, 1)) if self.has("history") else []

    def size_matched(self) -> bool:
        """Whether any group is small enough to be set against equally many faces of its reference."""
        return bool(len(much_smaller(self.results)))

    def attributes_of_many_groups(self) -> list[tuple[int, str]]:
        """Return (position, attribute) of those whose groups are compared two by two."""
        return self.numbered("pairwise")

    def fairness_tables(self) -> list[tuple[int, str]]:
        """Return (position, attribute) of those with fairness metrics."""
        return self.numbered("fairness")

    def numbered(self, table: str) -> list[tuple[int, str]]:
        """Return (position, attribute) of the plain attributes that a table has rows of."""
        there = set(self.results.table(table)["attribute"])
        return [(i, a) for i, a in enumerate(self.results.plain, 1) if a in there]

    def class_tables(self) -> list[tuple[int, str]]:
        """Return (position, arm) of the arms whose gaps are shown class by class."""
        there = set(self.results.class_gaps()["arm"])
        return [(i, a) for i, a in enumerate(self.results.headline[:2], 1) if a in there]

    def combined(self) -> bool:
        """Whether any combination of attributes was audited."""
        return len(self.results.plain) < len(self.results.attributes)

    def folded(self) -> bool:
        """Whether gaps are known fold by fold."""
        return bool(self.results.table("replicates")["fold"].notna().any())

    def compared(self, test: str = "mcnemar mid-p") -> bool:
        """Whether the arms were compared with one another by this test."""
        return bool((self.results.table("models_compared")["test"] == test).any())

    def configuration(self) -> str:
        """Return the configuration that was used, as YAML, without what it offers and the study does not use."""
        used = {k: v for k, v in self.study.items() if k not in ("versions", "commit", "engine", "command")}
        used["faces"] = methods.used_faces(self.study["faces"])
        if self.has("history"):
            training = self.study["training"]
            used["training"] = training | {"recipes": {training["recipe"]: training["recipes"][training["recipe"]]}}
        else:
            used = {k: v for k, v in used.items() if k not in ("folds", "training")}
        used["arms"] = [OneLine(arm) for arm in used["arms"]]
        used["audit"] = used["audit"] | {"contrasts": [OneLine(c) for c in used["audit"].get("contrasts") or []]}
        return yaml.dump(
            used, Dumper=Writer, sort_keys=False, allow_unicode=True, width=72, default_flow_style=None
        ).strip()

    def limitations(self) -> str:
        """Return the limitations that follow from the run itself, as a list."""
        return bullets(methods.limitations(self.study, self.undecided(), self.not_estimable(), self.results))

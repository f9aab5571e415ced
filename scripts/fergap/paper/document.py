"""What the paper's cells call: values, sentences, tables and figures of one study as Markdown."""

import os
from functools import cached_property

import pandas as pd
import yaml

from fergap.paper import methods, tables
from fergap.paper.descriptions import DESCRIPTIONS
from fergap.paper.markdown import bullets, listing, prose, sentence
from fergap.paper.numbers import count, level, percent, points
from fergap.paper.results import WHOLE, Results

STUDY_OF_FER2013 = ("fer2013", "ferplus")


class Document:
    """One study's paper.

    Parameters
    ----------
    folder : path
        Holds ``study.json``, the tables (see :class:`fergap.paper.results.Results`), ``figures/*.svg`` and
        ``published.yaml``.
    """

    def __init__(self, folder: str | os.PathLike):
        self.results = Results(folder)
        self.study = self.results.study

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

    # what a cell prints

    def write(self, *paragraphs: str) -> None:
        """Print Markdown paragraphs."""
        for text in paragraphs:
            print(text, end="\n\n")

    def table(self, make: str, label: str, caption: str, *args: object) -> None:
        """Print table ``make`` of :mod:`fergap.paper.tables` as a float with a caption."""
        text = getattr(tables, make)(self.results, *args)
        self.write(f"::: {{#{label}}}\n\n{text}\n\n{caption}\n\n:::")

    def figure(self, name: str, label: str, caption: str) -> None:
        """Print a figure as a float with its caption and an alternative text made from its data."""
        alt = DESCRIPTIONS[name](self.results).replace('"', "'").replace("\\", "/")
        self.write(f'![{caption}](figures/{name}.svg){{#{label} fig-alt="{alt}"}}')

    # values in a sentence

    @cached_property
    def values(self) -> dict[str, str]:
        """Every inline value of the paper, as printed."""
        study, audit, folds = self.study, self.study["audit"], self.study["folds"]
        accuracy = self.results.accuracy()
        tested = accuracy.loc[accuracy["attribute"] == WHOLE, "n"]
        return {
            "study": study["study"],
            "faces": count(tested.max()) if len(tested) else "no",
            "classes": listing(self.results.classes),
            "class count": methods.small(len(self.results.classes)),
            "checks": count(len(self.results.table("checks"))),
            "arms": listing(self.results.arms),
            "attributes": listing([a.replace("*", " × ") for a in self.results.attributes]),
            "margin": points(audit["margin"], signed=False),
            "confidence": level(audit["confidence"]),
            "equivalence confidence": level(2 * audit["confidence"] - 1),
            "resamples": count(audit["resamples"]),
            "minimum faces": count(audit["minimum_faces"]),
            "seed": str(study["seed"]),
            "folds": count(folds["count"]),
            "repeats": count(folds["repeats"]),
            "validation": percent(folds["validation"], 0),
            "commit": study.get("commit") or "unknown",
            "engine": os.environ.get("FERGAP_ENGINE") or study.get("engine") or "unknown",
            "command": methods.command(study),
        }

    def value(self, name: str) -> str:
        """Return one inline value as printed."""
        return self.values[name]

    # sentences

    def sentences(self, arms: list[str] | None = None, contrasts: bool = False) -> list[str]:
        """Return the verdicts' sentences word for word: of gaps (of these arms), or of contrasts.

        Those on combinations of attributes are left to the tables.
        """
        rows = self.results.table("verdicts")
        rows = rows[rows["attribute"].isin(self.results.plain)]
        rows = rows[rows["contrast"].notna()] if contrasts else rows[rows["contrast"].isna()]
        if arms is not None:
            rows = rows[rows["arm"].isin(arms)]
        return [sentence(s) for s in rows["sentence"]]

    def abstract(self) -> str:
        """Return the abstract: what was audited, the gaps, what the retrain changed, what remains undecided."""
        results, first = self.results, self.results.arms[0]
        if results.contrasts:
            first = results.contrasts[0][0]
        row = tables.find(results.accuracy(), arm=first, attribute=WHOLE)
        parts = [methods.question(self.study, self.values)]
        if row is not None and pd.notna(row.estimate):
            parts.append(
                f"Out of fold, {prose(first)} recognised {percent(row.estimate)} of {count(row.n)} faces "
                f"({self.values['confidence']} CI {tables.interval(row.ci_low, row.ci_high)})."
            )
        said = self.sentences([first] if results.contrasts else None) + self.sentences(contrasts=True)
        more = len(results.table("verdicts")) - len(said)
        rest = f"@sec-results holds {methods.small(more)} more verdicts. " if more else ""
        return f"{' '.join(parts)}\n\n{bullets(said)}\n\n{rest}All intervals are conditional on the fitted models."

    def undecided(self) -> list[str]:
        """Return the gaps about which the audit cannot decide, each with the smallest margin that it can certify."""
        rows = self.results.table("verdicts")
        rows = rows[rows["contrast"].isna() & (rows["verdict"] == "undecided")]
        plain = rows["attribute"].isin(self.results.plain)
        combined = int((~plain).sum())
        return [
            f"{tables.pair(r)} under {prose(r.arm)} ({points(r.smallest_margin, signed=False)})"
            for r in rows[plain].itertuples(index=False)
        ] + ([f"{methods.small(combined)} between combinations of groups"] if combined else [])

    def not_estimable(self) -> list[str]:
        """Return the groups that could not be estimated and why, and how many finer estimates could not."""
        found, finer = [], 0
        for table in ("group_metrics", "gaps", "changes", "gap_changes"):
            rows = self.results.table(table)
            for row in rows[rows["status"] != "ok"].rename(columns={"class": "label"}).itertuples(index=False):
                if row.status.startswith("not estimable") and pd.isna(getattr(row, "label", None)):
                    found.append(f"{tables.whole_name(row.attribute, row.group)} ({tables.reason(row.status)})")
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

    def replicated(self) -> bool:
        """Whether any arm was trained with more than one seed or repeat."""
        table = self.results.table("replicates")
        return bool(table[["arm", "seed", "repeat"]].drop_duplicates()["arm"].duplicated().any())

    def optimism(self) -> bool:
        """Whether any group has an accuracy on training faces."""
        return bool(self.results.table("optimism")["in_sample"].notna().any())

    def configuration(self) -> str:
        """Return the configuration that was used, as YAML, without what it offers and the study does not use."""
        used = {k: v for k, v in self.study.items() if k not in ("versions", "commit", "engine", "command")}
        used["faces"] = methods.used_faces(self.study["faces"])
        if self.has("history"):
            training = self.study["training"]
            used["training"] = training | {"recipes": {training["recipe"]: training["recipes"][training["recipe"]]}}
        else:
            used = {k: v for k, v in used.items() if k not in ("folds", "training")}
        return yaml.safe_dump(used, sort_keys=False, allow_unicode=True, width=72, default_flow_style=None).strip()

    def limitations(self) -> str:
        """Return the limitations that follow from the run itself, as a list."""
        return bullets(methods.limitations(self.study, self.undecided(), self.not_estimable(), self.results))

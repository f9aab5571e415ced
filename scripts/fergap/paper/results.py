"""What a study left behind: its configuration and its tables, read once and checked."""

import json
import os
from collections.abc import Collection
from functools import cached_property
from pathlib import Path

import pandas as pd

from fergap.paper.sources import Sources
from fergap.study import audited
from fergap.tables import TABLES, read

FOLDERS = {
    "faces": ("dropped", "labels", "overlaps", "faces"),
    "people": ("people",),
    "paper": ("timings",),
    "training": ("history", "composition", "runs", "answers"),
    "calibration": ("calibration",),
}
PER_FACE = ("faces", "people")
WHOLE = "all"  # attribute and group of rows over every face
MOST_IN_FULL = 4  # arms that a paper tells in full unless the study names them


def relative(name: str) -> str:
    """Return where table ``name`` lies in a study's folder."""
    folder = next((f for f, names in FOLDERS.items() if name in names), "audit")
    return f"{folder}/{name}.{'parquet' if name in PER_FACE else 'csv'}"


class Results:
    """A study's folder: ``study.json``, ``audit/*.csv``, and ``faces/`` and ``training/`` where the study has them.

    Parameters
    ----------
    folder : path
        The folder that holds these.
    study : dict, optional
        The configuration, instead of ``study.json``: at least ``arms`` and ``audit``.
    elsewhere : dict, optional
        Table → file, where it does not lie in the folder.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        study: dict | None = None,
        elsewhere: dict[str, str | os.PathLike] | None = None,
    ):
        self.folder, self.elsewhere, self.sources = Path(folder), elsewhere or {}, Sources()
        self.pixels: str | os.PathLike | None = None  # of faces that may be shown
        self.study = study or json.loads((self.folder / "study.json").read_text(encoding="utf-8"))
        self.tables: dict[str, pd.DataFrame] = {}

    @property
    def confidence(self) -> float:
        """The level of the intervals."""
        return self.study["audit"]["confidence"]

    @property
    def alpha(self) -> float:
        """The level of the tests."""
        return 1 - self.confidence

    @property
    def margin(self) -> float:
        """The margin within which gaps count as equivalent, as a fraction."""
        return self.study["audit"]["margin"]

    def path(self, name: str) -> Path:
        """Return where table ``name`` lies."""
        return Path(self.elsewhere.get(name, self.folder / relative(name)))

    def cite(self, text: str, table: str, row: object = (), column: str = "") -> str:
        """Return Markdown ``text`` marked with its source: row(s) of a table as named tuple, position or positions."""
        return self.sources.mark(text, relative(table), getattr(row, "Index", row), column)

    def table(self, name: str) -> pd.DataFrame:
        """Return table ``name``, checked; without rows where the study has no such table."""
        if name not in self.tables:
            path = self.path(name)
            self.tables[name] = read(path, name) if path.exists() else pd.DataFrame(columns=list(TABLES[name].columns))
        return self.tables[name]

    def has(self, name: str) -> bool:
        """Whether the study has rows in table ``name``."""
        return len(self.table(name)) > 0

    @cached_property
    def arms(self) -> list[str]:
        """The names of the arms that the paper tells of, as configured: without those that are :attr:`ranked_alone`.

        Nor with those that recognise the source of a face, which have a section of their own.
        """
        left = self.ranked_alone.difference(self.named_in_full)
        return [arm for arm in audited(self.study) if arm not in left]

    @property
    def named_in_full(self) -> list[str]:
        """The arms that the study itself names to be told in full."""
        return self.study.get("paper", {}).get("arms_in_full") or []

    @cached_property
    def in_full(self) -> list[str]:
        """The arms that the paper tells in full: those that the study names, else all where they are few.

        Of more, the two of the first contrast that is not with a placebo, without contrasts the first arm: a choice
        that was made before the results.
        """
        if self.named_in_full:
            return [arm for arm in self.arms if arm in self.named_in_full]
        if len(self.arms) <= MOST_IN_FULL:
            return self.arms
        placebos = {arm["name"] for arm in self.study["arms"] if arm.get("placebo")}
        pairs = [pair for pair in self.contrasts if pair[1] not in placebos] or self.contrasts
        return [arm for arm in self.arms if arm in pairs[0]] if pairs else self.arms[:1]

    def detail(self) -> "Results":
        """Return the results as if the study had only the arms that are told in full; the same where these are all."""
        return self if self.in_full == self.arms else Detail(self)

    @cached_property
    def ranked_alone(self) -> set[str]:
        """The arms of a comparison of networks on faces of its own, whose gaps are left to the audit's tables."""
        contrasted = {arm for contrast in self.contrasts for arm in contrast}
        families = self.table("ranking").groupby("arms")["arm"].apply(set) if contrasted else ()
        return {arm for family in families if len(family) > 2 and not family & contrasted for arm in family}

    def verdicts(self) -> pd.DataFrame:
        """Return the verdicts on the arms that the paper tells of."""
        table = self.table("verdicts")
        return table[table["arm"].isin(self.arms)]

    @cached_property
    def attributes(self) -> list[str]:
        """The audited attributes, as configured."""
        return ["*".join(part.strip() for part in a.split("*")) for a in self.study["audit"]["attributes"]]

    @cached_property
    def plain(self) -> list[str]:
        """The audited attributes that are no combination of others."""
        return [a for a in self.attributes if "*" not in a]

    @cached_property
    def groups(self) -> dict[str, list[str]]:
        """The groups of each attribute, the reference first, the others as the audit lists them."""
        metrics, gaps = self.table("group_metrics"), self.table("gaps")
        metrics = metrics if len(metrics) else self.table("dataset_shares")
        first = dict(zip(gaps["attribute"], gaps["reference"], strict=True))
        found = {a: list(dict.fromkeys(metrics.loc[metrics["attribute"] == a, "group"])) for a in self.attributes}
        return {a: sorted(names, key=lambda g: g != first.get(a)) for a, names in found.items()}

    @cached_property
    def classes(self) -> list[str]:
        """The classes of the task, as the audit lists them."""
        return list(dict.fromkeys(self.table("confusion")["true"])) or list(
            dict.fromkeys(self.table("dataset_shares")["label"])
        )

    @cached_property
    def contrasts(self) -> list[tuple[str, str]]:
        """The (before, after) pairs of arms, as configured."""
        return [(c["before"], c["after"]) for c in self.study["audit"].get("contrasts") or []]

    def accuracy(self) -> pd.DataFrame:
        """Return the accuracy rows of ``group_metrics``: one per arm, attribute and group."""
        metrics = self.table("group_metrics")
        rows = metrics[(metrics["metric"] == "accuracy") & metrics["class"].isna()]
        return rows[rows["arm"].isin(self.arms)]

    def gaps(self) -> pd.DataFrame:
        """Return the headline rows of ``gaps``: the crude accuracy gap, one per arm and pair of groups."""
        gaps = self.table("gaps")
        rows = gaps[(gaps["metric"] == "accuracy") & gaps["class"].isna() & (gaps["primary"] == 1)]
        return rows[rows["arm"].isin(self.arms)]

    def adjusted_gaps(self) -> pd.DataFrame:
        """Return the accuracy gaps adjusted for class mix, one per arm and pair of groups."""
        gaps = self.table("gaps")
        rows = gaps[(gaps["metric"] == "accuracy") & gaps["class"].isna() & gaps["adjusted_for"].notna()]
        return rows[rows["method"].isna() | (rows["method"] == "mantel-haenszel")]

    def confusion(self) -> pd.DataFrame:
        """Return the confusion counts over all faces, one row per arm, true and predicted class."""
        counts = self.table("confusion")
        return counts[counts["attribute"] == WHOLE]

    def in_order(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return ``rows`` with all faces first, then by attribute, group and arm as configured."""
        orders = {
            "attribute": [WHOLE, *self.attributes],
            "group": [WHOLE, *(g for names in self.groups.values() for g in names)],
            "arm": self.arms,
        }
        rank = {c: rows[c].map({v: i for i, v in enumerate(dict.fromkeys(order))}) for c, order in orders.items()}
        return rows.loc[pd.DataFrame(rank).sort_values(list(orders), kind="stable").index]

    def class_gaps(self) -> pd.DataFrame:
        """Return the gaps in recall within each class, one per arm, pair of groups and class."""
        gaps = self.table("gaps")
        return gaps[(gaps["metric"] == "recall") & gaps["class"].notna() & (gaps["primary"] == 1)]

    @cached_property
    def headline(self) -> list[str]:
        """The arms that the paper shows in detail: those of the contrasts, else the first."""
        named = [arm for contrast in self.contrasts for arm in contrast]
        return list(dict.fromkeys(named)) or self.arms[:1]


def of_arms(table: pd.DataFrame, arms: Collection[str]) -> pd.DataFrame:
    """Return the rows of a table that are about these arms alone, or about no arm; they keep their index."""
    kept = pd.Series(True, index=table.index)
    for column in ("arm", "before", "after"):
        if column in table:
            kept &= table[column].isna() | table[column].isin(arms)
    if "second" in table and "arms" in table:  # of two arms
        kept &= table["second"].isna() | (table["first"].isin(arms) & table["second"].isin(arms))
    return table[kept]


class Detail(Results):
    """A study's results without the arms that are only compared; numbers are marked as those of the whole."""

    def __init__(self, whole: Results):
        super().__init__(whole.folder, whole.study, whole.elsewhere)
        self.whole, self.sources, self.pixels = whole, whole.sources, whole.pixels
        self.in_full = self.arms = whole.in_full
        self.contrasts = [pair for pair in whole.contrasts if set(pair) <= set(whole.in_full)]

    def table(self, name: str) -> pd.DataFrame:
        """Return the rows of table ``name`` on the arms that are told in full, and on no arm."""
        if name not in self.tables:
            self.tables[name] = of_arms(self.whole.table(name), self.in_full)
        return self.tables[name]

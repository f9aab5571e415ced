"""Write the tables of docs/arms.md from finished studies' tables: python docs/tables.py."""

import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from fergap.files import write_text
from fergap.paper.markdown import pipe
from fergap.paper.numbers import percent, points, with_interval

STUDIES = ("gender-balance-cpu", "mitigation-cpu", "latent-alignment-cpu")


def said(row: pd.Series) -> str:
    """Return what the audit says of an arm's change of a gap, in a few words."""
    if row["arm"] == row["baseline"]:
        return ""
    if row["indistinguishable"] == 1:
        return "indistinguishable"
    return row["verdict"].removeprefix("gap: ").partition(";")[0]


def compared(tradeoff: pd.DataFrame) -> str:
    """Return a Markdown table of a study's arms from its ``tradeoff.csv``.

    Accuracy and each attribute's gap with their changes from the arm's baseline, in percentage points, that of a gap
    with its interval and what is said of it.
    """
    found = tradeoff[(tradeoff["status"] == "ok") & tradeoff["attribute"].isin(["age", "gender"])]
    pairs = found[["attribute", "group", "reference"]].drop_duplicates().sort_values("attribute")
    heads = ["arm", "accuracy, change"]
    for pair in pairs.itertuples():
        heads += [f"{pair.group} − {pair.reference}", "change [95 %]", "said of it"]
    rows = []
    for arm, of_arm in found.groupby("arm", sort=False):
        first, by = of_arm.iloc[0], of_arm.set_index("attribute")
        moved = "" if first["arm"] == first["baseline"] else f", {points(first['accuracy_change'])}"
        row = [f"`{arm}`", percent(first["accuracy"]) + moved]
        for attribute in pairs["attribute"]:
            one = by.loc[attribute]
            change = with_interval(one["gap_change"], one["gap_change_low"], one["gap_change_high"])
            row += [points(one["gap"]), change if said(one) else "", said(one)]
        rows.append(row)
    return pipe(heads, rows, "lr" + "rrl" * len(pairs))


def markers(study: str) -> tuple[str, str]:
    """Return the lines in docs/arms.md between which a study's table stands."""
    return f"<!-- {study}: begin -->\n", f"<!-- {study}: end -->"


def with_tables(text: str, folder: Path) -> str:
    """Return docs/arms.md with every study's table, read from ``folder/<study>/tradeoff.csv``."""
    for study in STUDIES:
        begin, end = markers(study)
        before, rest = text.split(begin)
        table = compared(pd.read_csv(folder / study / "tradeoff.csv"))
        text = f"{before}{begin}{table}\n{rest[rest.index(end) :]}"
    return text


if __name__ == "__main__":
    guide = ROOT / "docs" / "arms.md"
    write_text(with_tables(guide.read_text(encoding="utf-8"), ROOT / "reference-results"), guide)

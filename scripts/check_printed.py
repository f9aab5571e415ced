"""Say what follows from what in printed tables: python scripts/check_printed.py TABLE.csv … [--out findings.csv]."""

import argparse
import sys
from pathlib import Path

import pandas as pd

from fergap.audit.printed import findings_of
from fergap.audit.printed_faces_of_fairness import findings_of_tables
from fergap.errors import UserError

MOST_LISTED = 12  # findings of one kind; --out has them all


def main() -> int:
    """Print what does not follow and how much does; 1 where a file cannot be read."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("tables", nargs="+", type=Path, help="CSV in percent as printed, or the JSON of Faces of Fairness")
    ask.add_argument("--out", type=Path, help="a CSV for every finding")
    asked = ask.parse_args()
    try:
        found = [(findings_of_tables if path.suffix == ".json" else findings_of)(path) for path in asked.tables]
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    table = pd.concat([rows for rows, _ in found], ignore_index=True)
    wrong = table[~table["finding"].str.startswith("follows")]
    for row in wrong.groupby("summary", dropna=False, sort=False).head(MOST_LISTED).itertuples():
        against = "" if pd.isna(row.computed) else f" against {row.computed:.3f} as {row.summary} of what is printed"
        print(f"{row.where}: {row.printed}{against}: {row.finding}")
    for summary, more in (wrong["summary"].value_counts() - MOST_LISTED).items():
        if more > 0:
            print(f"… and {more} more: {summary}")
    print(*(line for _, said in found for line in said), sep="\n", end="\n" * any(said for _, said in found))
    counts = table.groupby(["summary", "finding"], dropna=False).size()
    print(*(f"{n:5d}  {summary}: {finding}" for (summary, finding), n in counts.items()), sep="\n")
    if asked.out:
        table.to_csv(asked.out, index=False)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

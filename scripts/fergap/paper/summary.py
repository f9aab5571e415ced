"""What a finished run says on the terminal; standard library alone, because the workflow itself calls it."""

import csv
from pathlib import Path


def points(text: str) -> str:
    """Return a fraction from a table in percentage points with one decimal, ``–`` where there is none."""
    if not text:
        return "–"
    rounded = f"{100 * float(text):+.1f}"
    return "0.0" if float(rounded) == 0 else rounded.replace("-", "−")


def summary(study: Path, formats: list[str]) -> str:
    """Return a study's verdicts as a small table, and where its paper lies; what is not there yet is left out.

    Parameters
    ----------
    study : pathlib.Path
        The study's folder of results.
    formats : list of str
        Suffixes of the paper's files.
    """
    lines = []
    verdicts = study / "audit" / "verdicts.csv"
    if verdicts.exists():
        with verdicts.open(encoding="utf-8", newline="") as file:
            rows = [
                (
                    row["contrast"] or row["arm"],
                    f"{row['group']} − {row['reference']}" + (", change of the gap" if row["contrast"] else ""),
                    points(row["estimate"]),
                    f"{points(row['ci_low'])} … {points(row['ci_high'])}",
                    row["verdict"] + (f" (levelling down: {row['lost']})" if float(row["levelling_down"] or 0) else ""),
                )
                for row in csv.DictReader(file)
            ]
    if verdicts.exists() and rows:
        table = [("arm", "accuracy gap", "points", "interval", "verdict"), *rows]
        widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in table]
        lines.insert(1, "-" * max(map(len, lines)))
    papers = [str(path) for suffix in formats if (path := study / "paper" / f"paper.{suffix}").exists()]
    return "\n".join(["", *lines, "", *papers])

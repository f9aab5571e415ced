"""What a finished run says on the terminal; standard library alone, because the workflow itself calls it."""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

MANY = 12  # arms from which on verdicts are counted
ABOUT_PEOPLE = ("annotate", "adjudicate", "exchange")  # targets that end before there are verdicts
MOST = 20  # rows of changed gaps beside the counts
CHANGED = ("narrowed", "widened", "reversed", "moved")  # how verdicts on a shown change begin
# "equivalent" is about the gap after, while the interval beside it is that of the change
OF_CHANGES = {
    "narrowed and equivalent": "narrowed; gap after equivalent",
    "narrowed, not shown equivalent": "narrowed; gap after not shown equivalent",
    "moved and equivalent": "moved; gap after equivalent",
    "moved, not shown equivalent": "moved; gap after not shown equivalent",
    "equivalent, change not shown": "gap after equivalent; change not shown",
    "no change shown": "change not shown",
}
LEARNED = "right more often than the largest class alone"  # the audit's check of it
ADJUSTED = "intervals are not adjusted for the number of comparisons, verdicts are"
HEADER = ("arm", "accuracy gap", "points", "interval", "verdict")


def points(text: str) -> str:
    """Return a fraction from a table in percentage points with one decimal, ``–`` where there is none."""
    if not text:
        return "–"
    rounded = f"{100 * float(text):+.1f}"
    return "0.0" if float(rounded) == 0 else rounded.replace("-", "−")


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table of texts with columns as wide as they must be."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in (header, *rows)]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


def compared(row: dict[str, str]) -> str:
    """Return the groups of a row of ``verdicts``, and whether it is about a change of their gap."""
    return f"{row['group']} − {row['reference']}" + (", change of the gap" if row["contrast"] else "")


def verdict(row: dict[str, str]) -> str:
    """Return a row's verdict; of a change, what it says of the gap after, what of the change, and who lost."""
    said = OF_CHANGES.get(row["verdict"], row["verdict"])
    lost = row["lost"].split("; ") if row["contrast"] and row["lost"] else []
    if lost:
        said += "; both groups lost" if len(lost) > 1 else f"; {lost[0]} lost"
    return said + (" (levelling down)" if float(row["levelling_down"] or 0) else "")


def unlearned(path: Path) -> list[str]:
    """Return what is to be said of arms that are not shown to be better than always saying one class."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        found = [row for row in csv.DictReader(file) if row["check"] == LEARNED and row["verdict"] == "look"]
    return [f"{row['arm']}: not shown to be {LEARNED} ({row['value']}): its gaps say nothing" for row in found]


def cells(row: dict[str, str]) -> tuple[str, ...]:
    """Return a row of ``verdicts`` as one of the table, in the order of ``HEADER``."""
    return (
        row["contrast"] or row["arm"],
        compared(row),
        points(row["estimate"]),
        f"{points(row['ci_low'])} … {points(row['ci_high'])}",
        verdict(row),
    )


def counted(rows: list[dict[str, str]], path: Path) -> list[str]:
    """Return how many arms and contrasts have each verdict, the gaps that changed, and where all of them stand."""
    counts = Counter((compared(row), row["verdict"]) for row in rows)
    order = {gap: i for i, gap in enumerate(dict.fromkeys(map(compared, rows)))}
    most = sorted(counts.items(), key=lambda item: (order[item[0][0]], -item[1]))
    lines = aligned(("accuracy gap", "verdict", "count"), [(gap, said, str(n)) for (gap, said), n in most])
    changed = [cells(row) for row in rows if row["contrast"] and row["verdict"].startswith(CHANGED)]
    lines += ["", *aligned(("contrast", *HEADER[1:]), changed[:MOST]), ADJUSTED] if changed else []
    more = f"and {len(changed) - MOST} more changes; " if len(changed) > MOST else ""
    return [*lines, "", f"{more}every verdict: {path}"]


def of_people(study: Path, target: str) -> list[str]:
    """Return what a target about people has made, and what to do with it."""
    folder = study / "people"
    if target == "exchange":
        return [str(path) for path in sorted((folder / target).iterdir()) if not path.name.startswith(".")]
    page = (folder / f"{target}.html").resolve().as_uri()
    return [f"open this page in a browser: {page}", "It holds faces: whoever has the file has them."]


def summary(study: Path, formats: list[str], targets: Sequence[str] = ()) -> str:
    """Return a study's verdicts as a small table, and where its paper lies; what is not there yet is left out.

    From ``MANY`` arms on, verdicts are counted, and only gaps that changed between two arms have a row each.

    Parameters
    ----------
    study : pathlib.Path
        The study's folder of results.
    formats : list of str
        Suffixes of the paper's files.
    targets : sequence of str
        What was asked for; of targets about people alone only what they made is told.
    """
    if targets and set(targets) <= set(ABOUT_PEOPLE):
        return "\n".join(["", *(line for target in targets for line in of_people(study, target))])
    rows, verdicts = [], study / "audit" / "verdicts.csv"
    if verdicts.exists():
        with verdicts.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    lines = []
    if len({row["arm"] for row in rows}) >= MANY:
        lines = counted(rows, verdicts)
    elif rows:
        lines = [*aligned(HEADER, [cells(row) for row in rows]), ADJUSTED]
    lines += unlearned(study / "audit" / "checks.csv")
    papers = [str(path) for suffix in formats if (path := study / "paper" / f"paper.{suffix}").exists()]
    return "\n".join(["", *lines, "", *papers])

"""Tables of the faces and the people: cleaning, labels, annotators, checks."""

import pandas as pd

from fergap.paper.cells import faces, renamed, told
from fergap.paper.markdown import group as group_name
from fergap.paper.markdown import name, pipe
from fergap.paper.methods import years
from fergap.paper.numbers import count
from fergap.paper.results import Results


def dropped(results: Results) -> str:
    """Return what the cleaning removed: one row per reason that occurred, with the names of some of the pictures."""
    rows = results.table("dropped")
    rows = rows[rows["count"] > 0].fillna({"examples": ""})
    cells = [[name(r.reason), count(r.count_), name(r.examples)] for r in renamed(rows)]
    return pipe(["reason", "pictures", "among them"], cells, "lrl")


def labels(results: Results, published: dict | None = None) -> str:
    """Return how many pictures matched and got each label, with the published study's count where there is one."""
    rows, printed = renamed(results.table("labels")), published["counts"]["classes"]["faces"] if published else {}
    cells = [
        [name(r.label), count(r.matched), count(r.assigned), *([count(printed.get(r.label))] if published else [])]
        for r in rows
    ]
    total = [count(sum(r.matched for r in rows)), count(sum(r.assigned for r in rows))]
    cells.append(["sum", *total, *([count(sum(printed.values()))] if published else [])])
    header = ["label", "rule holds", "labelled", *(["printed by the published study"] if published else [])]
    return pipe(header, cells, "lrrr" if published else "lrr")


def overlaps(results: Results) -> str:
    """Return the pairs of labels whose rules hold for the same pictures."""
    rows = renamed(results.table("overlaps"))
    return pipe(["label", "and", "pictures"], [[name(r.first), name(r.second), count(r.count_)] for r in rows], "llr")


def annotators(results: Results) -> str:
    """Return how many faces each annotator put into each group, of ages with the years that make it where known."""
    rows, people = renamed(results.table("annotators")), results.table("people")
    spans = results.study.get("people", {}).get("age_groups") or {}
    told = set(people.loc[(people["attribute"] == "age") & people["value"].notna(), "group"])

    def called(row: object) -> str:
        with_years = row.attribute == "age" and row.group in told.intersection(spans)
        return name(row.group) + (f" ({years(*spans[row.group])})" if with_years else "")

    cells = [
        [name(r.attribute), called(r), "" if pd.isna(r.annotator) else name(r.annotator), faces(r.n)] for r in rows
    ]
    return pipe(["attribute", "group", "annotator", "faces"], cells, "lllr")


def checks(results: Results) -> str:
    """Return the checks of the input that ask for a look."""
    rows, cells = results.table("checks"), []
    for row in rows[rows["verdict"] != "ok"].itertuples(index=False):
        about = [group_name(part) for part in (row.arm, row.attribute, row.group) if not pd.isna(part)]
        cells.append([name(row.check), ", ".join(about), group_name(told(row.value))])
    return pipe(["check", "of", "found"], cells, "lll")

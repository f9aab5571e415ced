"""Every number that the audit owes and cannot give, with the reason."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fergap.audit.counts import Split
from fergap.audit.settings import faces

Row = dict[str, Any]
CELL = ("arm", "contrast", "attribute", "group", "reference", "class", "metric", "average", "method")
SAME = {
    "effect": "metric",
    "test": "method",
    "scenario": "metric",
    "question": "metric",
    "quantity": "metric",
    "term": "group",
    "summary": "average",
}
ANSWERS = ("not reached", "not needed")  # a scenario that cannot occur is an answer


def not_estimable(tables: Mapping[str, Sequence[Row]]) -> Iterator[Row]:
    """Yield the rows of ``not_estimable``: each row of any table whose ``status`` is not ``ok``."""
    for name, rows in tables.items():
        for row in rows:
            status = row.get("status", "ok")
            if status != "ok" and not status.startswith(ANSWERS):
                renamed = {SAME.get(key, key): value for key, value in row.items() if value is not None}
                yield {"table": name, "reason": status} | {key: renamed.get(key) for key in CELL}


def left_out(arm: str, split: Split, classes: tuple[str, ...], minimum_faces: int, least: int = 5) -> Iterator[Row]:
    """Yield the classes that ``macro_common`` averages leave out, by the groups that are short of them."""
    for g in range(len(split.groups)):
        if split.n[g] < minimum_faces:
            continue  # the whole group is left out, which its own rows say
        for c, label in enumerate(classes):
            n = int(split.support[g, c])
            if n < least:
                yield {
                    "table": "group_metrics",
                    "arm": arm,
                    "attribute": split.attribute,
                    "group": split.groups[g],
                    "class": label,
                    "average": "macro_common",
                    "reason": f"class left out of the average: {faces(n)} of {split.groups[g]}",
                }

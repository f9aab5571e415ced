"""Who said who is in the pictures: faces by group and annotator."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

Row = dict[str, Any]


def annotators(people: pd.DataFrame, faces: pd.Index) -> Iterator[Row]:
    """Yield the rows of ``annotators``: how many of ``faces`` each annotator put into each group.

    Parameters
    ----------
    people : pandas.DataFrame
        ``image_id, attribute, group`` and optionally ``annotator``; an empty group is counted as ``unknown``.
    faces : pandas.Index
        The ids of the audited faces.
    """
    known = people[faces.get_indexer(people["image_id"]) >= 0]
    by = known.get("annotator", pd.Series(index=known.index, dtype="str"))
    rows = pd.DataFrame({"attribute": known["attribute"], "group": known["group"].fillna("unknown"), "annotator": by})
    for (attribute, group, annotator), n in (
        rows.groupby(["attribute", "group", "annotator"], dropna=False).size().items()
    ):
        yield {
            "attribute": attribute,
            "group": group,
            "annotator": None if pd.isna(annotator) else annotator,
            "n": int(n),
        }

"""What the audit of a study reads, as the arguments of :func:`fergap.audit.audit`."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from fergap import tables


def read_inputs(files: Mapping[str, Any], faces: pd.DataFrame | None) -> dict[str, Any]:
    """Return the audit's arguments that are tables of the study.

    Parameters
    ----------
    files : mapping
        Paths: ``predictions``, ``people``, ``raters`` and ``recognition`` (a list), and ``validation`` and ``answers``,
        empty where the study has none.
    faces : pandas.DataFrame or None
        Table ``faces``, where the study has pictures.

    Raises
    ------
    UserError
        A table is missing or broken.
    """
    found = {name: tables.read(files[name], name) for name in ("predictions", "people", "raters")}
    found["recognition"] = tables.joined(files["recognition"], "predictions")
    found |= {name: tables.read(files[name], name) for name in ("validation", "answers") if files[name]}
    if faces is None:
        return found
    sets = faces.set_index("image_id")
    return found | {
        "labels": sets["label"],
        "duplicates": {"exact": sets["exact_set"], "near": sets["duplicate_set"]},
        "clusters": None if "cluster_id" in found["people"].columns else sets["duplicate_set"],
    }

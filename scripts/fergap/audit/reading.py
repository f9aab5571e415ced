"""What the audit of a study reads, as the arguments of :func:`fergap.audit.audit`."""

from collections.abc import Mapping
from typing import Any

from fergap import tables

TAGGER = "tagger_"  # begins the columns of ``faces`` that tell what single taggers are expected to say


def read_inputs(files: Mapping[str, Any]) -> dict[str, Any]:
    """Return the audit's arguments that are tables of the study.

    Parameters
    ----------
    files : mapping
        Paths: ``predictions``, ``people``, ``raters`` and ``recognition`` (a list), and ``faces``, ``validation`` and
        ``answers``, empty where the study has none.

    Raises
    ------
    UserError
        A table is missing or broken.
    """
    found = {name: tables.read(files[name], name) for name in ("predictions", "people", "raters")}
    found["recognition"] = tables.joined(files["recognition"], "predictions")
    found |= {name: tables.read(files[name], name) for name in ("validation", "answers") if files[name]}
    if not files["faces"]:
        return found
    faces = tables.read(files["faces"], "faces").set_index("image_id")
    said = [column for column in faces if column.startswith(TAGGER)]
    return found | {
        "labels": faces["label"],
        "duplicates": {"exact": faces["exact_set"], "near": faces["duplicate_set"]},
        "clusters": None if "cluster_id" in found["people"].columns else faces["duplicate_set"],
        "taggers": faces[[*said, "ambiguity"]].rename(columns=lambda c: c.removeprefix(TAGGER)) if said else None,
    }

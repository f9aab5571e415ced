"""A study of two groups, a and b (the reference), with what single taggers say of its faces."""

import numpy as np
import pandas as pd

from fergap.audit.inputs import Sample, make_sample


def two_groups(group, right, taggers, true="x") -> tuple[Sample, pd.DataFrame]:
    """Return the sample and the taggers' readings by face.

    Parameters
    ----------
    group, right : sequence
        By face: ``a`` or ``b``, and whether the one arm is right.
    taggers : sequence
        By face: ``answered``, ``right``, ``kept`` and ``ambiguity``.
    true : str or sequence
        The class of every or of each face, ``x`` or ``y``.
    """
    ids = [f"f{i}" for i in range(len(group))]
    true = np.broadcast_to(np.asarray(true), len(ids))
    predicted = np.where(right, true, np.where(true == "x", "y", "x"))
    predictions = pd.DataFrame({"image_id": ids, "true": true, "predicted": predicted})
    people = pd.DataFrame({"image_id": ids, "attribute": "kind", "group": group})
    sample = make_sample(
        predictions,
        people,
        attributes=["kind"],
        reference={"kind": "b"},
        groups={"kind": ["b", "a"]},
        arms=None,
        classes=["x", "y"],
    )
    return sample, pd.DataFrame(taggers, index=ids, columns=["answered", "right", "kept", "ambiguity"])

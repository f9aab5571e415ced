"""How often a model that was asked in words gave no answer, and for whom."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from fergap.audit.groups import proportion_row
from fergap.audit.inputs import Sample
from fergap.audit.settings import Settings

Row = dict[str, Any]
ANSWERED, ANY = "answered", "any"


def unanswered(sample: Sample, answers: pd.DataFrame | None, settings: Settings) -> Iterator[Row]:
    """Yield the rows of ``unanswered``: the share of faces for which an arm named no class, with Wilson's interval.

    Such faces count as wrong everywhere else. Over all faces there is a row for each reason too.

    Parameters
    ----------
    sample : Sample
    answers : pandas.DataFrame or None
        ``arm``, ``image_id`` and ``status`` (``answered``, or why there is no answer), one row per arm and face.
    settings : Settings
    """
    if answers is None:
        return
    for arm in sample.arms:
        own = answers[answers["arm"] == arm]
        if own.empty:
            continue
        status = own.set_index("image_id")["status"].reindex(sample.faces).to_numpy(object)
        asked = pd.notna(status)
        without = asked & (status != ANSWERED)
        for why in (ANY, *sorted(set(status[without]))):
            counted = without if why == ANY else without & (status == why)
            yield _row(arm, "all", "all", why, counted, asked, settings)
        for attribute in sample.attributes:
            for code, group in enumerate(attribute.groups):
                here = asked & (attribute.codes == code)
                yield _row(arm, attribute.name, group, ANY, without, here, settings)


def _row(
    arm: str, attribute: str, group: str, why: str, without: np.ndarray, here: np.ndarray, settings: Settings
) -> Row:
    head = {"arm": arm, "attribute": attribute, "group": group, "why": why, "confidence": settings.confidence}
    found = proportion_row(int((without & here).sum()), int(here.sum()), settings, "not estimable: 0 faces")
    return head | found

"""What an intervention changed beyond what a retrain without it changes."""

from collections.abc import Iterator
from typing import Any

from fergap.audit.changes import gap_change
from fergap.audit.counts import paired_split
from fergap.audit.gaps import pairs
from fergap.audit.inputs import Sample
from fergap.audit.settings import Contrast, Settings

Row = dict[str, Any]


def beyond_placebo(sample: Sample, contrast: Contrast, settings: Settings) -> Iterator[Row]:
    """Yield the rows of ``beyond_placebo`` for one contrast that names a placebo, not yet adjusted.

    The gap's change from *before* to *after*, minus its change from *before* to the placebo. Face by face the answers
    before cancel out, so it is the gap's change from the placebo to *after*, and is tested as that (see
    :func:`fergap.audit.changes.gap_change`).
    """
    if contrast.placebo is None:
        return
    before, after, placebo = (sample.arms[name] for name in (contrast.before, contrast.after, contrast.placebo))
    for attribute in sample.attributes:
        beyond, treated, retrained = (
            paired_split(first, second, attribute, len(sample.classes))
            for first, second in ((placebo, after), (before, after), (before, placebo))
        )
        for g, r, row in pairs(contrast.after, beyond.before, settings):
            row |= {"contrast": contrast.name, "before": contrast.before, "after": contrast.after}
            row |= {"placebo": contrast.placebo, "confidence": settings.confidence}
            row |= {"n_group": int(beyond.before.n[g]), "n_reference": int(beyond.before.n[r])}
            if row["status"] == "ok":
                method, found = gap_change(beyond.pairs_of(g), beyond.pairs_of(r), settings.confidence)
                row |= {
                    "change": treated.pairs_of(g).change - treated.pairs_of(r).change,
                    "change_placebo": retrained.pairs_of(g).change - retrained.pairs_of(r).change,
                    "method": method,
                } | found._asdict()
            yield row


def judge(rows: list[Row], alpha: float) -> None:
    """Set each row's ``verdict`` from its interval and adjusted p value."""
    for row in rows:
        if row["status"] != "ok":
            row["verdict"] = "not estimable"
        else:
            shown = (row["ci_low"] > 0 or row["ci_high"] < 0) and row["p_adjusted"] < alpha
            row["verdict"] = "beyond the placebo" if shown else "not shown beyond the placebo"

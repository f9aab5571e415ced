"""What changed from one arm to another, face by face: in each group, and in each gap."""

import math
from collections.abc import Iterator
from typing import Any

from fergap.audit.bootstrap import Replicates
from fergap.audit.classification import accuracy
from fergap.audit.counts import PairedSplit
from fergap.audit.gaps import bounds, pairs
from fergap.audit.paired import Difference, Pairs, mcnemar_exact, mcnemar_midp, mover_change, welch
from fergap.audit.proportions import bonett_price
from fergap.audit.resampling import GAP_METRICS, gap_statistics
from fergap.audit.settings import BOOTSTRAP_FACES, Contrast, Settings, too_few

Row = dict[str, Any]
SMALL_CELL = 5  # a discordant cell below it makes the primary interval MOVER's


def heading(contrast: Contrast) -> Row:
    return {"contrast": contrast.name, "before": contrast.before, "after": contrast.after}


def changes(contrast: Contrast, split: PairedSplit, settings: Settings) -> Iterator[Row]:
    """Yield the rows of ``changes`` for one contrast and attribute."""
    for g, group in enumerate(split.groups):
        counts = split.pairs_of(g)
        row = heading(contrast) | {"arm": contrast.after, "attribute": split.attribute, "group": group, "n": counts.n}
        row |= counts._asdict() | {"confidence": settings.confidence, "method": "bonett-price"}
        row["status"] = too_few(counts.n, settings.minimum_faces)
        if row["status"] == "ok":
            row["estimate"] = counts.change
            row |= bounds(bonett_price(counts.n10, counts.n01, counts.n, settings.confidence))
        for test, p_value in (("mcnemar mid-p", mcnemar_midp), ("mcnemar exact", mcnemar_exact)):
            found = {"p_value": p_value(counts.n10, counts.n01)} if row["status"] == "ok" else {}
            yield row | {"test": test, "primary": int(test == "mcnemar mid-p")} | found


def gap_change(group: Pairs, reference: Pairs, confidence: float) -> tuple[str, Difference]:
    """Return the method and result of the change of an accuracy gap: Welch's t, or MOVER where a cell is small."""
    cells = (group.n10, group.n01, reference.n10, reference.n01)
    if min(cells) < SMALL_CELL:
        return "mover bonett-price", mover_change(group, reference, confidence)
    return "welch", welch(group, reference, confidence)


def gap_changes(
    contrast: Contrast, split: PairedSplit, replicates: list[Replicates | None], settings: Settings
) -> Iterator[Row]:
    """Yield the rows of ``gap_changes`` for one contrast and attribute, not yet adjusted."""
    common = split.before.common(settings.minimum_faces)
    for g, r, head in pairs(contrast.after, split.before, settings):
        head |= heading(contrast) | {"confidence": settings.confidence, "primary": 0}
        if head["status"] != "ok":
            for metric, average in GAP_METRICS:
                yield head | {"metric": metric, "average": average or None, "primary": 1}
            continue
        counts = split.pairs_of(g), split.pairs_of(r)
        before, after = ([accuracy(s.table[i].astype(float)) for i in (g, r)] for s in (split.before, split.after))
        row = head | {"metric": "accuracy"}
        row |= {"gap_before": float(before[0] - before[1]), "gap_after": float(after[0] - after[1])}
        small = min(counts[0].n10, counts[0].n01, counts[1].n10, counts[1].n01) < SMALL_CELL
        for method, function in (("welch", welch), ("mover bonett-price", mover_change)):
            if method == "welch" or small:
                found = function(*counts, settings.confidence)._asdict()
                none = method == "welch" and math.isnan(found["p_value"])
                status = {"status": "not estimable: no face changed"} if none else {}
                yield row | {"method": method, "primary": int(small == (method != "welch"))} | found | status

        both = replicates[g] - replicates[r] if replicates[g] and replicates[r] else None
        row |= {"method": "bootstrap bca", "estimate": counts[0].change - counts[1].change}
        yield row | resampled(both, 0, settings, small)
        metrics = [
            [gap_statistics(s.table[i].astype(float)[None], common)[0] for i in (g, r)]
            for s in (split.before, split.after)
        ]
        for m, (metric, average) in enumerate(GAP_METRICS[1:], start=1):
            row = head | {"metric": metric, "average": average, "method": "bootstrap bca", "primary": 1}
            if not common.any():
                yield row | {"status": "not estimable: no class with 5 faces in every group"}
                continue
            gap_before, gap_after = (float(pair[0][m] - pair[1][m]) for pair in metrics)
            row |= {"gap_before": gap_before, "gap_after": gap_after, "estimate": gap_after - gap_before}
            yield row | resampled(both, m, settings, small)


def resampled(both: Replicates | None, column: int, settings: Settings, small: bool) -> Row:
    """Return a change's bootstrap standard error and interval, or why there is none."""
    if both is None:
        return {"status": f"interval not estimable: fewer than {BOOTSTRAP_FACES} faces"}
    if small:
        return {"status": f"interval not estimable: fewer than {SMALL_CELL} faces lost or gained in a group"}
    return {"se": float(both.values[:, column].std(ddof=1))} | bounds(both.bca(column, settings.confidence))

"""What changed from one arm to another, face by face: in each group, and in each gap."""

import math
from collections.abc import Iterator
from typing import Any

from fergap.audit.bootstrap import Replicates
from fergap.audit.classification import accuracy
from fergap.audit.counts import PairedSplit
from fergap.audit.gaps import METHODS, bounds, pairs, resampled_bounds
from fergap.audit.paired import Difference, Pairs, mcnemar, mcnemar_exact, mcnemar_midp, mover_change, wald_p, welch
from fergap.audit.proportions import bonett_price, tango, wald_change
from fergap.audit.resampling import GAP_METRICS, gap_statistics
from fergap.audit.settings import BOOTSTRAP_FACES, Contrast, Settings, too_few

Row = dict[str, Any]
SMALL_CELL = 5  # a discordant cell below it makes the primary interval MOVER's
TESTS = (  # of no change in a group, each with the interval beside it
    ("mcnemar mid-p", lambda lost, gained, n: mcnemar_midp(lost, gained), "tango", tango),
    ("mcnemar exact", lambda lost, gained, n: mcnemar_exact(lost, gained), "bonett-price", bonett_price),
    ("mcnemar", lambda lost, gained, n: mcnemar(lost, gained)[1], "tango", tango),
    ("wald", wald_p, "wald", wald_change),
)


def heading(contrast: Contrast) -> Row:
    return {"contrast": contrast.name, "before": contrast.before, "after": contrast.after}


def changes(contrast: Contrast, split: PairedSplit, settings: Settings) -> Iterator[Row]:
    """Yield the rows of ``changes`` for one contrast and attribute.

    Each test of no change stands beside an interval: McNemar's mid-p (primary) and asymptotic p beside Tango's, which
    inverts the latter and covers better in small groups than Bonett and Price's (``benchmarks/calibration.csv``); the
    exact p beside Bonett and Price's, and Wald's p beside Wald's.
    """
    for g, group in enumerate(split.groups):
        counts = split.pairs_of(g)
        row = heading(contrast) | {"arm": contrast.after, "attribute": split.attribute, "group": group, "n": counts.n}
        row |= counts._asdict() | {"confidence": settings.confidence}
        row["status"] = too_few(counts.n, settings.minimum_faces, group)
        if row["status"] == "ok":
            row["estimate"] = counts.change
        for test, p_value, method, interval in TESTS:
            found = {"test": test, "method": method, "primary": int(test == "mcnemar mid-p")}
            if row["status"] == "ok":
                found["p_value"] = p_value(counts.n10, counts.n01, counts.n)
                found |= bounds(interval(counts.n10, counts.n01, counts.n, settings.confidence))
            yield row | found


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
        head |= {"n_group": int(split.before.n[g]), "n_reference": int(split.before.n[r])}
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
        row |= {"estimate": counts[0].change - counts[1].change}
        for method in METHODS:
            yield row | {"method": f"bootstrap {method}"} | resampled(both, method, 0, settings, small)
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
            yield row | resampled(both, "bca", m, settings, small)


def class_gap_changes(
    contrast: Contrast, split: PairedSplit, classes: tuple[str, ...], settings: Settings
) -> Iterator[Row]:
    """Yield the rows of ``gap_changes`` within each class for one contrast and attribute, not yet adjusted.

    The change of the gap in recall is that of :func:`gap_change` among the faces of one true class.
    """
    of = " of combinations" if "*" in split.attribute else ""
    for g, r, head in pairs(contrast.after, split.before, settings):
        head |= heading(contrast) | {"confidence": settings.confidence, "primary": 1, "metric": "recall"}
        for c, label in enumerate(classes):
            row = head | {"class": label, "family": f"change of the gap within classes{of}"}
            group, reference = (split.pairs_of_class(i, c) for i in (g, r))
            row |= {"n_group": group.n, "n_reference": reference.n}
            if row["status"] == "ok" and not (group.n and reference.n):
                row["status"] = f"not estimable: 0 faces of the class in {row['reference' if group.n else 'group']}"
            if row["status"] == "ok":
                method, found = gap_change(group, reference, settings.confidence)
                before, after = (
                    (group.n11 + one) / group.n - (reference.n11 + other) / reference.n
                    for one, other in ((group.n10, reference.n10), (group.n01, reference.n01))
                )
                row |= {"method": method, "gap_before": before, "gap_after": after} | found._asdict()
            yield row


def resampled(both: Replicates | None, method: str, column: int, settings: Settings, small: bool) -> Row:
    """Return a change's bootstrap standard error and interval by ``method``, or why there is none."""
    if both is None:
        return {"status": f"interval not estimable: fewer than {BOOTSTRAP_FACES} faces"}
    if small:
        return {"status": f"interval not estimable: fewer than {SMALL_CELL} faces lost or gained in a group"}
    return {"se": float(both.values[:, column].std(ddof=1))} | resampled_bounds(both, method, column, settings, 2.0)

"""What the reader should take away: one verdict per gap, and one per change of a gap."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from fergap.audit.adjustment import simpson, simpson_reading
from fergap.audit.changes import gap_change
from fergap.audit.counts import PairedSplit, Split
from fergap.audit.gaps import answers, bounds, pairs
from fergap.audit.paired import Pairs, mean_gap
from fergap.audit.power import minimum_detectable_change, minimum_detectable_gap
from fergap.audit.proportions import newcombe, tango
from fergap.audit.sentences import change_sentence, gap_sentence
from fergap.audit.settings import Contrast, Settings

Row = dict[str, Any]
CHANGED = ("narrowed", "widened", "reversed", "moved")  # how a verdict on a change begins where one is shown


def certified(interval: tuple[float, float], margin: float) -> bool:
    """Return whether the interval lies inside ±margin."""
    return -margin < interval[0] and interval[1] < margin


def sizes(split: Split, g: int, r: int) -> Row:
    x1, n1, x0, n0 = answers(split, g, r)
    return {
        "n_group": n1,
        "n_reference": n0,
        "accuracy_group": x1 / n1 if n1 else math.nan,
        "accuracy_reference": x0 / n0 if n0 else math.nan,
    }


def gap_verdicts(
    arm: str, split: Split, tested: Mapping[tuple[str, str, str, str], Row], settings: Settings
) -> Iterator[Row]:
    """Yield the verdict on each gap of one arm and attribute.

    *equivalent*: the interval at confidence 1 − 2α lies inside the margin (also when a small gap is significant);
    *gap*: it does not and the adjusted p of the primary test is below α; *undecided*: neither.

    Parameters
    ----------
    tested : mapping
        (arm, attribute, group, reference) → the adjusted row of the primary test.
    """
    for g, r, row in pairs(arm, split, settings):
        test = tested[arm, split.attribute, row["group"], row["reference"]]
        row |= {c: test.get(c) for c in ("p_value", "p_adjusted", "adjustment", "test", "status")}
        row |= sizes(split, g, r) | {"margin": settings.margin, "confidence": settings.confidence}
        row["verdict"] = "not estimable"
        if row["status"] == "ok":
            x1, n1, x0, n0 = answers(split, g, r)
            row |= judged(x1, n1, x0, n0, row["p_adjusted"], settings)
            strata = split.strata(g, r)
            row |= {"simpson": simpson(strata), "simpson_reading": simpson_reading(strata, settings.confidence)}
            row["minimum_detectable_gap"] = minimum_detectable_gap(n1, x0 / n0, n0, settings.confidence)
        yield row | {"sentence": gap_sentence(row)}


def judged(x1: int, n1: int, x0: int, n0: int, p_adjusted: float, settings: Settings) -> Row:
    """Return a gap's estimate, interval, smallest margin and verdict, by the rule of :func:`gap_verdicts`."""
    narrow = newcombe(x1, n1, x0, n0, settings.equivalence_confidence)
    row = {"estimate": x1 / n1 - x0 / n0, "smallest_margin": max(map(abs, narrow))}
    row |= bounds(newcombe(x1, n1, x0, n0, settings.confidence))
    if certified(narrow, settings.margin):
        return row | {"verdict": "equivalent"}
    return row | {"verdict": "gap" if p_adjusted < settings.alpha else "undecided"}


def change_verdicts(
    contrast: Contrast, split: PairedSplit, tested: Mapping[tuple[str, str, str, str], Row], settings: Settings
) -> Iterator[Row]:
    """Yield the verdict on each gap's change in one contrast and attribute.

    The gap changed if the interval of its change excludes 0 and the adjusted p is below α; :func:`judged_change` says
    which way. It is equivalent after if its interval at confidence 1 − 2α lies inside the margin.
    """
    for g, r, row in pairs(contrast.after, split.after, settings):
        row |= {"contrast": contrast.name, "before": contrast.before, "after": contrast.after}
        row |= sizes(split.after, g, r) | {"margin": settings.margin, "confidence": settings.confidence}
        change = tested[contrast.name, split.attribute, row["group"], row["reference"]]
        row |= {c: change.get(c) for c in ("p_value", "p_adjusted", "adjustment", "status")}
        row["verdict"] = "not estimable"
        if row["status"] == "ok":
            group, reference = split.pairs_of(g), split.pairs_of(r)
            method, found = gap_change(group, reference, settings.confidence)
            x1, n1, x0, n0 = answers(split.after, g, r)
            b1, _, b0, _ = answers(split.before, g, r)
            narrow = newcombe(x1, n1, x0, n0, settings.equivalence_confidence)
            row |= {"estimate": found.estimate, "test": {"welch": "Welch test"}.get(method, "MOVER interval")}
            row |= bounds((found.ci_low, found.ci_high))
            row |= {"gap_before": b1 / n1 - b0 / n0, "gap_after": x1 / n1 - x0 / n0}
            row |= {"change_group": group.change, "change_reference": reference.change}
            row |= {"smallest_margin": max(map(abs, narrow)), "equivalent_after": certified(narrow, settings.margin)}
            smallest = minimum_detectable_change(found.se, settings.confidence)
            row["minimum_detectable_gap"] = min(1.0, smallest) if found.se > 0 else math.nan
            row |= judged_change(row, group, reference, settings.confidence)
            row |= levelling(row, split, g, r, settings)
        yield row | {"sentence": change_sentence(row)}


def judged_change(row: Row, group: Pairs, reference: Pairs, confidence: float) -> Row:
    """Return the verdict on a gap's change, and the mean of the gaps before and after that it rests on.

    That a gap moved does not say that it is smaller: it may have crossed 0 and be as large on the other side. Since
    before² − after² is −2 × change × mean of both, a gap *narrowed* where change and mean are shown to have different
    signs and *widened* where the same one (an intersection–union test, Berger 1982: each at its own level). It is
    *reversed* where both gaps are shown and differ in sign, unless it narrowed; where it changed and none of these is
    shown, it *moved*.

    Parameters
    ----------
    row : dict
        ``estimate``, ``ci_low``, ``ci_high`` and ``p_adjusted`` of the change, and ``equivalent_after``.
    """
    mean, low, high = mean_gap(group, reference, confidence)
    found = {"gap_mean": mean, "gap_mean_low": low, "gap_mean_high": high}
    within = row["equivalent_after"]
    if not ((row["ci_low"] > 0 or row["ci_high"] < 0) and row["p_adjusted"] < 1 - confidence):
        return found | {"verdict": "equivalent, change not shown" if within else "no change shown"}
    shown = low > 0 or high < 0
    if shown and row["estimate"] * mean < 0:
        return found | {"verdict": "narrowed and equivalent" if within else "narrowed, not shown equivalent"}
    if turned(group, reference, confidence):
        return found | {"verdict": "reversed"}
    if shown:
        return found | {"verdict": "widened"}
    return found | {"verdict": "moved and equivalent" if within else "moved, not shown equivalent"}


def turned(group: Pairs, reference: Pairs, confidence: float) -> bool:
    """Return whether the intervals of a gap before and after lie on different sides of 0."""
    n1, n0 = group.n, reference.n
    before = newcombe(group.n11 + group.n10, n1, reference.n11 + reference.n10, n0, confidence)
    after = newcombe(group.n11 + group.n01, n1, reference.n11 + reference.n01, n0, confidence)
    return (before[0] > 0 and after[1] < 0) or (before[1] < 0 and after[0] > 0)


def levelling(row: Row, split: PairedSplit, g: int, r: int, settings: Settings) -> Row:
    """Return whether a gap got smaller because the better group lost, and the groups that lost.

    A group lost if the interval of its change lies below 0. It is levelling down if the gap is shown to have changed,
    got smaller, and the group that was better before lost, or its fall is at least half of what the gap shrank by. Of a
    gap whose change is not shown it is not known that it got smaller.
    """
    lost = []
    for i in (g, r):
        counts = split.pairs_of(i)
        if tango(counts.n10, counts.n01, counts.n, settings.confidence)[1] < 0:
            lost.append(split.groups[i])
    better = g if row["gap_before"] > 0 else r
    fall = -split.pairs_of(better).change
    shrinkage = abs(row["gap_before"]) - abs(row["gap_after"])
    shrank = row["verdict"].startswith(("narrowed", "moved")) and shrinkage > 0
    down = shrank and (split.groups[better] in lost or fall >= shrinkage / 2)
    if down and split.groups[better] not in lost:
        lost.append(split.groups[better])
    return {"levelling_down": int(down), "lost": "; ".join(lost) or None}

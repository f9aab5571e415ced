"""Arms by accuracy and gap together: joint confidence regions, the Pareto front, and each arm against its baseline."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from fergap.audit.changes import gap_change
from fergap.audit.counts import PairedSplit, paired_split, split
from fergap.audit.gaps import answers, pairs
from fergap.audit.inputs import Arm, Attribute, Sample
from fergap.audit.joint import Patterns, cluster_patterns
from fergap.audit.multiplicity import holm
from fergap.audit.paired import mcnemar_midp
from fergap.audit.proportions import newcombe, tango
from fergap.audit.sentences import tradeoff_sentence
from fergap.audit.settings import Contrast, Settings, few_answers
from fergap.audit.verdicts import CHANGED, certified, judged_change, levelling
from fergap.seeds import generator

Row = dict[str, Any]
DRAWS = 2_000  # at most; a share of them is known to 1.1 points, a standard error to 2 %
CHUNK = 1_000  # draws at a time, which bounds the memory
OTHER_FACES = "not estimable: other faces or other true classes than the baseline's"


class Draws(NamedTuple):
    """Resampled accuracies of all arms on the same draws: (B, arms) of all faces, (B, groups, arms) of each group."""

    accuracy: np.ndarray
    groups: np.ndarray


def first_baseline(contrasts: Sequence[Contrast], arms: Sequence[str]) -> str:
    """Return the arm from which most contrasts start, or the first arm."""
    starts = Counter(contrast.before for contrast in contrasts)
    return starts.most_common(1)[0][0] if starts else arms[0]


def baselines(contrasts: Sequence[Contrast], arms: Sequence[str], first: str) -> dict[str, str]:
    """Return the arm that each of ``arms`` is held against: itself, if it is a baseline.

    An arm is held against the ``before`` of its contrast, of several against the one from which most start. It is a
    baseline where contrasts only start from it. It is held against ``first`` where none names it.
    """
    starts = Counter(contrast.before for contrast in contrasts)
    found = {}
    for arm in arms:
        own = [contrast.before for contrast in contrasts if contrast.after == arm]
        found[arm] = max(own, key=starts.__getitem__) if own else arm if arm in starts else first
    return found | {first: first}


def strata(
    correct: np.ndarray, codes: np.ndarray, groups: int, settings: Settings, clusters: np.ndarray | None
) -> list[Patterns]:
    """Return what is drawn, in parts that are drawn separately.

    Parameters
    ----------
    correct : numpy.ndarray of int
        (faces, arms) 1 where an arm is right.
    codes : numpy.ndarray of int
        (faces,) group, −1 where unknown.
    groups : int
        Number of groups.
    clusters : numpy.ndarray of int or None
        (faces,) cluster of each face.

    Returns
    -------
    list of Patterns
        Each matrix has (groups + 1) · (arms + 1) columns: in each group, and last in the faces of unknown group, the
        right answers of every arm and the faces. Parts are groups, or with ``plain`` and ``clustered`` all faces.
    """
    arms = correct.shape[1]
    group = np.where(codes < 0, groups, codes)
    cell = group
    for right in correct.T:
        cell = pd.factorize(2 * cell + right)[0]
    _, face, counts = np.unique(cell, return_index=True, return_counts=True)  # a face of each cell, and its faces
    matrix = np.zeros((len(face), groups + 1, arms + 1))
    matrix[np.arange(len(face)), group[face]] = np.column_stack([correct[face], np.ones(len(face))])
    matrix = matrix.reshape(len(face), -1)
    if settings.bootstrap == "clustered" and clusters is not None:
        found = cluster_patterns(cell, clusters, len(face))
        return [Patterns(found.matrix @ matrix, found.counts)]
    if settings.bootstrap == "plain":
        return [Patterns(matrix, counts)]
    return [Patterns(matrix[own], counts[own]) for g in range(groups + 1) if (own := group[face] == g).any()]


def resample(parts: Sequence[Patterns], groups: int, resamples: int, stream: np.random.Generator) -> Draws:
    """Draw faces (or clusters) with replacement and return every arm's accuracy on the same draws.

    Draws in which a group has no face give NaN for that group.
    """
    accuracy, by_group = [], []
    for done in range(0, resamples, CHUNK):
        size = min(CHUNK, resamples - done)
        total = 0.0
        for part in parts:
            n = int(part.counts.sum())
            total = total + stream.multinomial(n, part.counts / n, size=size) @ part.matrix
        cells = total.reshape(size, groups + 1, -1)
        right, faces = cells[..., :-1], cells[..., -1:]
        accuracy.append(right.sum(1) / faces.sum(1))
        by_group.append(np.divide(right, faces, out=np.full(right.shape, np.nan), where=faces > 0)[:, :-1])
    return Draws(np.concatenate(accuracy), np.concatenate(by_group))


def pareto_front(accuracy: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return which arms no other arm dominates: at least as accurate with a gap at most as large, and one of them more.

    Parameters
    ----------
    accuracy, size : numpy.ndarray
        (…, arms) accuracy, and size of the gap, ≥ 0. Equal arms do not dominate each other.
    """
    accuracy, size = np.round(accuracy, 12), np.round(size, 12)
    higher = accuracy[..., None, :] - accuracy[..., :, None]
    smaller = size[..., :, None] - size[..., None, :]
    return ~((higher >= 0) & (smaller >= 0) & ((higher > 0) | (smaller > 0))).any(-1)


def region(accuracy: np.ndarray, gap: np.ndarray) -> Row:
    """Return the standard errors and the correlation that make an arm's joint confidence ellipse.

    Their confidence region is (x − x̂)ᵀ Σ⁻¹ (x − x̂) ≤ χ²₂(1 − α), with the covariance Σ of accuracy and gap over the
    resamples; it holds for both at once, each arm for itself.
    """
    covariance = np.cov(accuracy, gap)
    se = np.sqrt(np.diag(covariance))
    flat = bool((se < 1e-12).any())
    correlation = None if flat else float(np.clip(covariance[0, 1] / se.prod(), -1, 1))
    return {"se_accuracy": float(se[0]), "se_gap": float(se[1]), "correlation": correlation}


def tradeoff(sample: Sample, settings: Settings, verdicts: Sequence[Row]) -> Iterator[Row]:
    """Yield the rows of ``tradeoff``: every arm's accuracy over all faces and each gap, on the same faces.

    Of the arms on the same faces as the first baseline, each is held against its own one (:func:`baselines`). The gap's
    change from the baseline and its test are those of :func:`fergap.audit.changes.gap_change`, the
    accuracy's McNemar's mid-p and Tango's interval, as in ``changes``. P values are adjusted by Holm's method over the
    arms, for accuracy and for each gap. An arm is *indistinguishable* from the baseline if neither is below α, which
    does not say that they are equal. ``front_share`` is the share of resamples, in which all arms meet the same faces,
    in which an arm is on the Pareto front; the size of a gap near 0 is larger in resamples than in truth, so it
    describes and tests nothing.

    Parameters
    ----------
    verdicts : sequence of mappings
        The rows of ``verdicts``; a declared contrast with the baseline is told to level down as it is there.
    """
    arms = list(sample.arms.values())
    if len(arms) < 2:
        return
    first = sample.arms[first_baseline(settings.contrasts, list(sample.arms))]
    same = [a for a in arms if np.array_equal(a.covered, first.covered) and np.array_equal(a.true, first.true)]
    told = {
        (row["before"], row["after"], row["attribute"], row["group"], row["reference"]): row
        for row in verdicts
        if row.get("contrast") is not None
    }
    names = [arm.name for arm in same]
    among = [c for c in settings.contrasts if c.before in names and c.after in names]
    held = {arm: sample.arms[of] for arm, of in baselines(among, names, first.name).items()}
    whole = whole_changes(same, held, sample, settings)
    for attribute in sample.attributes:
        yield from of_attribute(same, held, attribute, sample, settings, whole, told)
        for arm in arms:
            if arm not in same:
                for _, _, row in pairs(arm.name, split(arm, attribute, len(sample.classes)), settings):
                    row |= {"baseline": first.name, "arms": len(same), "status": OTHER_FACES}
                    row["verdict"] = "not estimable"
                    yield row | {"sentence": tradeoff_sentence(row)}


def whole_changes(arms: Sequence[Arm], held: dict[str, Arm], sample: Sample, settings: Settings) -> dict[str, Row]:
    """Return each arm's accuracy over all faces and its change from its baseline's, adjusted over the arms."""
    found: dict[str, Row] = {}
    for arm in arms:
        first = held[arm.name]
        counts = paired_split(first, arm, None, len(sample.classes)).pairs_of(0)
        row: Row = {"n": counts.n, "accuracy": (counts.n11 + counts.n01) / counts.n}
        if arm is not first:
            low, high = tango(counts.n10, counts.n01, counts.n, settings.confidence)
            row |= {"accuracy_change": counts.change, "accuracy_change_low": low, "accuracy_change_high": high}
            row |= {"accuracy_p_value": mcnemar_midp(counts.n10, counts.n01)}
        found[arm.name] = row
    adjust(list(found.values()), "accuracy_p_value", "accuracy_p_adjusted")
    return found


def adjust(rows: Sequence[Row], key: str, adjusted: str) -> None:
    """Set ``adjusted`` of the rows that have a p value under ``key``, by Holm's method."""
    own = [row for row in rows if row.get(key) is not None]
    if own:
        for row, p in zip(own, holm([r[key] for r in own]), strict=True):
            row[adjusted] = float(p)


def of_attribute(
    arms: Sequence[Arm],
    held: dict[str, Arm],
    attribute: Attribute,
    sample: Sample,
    settings: Settings,
    whole: dict[str, Row],
    told: dict[tuple, Row],
) -> Iterator[Row]:
    """Yield the rows of one attribute for arms on the same faces."""
    kept, groups = arms[0].covered, len(attribute.groups)
    correct = np.column_stack([(arm.true == arm.predicted)[kept] for arm in arms]).astype(np.int64)
    clusters = None if sample.clusters is None else sample.clusters[kept]
    stream = generator(settings.seed, "audit", "tradeoff", attribute.name, settings.bootstrap)
    parts = strata(correct, attribute.codes[kept], groups, settings, clusters)
    draws = resample(parts, groups, min(settings.resamples, DRAWS), stream)
    splits = [paired_split(held[arm.name], arm, attribute, len(sample.classes)) for arm in arms]
    found: dict[tuple[int, int], list[Row]] = {}
    for i, (arm, counts) in enumerate(zip(arms, splits, strict=True)):
        for g, r, row in pairs(arm.name, counts.after, settings):
            x1, n1, x0, n0 = answers(counts.after, g, r)
            row |= {"baseline": held[arm.name].name, "arms": len(arms), "n_group": n1, "n_reference": n0}
            row |= whole[arm.name] | {"confidence": settings.confidence, "verdict": "not estimable"}
            if row["status"] == "ok":
                row |= {"gap": x1 / n1 - x0 / n0, "status": few_answers(x1, n1, x0, n0)}
                if row["status"] == "ok":
                    resampled = draws.groups[:, g, i] - draws.groups[:, r, i]
                    there = ~np.isnan(resampled)
                    row |= region(draws.accuracy[there, i], resampled[there])
                if arm is not held[arm.name]:
                    row |= against(counts, g, r, settings)
            found.setdefault((g, r), []).append(row)
    for (g, r), rows in found.items():
        if all("gap" in row for row in rows):
            adjust(rows, "gap_p_value", "gap_p_adjusted")
            front(rows, draws, g, r)
            for row, counts in zip(rows, splits, strict=True):
                judge(row, counts, g, r, settings, told)
        for row in rows:
            yield row | {"sentence": tradeoff_sentence(row)}


def against(counts: PairedSplit, g: int, r: int, settings: Settings) -> Row:
    """Return the change of a gap from the baseline with its interval and p value."""
    method, change = gap_change(counts.pairs_of(g), counts.pairs_of(r), settings.confidence)
    row: Row = {"gap_change": change.estimate, "gap_change_low": change.ci_low, "gap_change_high": change.ci_high}
    return row | {"gap_p_value": change.p_value, "method": method}


def front(rows: Sequence[Row], draws: Draws, g: int, r: int) -> None:
    """Set whether each arm is on the Pareto front, and in what share of the resamples."""
    on = pareto_front(np.array([row["accuracy"] for row in rows]), np.abs([row["gap"] for row in rows]))
    sizes = np.abs(draws.groups[:, g] - draws.groups[:, r])
    there = ~np.isnan(sizes).any(1)
    share = pareto_front(draws.accuracy[there], sizes[there]).mean(0)
    known = all(row["status"] == "ok" for row in rows)
    for row, now, often in zip(rows, on, share, strict=True):
        row |= {"front": int(now), "front_share": float(often) if known else None}


def judge(row: Row, counts: PairedSplit, g: int, r: int, settings: Settings, told: dict[tuple, Row]) -> None:
    """Set what is shown of an arm against the baseline, and whether its gap is smaller by levelling down."""
    if row["arm"] == row["baseline"]:
        row["verdict"] = "baseline"
        return
    x1, n1, x0, n0 = answers(counts.before, g, r)
    narrow = newcombe(*answers(counts.after, g, r), settings.equivalence_confidence)
    change = {"gap_before": x1 / n1 - x0 / n0, "gap_after": row["gap"], "p_adjusted": row["gap_p_adjusted"]}
    change |= {"estimate": row["gap_change"], "ci_low": row["gap_change_low"], "ci_high": row["gap_change_high"]}
    change |= {"equivalent_after": certified(narrow, settings.margin)}
    change |= judged_change(change, counts.pairs_of(g), counts.pairs_of(r), settings.confidence)
    gap = change["verdict"].split()[0].rstrip(",")
    gap = gap if gap in CHANGED else "no change shown"
    accuracy = "no change shown"
    if row["accuracy_p_adjusted"] < settings.alpha:
        accuracy = "higher" if row["accuracy_change"] > 0 else "lower"
    none = gap == accuracy == "no change shown"
    row["indistinguishable"] = int(none)
    row["verdict"] = "indistinguishable from the baseline" if none else f"gap: {gap}; accuracy: {accuracy}"
    declared = told.get((row["baseline"], row["arm"], row["attribute"], row["group"], row["reference"]))
    row |= {key: (declared or levelling(change, counts, g, r, settings)).get(key) for key in ("levelling_down", "lost")}

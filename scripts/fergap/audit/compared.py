"""Arms compared with each other: on the same faces, and fold by fold."""

import math
from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import chi2, friedmanchisquare, rankdata, studentized_range, t
from scipy.stats import f as f_distribution

from fergap.audit.inputs import Arm, Sample
from fergap.audit.multiplicity import holm
from fergap.audit.paired import mcnemar_midp
from fergap.audit.ranking import families
from fergap.audit.stratified import Test

Row = dict[str, Any]
DESCRIPTIVE = "descriptive: folds share training faces"


class CorrectedT(NamedTuple):
    """Nadeau and Bengio's corrected resampled t test of a mean difference."""

    estimate: float
    statistic: float
    df: float
    p_value: float
    ci_low: float
    ci_high: float


def cochran(patterns: np.ndarray, counts: np.ndarray) -> Test:
    """Return Cochran's (1950) Q of m arms over faces given as patterns.

    Parameters
    ----------
    patterns : numpy.ndarray of int
        (patterns, arms) 1 where the arm is right.
    counts : numpy.ndarray of int
        (patterns,) faces of each pattern.

    Returns
    -------
    Test
        p = 1 where every arm is right on the same faces.
    """
    m = patterns.shape[1]
    per_face = patterns.sum(1)
    mixed = (per_face > 0) & (per_face < m)
    if not counts[mixed].any():
        return Test(0.0, float(m - 1), 1.0)
    counts, patterns, per_face = counts[mixed], patterns[mixed], per_face[mixed]
    totals = counts @ patterns
    q = (m - 1) * (m * (totals**2).sum() - totals.sum() ** 2) / (m * counts @ per_face - counts @ per_face**2)
    return Test(float(q), float(m - 1), float(chi2.sf(q, m - 1)))


def corrected_t(differences: np.ndarray, test_to_train: float, confidence: float = 0.95) -> CorrectedT:
    """Return the corrected resampled t test (Nadeau & Bengio 2003) of differences over folds.

    t = d̄/√(s² (1/J + n_test/n_train)) with J − 1 degrees of freedom. The ratio is a heuristic for k-fold
    cross-validation, because the correction was derived for random splits (Bouckaert & Frank 2004 for repeats). Where
    all differences are the same and not 0 there is no spread to test against: p is NaN.
    """
    count = len(differences)
    mean, variance = float(np.mean(differences)), float(np.var(differences, ddof=1))
    se = math.sqrt(variance * (1 / count + test_to_train))
    half = float(t.isf((1 - confidence) / 2, count - 1)) * se
    if se < 1e-15:
        statistic, p = (0.0, 1.0) if abs(mean) < 1e-15 else (math.nan, math.nan)
    else:
        statistic = mean / se
        p = float(2 * t.sf(abs(statistic), count - 1))
    return CorrectedT(mean, statistic, count - 1.0, p, mean - half, mean + half)


def iman_davenport(scores: np.ndarray) -> tuple[Test, Test]:
    """Return Friedman's test and Iman and Davenport's F for (blocks, arms) scores.

    F is infinite where every block ranks the arms alike, whatever their number: F and p are NaN then.
    """
    blocks, m = scores.shape
    result = friedmanchisquare(*scores.T)
    chi = float(result.statistic)
    df = (m - 1.0) * (blocks - 1.0)
    rest = blocks * (m - 1) - chi
    f = (blocks - 1) * chi / rest if rest > 1e-12 else math.nan
    p = float(f_distribution.sf(f, m - 1, df)) if rest > 1e-12 else math.nan
    return Test(chi, m - 1.0, float(result.pvalue)), Test(f, df, p)


def mean_ranks(scores: np.ndarray) -> np.ndarray:
    """Return each arm's mean rank over (blocks, arms) scores; the best has rank 1."""
    return rankdata(-scores, axis=1).mean(0)


def nemenyi(ranks: np.ndarray, blocks: int, alpha: float = 0.05) -> tuple[float, np.ndarray]:
    """Return Nemenyi's critical difference of mean ranks and the (arms, arms) p values.

    CD = q(α, m, ∞)/√2 · √(m (m + 1)/(6 N)) (Demšar 2006).
    """
    m = len(ranks)
    unit = math.sqrt(m * (m + 1) / (6 * blocks))
    distance = np.abs(ranks[:, None] - ranks[None]) / unit * math.sqrt(2)
    # the studentized range has no closed form at infinite degrees of freedom in SciPy; R integrates the same law
    p = studentized_range.sf(distance, m, np.inf)
    np.fill_diagonal(p, 1.0)
    return float(studentized_range.isf(alpha, m, np.inf) / math.sqrt(2) * unit), p


def patterns_of(correct: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct rows of a (faces, arms) 0/1 array and how often each occurs."""
    m = correct.shape[1]
    if m > 20:
        return np.unique(correct, axis=0, return_counts=True)
    counts = np.bincount(correct @ (1 << np.arange(m)), minlength=1 << m)
    seen = np.flatnonzero(counts)
    return (seen[:, None] >> np.arange(m)) & 1, counts[seen]


def fold_scores(sample: Sample, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return (folds, arms) accuracy of every fold that all named arms have in their first seed, and its repeat."""
    test = sample.rows[sample.rows["role"] == "test"]
    first = {arm.name: arm.seed for arm in sample.arms.values()}
    own = test[test["seed"].to_numpy() == test["arm"].astype(str).map(first).to_numpy()]
    scores = own.pivot_table("correct", ["repeat", "fold"], "arm", aggfunc="mean", observed=True)
    scores = scores.reindex(columns=names).dropna()
    return scores.to_numpy(float), scores.index.get_level_values("repeat").to_numpy()


def models_compared(sample: Sample, confidence: float) -> Iterator[Row]:
    """Yield the rows of ``models_compared`` for each family of arms (see :func:`fergap.audit.ranking.families`)."""
    found = [family for family in families(list(sample.arms.values())) if len(family) > 1]
    for arms in found:
        for row in compared(sample, arms, confidence):
            yield row | ({"family": f"pairs of {row['arms']}"} if len(found) > 1 else {})


def compared(sample: Sample, arms: list[Arm], confidence: float) -> Iterator[Row]:
    """Yield the rows of ``models_compared`` for one family."""
    names = [arm.name for arm in arms]
    common = np.logical_and.reduce([arm.covered for arm in arms])
    correct = np.column_stack([(arm.true == arm.predicted)[common] for arm in arms]).astype(np.int64)
    head = {"arms": ", ".join(names), "n": int(common.sum()), "unit": "face", "status": "ok", "primary": 0}
    patterns, counts = patterns_of(correct)
    if not common.any():
        yield head | {"test": "cochran q", "status": "not estimable: no face that every arm predicts"}
        return
    yield head | {"test": "cochran q", "primary": int(len(arms) > 2)} | cochran(patterns, counts)._asdict()
    yield from pairwise(arms, patterns, counts, head)
    dealt: dict[bytes, list[str]] = {}
    for arm in arms:
        dealt.setdefault(arm.fold[common].tobytes(), []).append(arm.name)
    # fold by fold only where a fold has the same faces in all arms
    for alike in [part for part in dealt.values() if len(part) > 1]:
        yield from over_folds(sample, alike, confidence)


def pairwise(arms: list[Arm], patterns: np.ndarray, counts: np.ndarray, head: Row) -> Iterator[Row]:
    """Yield McNemar's mid-p for every pair of arms, adjusted by Holm's method."""
    made = []
    for i, j in combinations(range(len(arms)), 2):
        lost = int(counts[(patterns[:, i] == 1) & (patterns[:, j] == 0)].sum())
        gained = int(counts[(patterns[:, i] == 0) & (patterns[:, j] == 1)].sum())
        row = head | {"test": "mcnemar mid-p", "first": arms[i].name, "second": arms[j].name, "primary": 1}
        row |= {"estimate": (gained - lost) / int(counts.sum()), "lost": lost, "gained": gained}
        made.append(row | {"p_value": mcnemar_midp(lost, gained)})
    for row, p in zip(made, holm([row["p_value"] for row in made]), strict=True):
        yield row | {"p_adjusted": float(p), "adjustment": "holm"}


def over_folds(sample: Sample, names: list[str], confidence: float) -> Iterator[Row]:
    """Yield what the folds say: the corrected resampled t of every pair, and ranks, which are descriptive."""
    scores, repeats = fold_scores(sample, names)
    blocks = len(scores)
    head = {"arms": ", ".join(names), "n": blocks, "unit": "fold", "status": "ok", "primary": 0}
    folds = int(np.unique(repeats, return_counts=True)[1].max()) if blocks else 0
    if folds < 2:
        yield head | {"test": "nadeau-bengio t", "status": "not estimable: fewer than 2 folds that every arm has"}
        return
    for i, j in combinations(range(len(names)), 2):
        result = corrected_t(scores[:, j] - scores[:, i], 1 / (folds - 1), confidence)
        row = head | {"test": "nadeau-bengio t", "first": names[i], "second": names[j], "confidence": confidence}
        row |= result._asdict()
        if math.isnan(result.p_value):
            row |= {"ci_low": math.nan, "ci_high": math.nan}
            row["status"] = "not estimable: the same difference in every fold"
        yield row | {"note": "n_test/n_train = 1/(k − 1) is a heuristic for cross-validation"}
    if len(names) < 3:
        return
    ranks = mean_ranks(scores)
    for name, rank in zip(names, ranks, strict=True):
        yield head | {"test": "mean rank", "first": name, "estimate": float(rank), "note": DESCRIPTIVE}
    if (scores == scores[:, :1]).all():
        yield head | {"test": "friedman", "status": "not estimable: every arm alike in every fold", "note": DESCRIPTIVE}
        return
    friedman, f = iman_davenport(scores)
    yield head | {"test": "friedman", "note": DESCRIPTIVE} | friedman._asdict()
    infinite = {"status": "not estimable: every fold ranks the arms alike"} if math.isnan(f.p_value) else {}
    yield head | {"test": "iman-davenport F", "note": DESCRIPTIVE} | f._asdict() | infinite
    critical, p = nemenyi(ranks, blocks, 1 - confidence)
    for i, j in combinations(range(len(names)), 2):
        row = head | {"test": "nemenyi", "first": names[i], "second": names[j], "note": DESCRIPTIVE}
        yield row | {"estimate": float(ranks[j] - ranks[i]), "statistic": critical, "p_value": float(p[i, j])}

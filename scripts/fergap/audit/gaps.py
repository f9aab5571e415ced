"""The gap between each group and the reference: estimates, tests, effect sizes and equivalence."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from scipy.stats import norm
from statsmodels.stats.proportion import proportion_effectsize

from fergap.audit.bootstrap import Replicates
from fergap.audit.boschloo import small_sample
from fergap.audit.counts import Split
from fergap.audit.proportions import equivalence_p, miettinen_nurminen, newcombe
from fergap.audit.ratios import katz, log_interval
from fergap.audit.resampling import AVERAGED, GAP_METRICS, group_statistics
from fergap.audit.settings import Settings, few_answers, pair_status
from fergap.audit.stratified import (
    Test,
    chi_square,
    cochran_mantel_haenszel,
    exact_conditional,
    fisher,
    least_expected,
    risk_difference,
    two_by_two,
)

Row = dict[str, Any]
PRIMARY_TEST = "class-stratified exact"
NO_CLASS = "not estimable: no class that both groups have"
METHODS = ("bca", "percentile", "basic", "studentized")  # the last of an accuracy gap alone


def pairs(arm: str, split: Split, settings: Settings) -> Iterator[tuple[int, int, Row]]:
    """Yield each group with the reference and the columns that head its rows, status included."""
    for g, r in split.pairs:
        names = split.groups[g], split.groups[r]
        status = pair_status((int(split.n[g]), int(split.n[r])), names, settings.minimum_faces)
        yield (
            g,
            r,
            {"arm": arm, "attribute": split.attribute, "group": names[0], "reference": names[1], "status": status},
        )


def bounds(interval: Sequence[float]) -> Row:
    return {"ci_low": float(interval[0]), "ci_high": float(interval[1])}


def estimated(found: Sequence[float], otherwise: str) -> Row:
    """Return the columns of an estimate and its interval's ends, or where it is NaN the status ``otherwise``."""
    estimate, *interval = found
    return {"status": otherwise} if math.isnan(estimate) else {"estimate": estimate} | bounds(interval)


def resampled_bounds(
    replicates: Replicates, method: str, column: int, settings: Settings, farthest: float = 1.0
) -> Row:
    """Return the columns of a bootstrap interval, or of one that there is not because its ends are NaN.

    How faces were drawn, each endpoint's Monte-Carlo error, and the resamples left out: those without a face of a
    group, and of the studentized interval those without a standard error. Ends stay within ±``farthest``.
    """
    row = {"resampling": settings.bootstrap, "resamples_left_out": replicates.left_out}
    if method == "studentized":
        row["resamples_left_out"] += replicates.flat()
    ends = getattr(replicates, method)(column, settings.confidence)
    if math.isnan(ends[0]):
        return row | {"status": "interval not estimable: resamples without a standard error"}
    low, high = replicates.monte_carlo_error(method, column, settings.confidence)
    ends = max(ends[0], -farthest), min(ends[1], farthest)
    return row | bounds(ends) | {"error_low": low, "error_high": high}


def answers(split: Split, g: int, r: int) -> tuple[int, int, int, int]:
    """Return correct answers and faces of the group and of the reference."""
    return int(split.right[g]), int(split.n[g]), int(split.right[r]), int(split.n[r])


def small_cells(x1: int, n1: int, x0: int, n0: int) -> bool:
    """Return whether the chi-square test is not to be relied on alone, so that Boschloo's is given too.

    A group with fewer than 30 faces or with fewer than 5 correct or 5 wrong answers, or a count below 5 expected under
    independence.
    """
    return few_answers(x1, n1, x0, n0) != "ok" or least_expected(two_by_two(x1, n1, x0, n0)) < 5


def gaps(
    arm: str, split: Split, classes: tuple[str, ...], replicates: list[Replicates | None], settings: Settings
) -> Iterator[Row]:
    """Yield the rows of ``gaps`` for one arm and attribute."""
    for g, r, head in pairs(arm, split, settings):
        x1, n1, x0, n0 = answers(split, g, r)
        head |= {"n_group": n1, "n_reference": n0, "confidence": settings.confidence, "primary": 0}
        estimable = head["status"] == "ok"
        both = replicates[g] - replicates[r] if estimable and replicates[g] and replicates[r] else None

        accuracy = head | {"metric": "accuracy"}
        named = {"newcombe": newcombe, "miettinen-nurminen": miettinen_nurminen}
        for method, interval in named.items():
            row = accuracy | {"method": method, "primary": int(method == "newcombe")}
            if estimable:
                row |= {"estimate": x1 / n1 - x0 / n0} | bounds(interval(x1, n1, x0, n0, settings.confidence))
            yield row
        for method in METHODS:
            row = accuracy | {"method": f"bootstrap {method}"}
            if estimable:
                row |= {"estimate": x1 / n1 - x0 / n0, "status": few_answers(x1, n1, x0, n0)}
                if row["status"] == "ok":
                    row |= resampled_bounds(both, method, 0, settings)
            yield row

        row = accuracy | {"adjusted_for": "class", "method": "mantel-haenszel"}
        if estimable:
            row |= estimated(risk_difference(split.strata(g, r), settings.confidence), NO_CLASS)
        yield row

        yield from macro_gaps(split, g, r, both, head, settings)
        yield from recall_gaps(split, g, r, classes, head, settings)


def macro_gaps(split: Split, g: int, r: int, both: Replicates | None, head: Row, settings: Settings) -> Iterator[Row]:
    """Yield a pair's gaps of macro precision, recall and F1 over the classes that every group has."""
    common = split.common(settings.minimum_faces)
    estimates = np.full(1 + len(AVERAGED), np.nan)
    if head["status"] == "ok" and common.any():
        first, second = (group_statistics(split.table[i].astype(float)[None], common, common)[0] for i in (g, r))
        estimates = (first - second)[: len(estimates)]
    for metric, average in GAP_METRICS[1:]:
        column = 1 + AVERAGED.index((metric, average))
        for method in METHODS[:-1]:
            row = head | {"metric": metric, "average": average, "method": f"bootstrap {method}"}
            row["primary"] = int(method == "bca")
            if row["status"] == "ok":
                if not common.any():
                    row["status"] = "not estimable: no class with 5 faces in every group"
                else:
                    row["estimate"] = estimates[column]
                    row["status"] = few_answers(*answers(split, g, r))
                    if row["status"] == "ok":
                        row |= resampled_bounds(both, method, column, settings)
            yield row


def recall_gaps(split: Split, g: int, r: int, classes: tuple[str, ...], head: Row, settings: Settings) -> Iterator[Row]:
    """Yield a pair's gap of recall in each class."""
    strata = split.strata(g, r)
    for c, label in enumerate(classes):
        x1, n1, x0, n0 = (int(a[c]) for a in strata)
        row = head | {"metric": "recall", "class": label, "n_group": n1, "n_reference": n0, "method": "newcombe"}
        row["primary"] = 1
        if row["status"] == "ok":
            if n1 and n0:
                row |= {"estimate": x1 / n1 - x0 / n0} | bounds(newcombe(x1, n1, x0, n0, settings.confidence))
            else:
                row["status"] = f"not estimable: 0 faces of the class in {head['reference'] if n1 else head['group']}"
        yield row


def tests(arm: str, split: Split, classes: tuple[str, ...], settings: Settings) -> Iterator[Row]:
    """Yield the rows of ``tests`` for one arm and attribute, with families but not yet adjusted."""
    for g, r, head in pairs(arm, split, settings):
        yield primary_test(split, g, r, head)
        if head["status"] != "ok":
            continue
        table = two_by_two(*answers(split, g, r))
        yield head | {"test": "chi-square", "primary": 0} | chi_square(table)._asdict()
        if small_cells(*answers(split, g, r)):
            name, result = small_sample(table)
            yield head | {"test": name, "primary": 0} | result._asdict()
        cmh = cochran_mantel_haenszel(split.strata(g, r))
        undecided = {} if not math.isnan(cmh.p_value) else {"status": "not estimable: no class with both answers"}
        yield head | {"test": "cmh", "primary": 0} | cmh._asdict() | undecided
        for c, label in enumerate(classes):
            x1, n1, x0, n0 = (int(a[c]) for a in split.strata(g, r))
            row = head | {"class": label, "family": "per class", "primary": 0}
            if not n1 or not n0:
                row["status"] = f"not estimable: 0 faces of the class in {head['reference'] if n1 else head['group']}"
                yield row | {"test": "fisher"}
                continue
            table = two_by_two(x1, n1, x0, n0)
            name, test = ("chi-square", chi_square) if least_expected(table) >= 5 else ("fisher", fisher)
            result: Test = test(table)
            yield row | {"test": name} | result._asdict()


def primary_test(split: Split, g: int, r: int, head: Row) -> Row:
    """Return the row of ``tests`` that a pair's verdict rests on, with its family but not yet adjusted."""
    row = head | {"test": PRIMARY_TEST, "family": "intersection" if "*" in split.attribute else "gap", "primary": 1}
    if row["status"] == "ok":
        exact = exact_conditional(split.strata(g, r))
        row |= exact._asdict()
        if math.isnan(exact.p_value):
            row["status"] = NO_CLASS
    return row


def effects(arm: str, split: Split, settings: Settings) -> Iterator[Row]:
    """Yield the rows of ``effects`` for one arm and attribute: Cohen's h and the ratios of right, wrong and odds."""
    z = float(norm.isf((1 - settings.confidence) / 2))
    for g, r, head in pairs(arm, split, settings):
        x1, n1, x0, n0 = answers(split, g, r)
        head["confidence"] = settings.confidence
        estimable = head["status"] == "ok"
        row = head | {"effect": "cohen_h", "method": "arcsine"}
        if estimable:
            h, se = float(proportion_effectsize(x1 / n1, x0 / n0)), math.sqrt(1 / n1 + 1 / n0)
            row |= {"estimate": h} | bounds((h - z * se, h + z * se))
        yield row
        for effect, a, b in (("risk_ratio", x1, x0), ("error_ratio", n1 - x1, n0 - x0)):
            row = head | {"effect": effect, "method": "katz log"}
            if estimable and a and b:
                row |= {"estimate": (a / n1) / (b / n0)} | bounds(katz(a, n1, b, n0, settings.confidence))
            elif estimable:
                row["status"] = "not estimable: a group without " + ("correct" if effect == "risk_ratio" else "wrong")
                row["status"] += " answers"
            yield row
        cells = np.array([x1, n1 - x1, x0, n0 - x0], float)
        row = head | {"effect": "odds_ratio", "method": "woolf logit"}
        if estimable:
            if not cells.all():
                cells, row["method"] = cells + 0.5, "woolf logit, 0.5 added"
            odds, se = cells[0] * cells[3] / (cells[1] * cells[2]), math.sqrt(float((1 / cells).sum()))
            row |= {"estimate": odds} | bounds(log_interval(odds, se, settings.confidence))
        yield row


def equivalence(arm: str, split: Split, settings: Settings) -> Iterator[Row]:
    """Yield the rows of ``equivalence`` for one arm and attribute: two one-sided tests at the declared margin."""
    for g, r, head in pairs(arm, split, settings):
        x1, n1, x0, n0 = answers(split, g, r)
        row = head | {"margin": settings.margin, "confidence": settings.equivalence_confidence, "method": "newcombe"}
        if row["status"] == "ok":
            low, high = newcombe(x1, n1, x0, n0, settings.equivalence_confidence)
            row |= {"estimate": x1 / n1 - x0 / n0, "ci_low": low, "ci_high": high}
            row |= {"p_value": equivalence_p(x1, n1, x0, n0, settings.margin)}
            row |= {"smallest_margin": max(abs(low), abs(high))}
        yield row

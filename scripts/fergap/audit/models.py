"""Logistic regression of correctness on who is shown and on the class, from counts of groups × class."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import null_space
from scipy.optimize import brentq
from scipy.special import expit, log_expit
from scipy.stats import chi2, norm
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM

from fergap.audit.clusters import few_clusters
from fergap.audit.counts import tabulate
from fergap.audit.inputs import Arm, Attribute, Sample
from fergap.audit.robust import Clustered, cluster_covariance, clustered_faces
from fergap.audit.settings import Settings, pair_status

Row = dict[str, Any]
Term = tuple[int, ...]
SEPARATION = "not estimable: separation"
FARTHEST = 100.0  # log odds ratios beyond the estimate at which a profile is given up
SEPARATED = 1e-7  # a fitted probability nearer to 0 or 1 than this shows separation


class Cells(NamedTuple):
    """The combinations of groups and class that have faces.

    Attributes
    ----------
    names : tuple of str
        The factors: one or two attributes, then ``class``.
    levels : tuple of tuple of str
        Each factor's levels, the reference first.
    codes : numpy.ndarray of int
        (cells, factors) position in ``levels``.
    right, n : numpy.ndarray of int
        (cells,) correct answers and faces.
    """

    names: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    codes: np.ndarray
    right: np.ndarray
    n: np.ndarray


class Likelihood(NamedTuple):
    """A maximum of the likelihood: deviance of single answers, coefficients, their covariance, fitted shares."""

    deviance: float
    coefficients: np.ndarray
    covariance: np.ndarray
    fitted: np.ndarray


def count_cells(arm: Arm, attributes: Sequence[Attribute], classes: tuple[str, ...], minimum_faces: int) -> Cells:
    """Count an arm's answers by attributes and class; groups below ``minimum_faces`` and empty classes are left out."""
    known = np.logical_and.reduce([arm.covered, *(a.codes >= 0 for a in attributes)])
    sizes = [*(len(a.groups) for a in attributes), len(classes), 2]
    codes = [*(a.codes for a in attributes), arm.true, (arm.true == arm.predicted).astype(np.int32)]
    table = tabulate(codes, sizes, known)
    orders = [[a.reference, *(g for g in range(len(a.groups)) if g != a.reference)] for a in attributes]
    orders.append(list(range(len(classes))))
    kept = []
    for axis, order in enumerate(orders):
        margin = table.sum(tuple(i for i in range(table.ndim) if i != axis))
        least = minimum_faces if axis < len(attributes) else 1
        kept.append([level for level in order if margin[level] >= least])
    table = table[np.ix_(*kept, [0, 1])]
    n = table.sum(-1)
    names = [[a.groups[g] for g in own] for a, own in zip(attributes, kept, strict=False)]
    levels = (*map(tuple, names), tuple(classes[c] for c in kept[-1]))
    filled = np.argwhere(n > 0)
    return Cells(
        (*(a.name for a in attributes), "class"), levels, filled, table[..., 1][n > 0].astype(int), n[n > 0].astype(int)
    )


def design(cells: Cells, terms: Sequence[Term], codes: np.ndarray) -> tuple[np.ndarray, list[tuple[Term, str]]]:
    """Return the treatment-coded matrix (rows of ``codes`` × columns) and each column's term and name."""
    columns, names = [np.ones(len(codes))], [((), "intercept")]
    for term in terms:
        shape = [len(cells.levels[f]) - 1 for f in term]
        for index in np.ndindex(*shape):
            columns.append(np.all([codes[:, f] == i + 1 for f, i in zip(term, index, strict=True)], axis=0))
            parts = (f"{cells.names[f]}: {cells.levels[f][i + 1]}" for f, i in zip(term, index, strict=True))
            names.append((term, " × ".join(parts)))
    return np.stack(columns, 1).astype(float), names


def independent(matrix: np.ndarray) -> np.ndarray:
    """Return the positions of the columns that do not depend on those before them, as R keeps them."""
    kept: list[int] = []
    for column in range(matrix.shape[1]):
        if np.linalg.matrix_rank(matrix[:, [*kept, column]]) > len(kept):
            kept.append(column)
    return np.array(kept)


def maximise(matrix: np.ndarray, cells: Cells) -> Likelihood:
    """Return the maximum of the binomial likelihood over the coefficients of ``matrix`` (cells × columns)."""
    wrong = cells.n - cells.right
    rows = np.concatenate([np.flatnonzero(cells.right), np.flatnonzero(wrong)])
    answer = np.repeat([1.0, 0.0], [np.count_nonzero(cells.right), np.count_nonzero(wrong)])
    weights = np.concatenate([cells.right[cells.right > 0], wrong[wrong > 0]])
    # one row per cell and answer, weighted: statsmodels takes a cell fitted exactly for perfect separation
    fit = GLM(answer, matrix[rows], family=Binomial(), freq_weights=weights).fit(tol=1e-12, rtol=1e-15)
    covariance = np.asarray(fit.cov_params())
    return Likelihood(float(fit.deviance), np.asarray(fit.params), covariance, expit(matrix @ fit.params))


def refit(matrix: np.ndarray, cells: Cells, offset: np.ndarray, start: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the least deviance over the coefficients of ``matrix`` beside a fixed ``offset``, and those coefficients.

    Newton's method from ``start`` on the grouped counts: a profile takes hundreds of refits close to each other.
    """

    def deviance(coefficients: np.ndarray) -> float:
        linear = matrix @ coefficients + offset
        return -2 * float(cells.right @ log_expit(linear) + (cells.n - cells.right) @ log_expit(-linear))

    coefficients, least = start, deviance(start)
    for _ in range(100):
        fitted = expit(matrix @ coefficients + offset)
        curvature = (matrix * (cells.n * fitted * (1 - fitted))[:, None]).T @ matrix
        step = np.linalg.lstsq(curvature, matrix.T @ (cells.right - cells.n * fitted))[0]
        while (value := deviance(coefficients + step)) > least + 1e-9 and np.abs(step).max() > 1e-12:
            step = step / 2
        coefficients, gained, least = coefficients + step, least - value, value
        if gained < 1e-10 * (abs(least) + 0.1):
            break
    return least, coefficients


@dataclass(frozen=True)
class Model:
    """A logistic regression of correctness on ``terms``, each a tuple of factors of ``cells``."""

    cells: Cells
    terms: tuple[Term, ...]

    @property
    def formula(self) -> str:
        names = [":".join(self.cells.names[f] for f in term) for term in self.terms]
        return "correct ~ " + " + ".join(names)

    @cached_property
    def full(self) -> tuple[np.ndarray, list[tuple[Term, str]]]:
        return design(self.cells, self.terms, self.cells.codes)

    @cached_property
    def kept(self) -> np.ndarray:
        return independent(self.full[0])

    @cached_property
    def fit(self) -> Likelihood:
        return maximise(self.full[0][:, self.kept], self.cells)

    @property
    def separated(self) -> bool:
        """Whether a fitted probability is 0 or 1, so that coefficients run off and only the deviance holds."""
        return bool(((self.fit.fitted < SEPARATED) | (self.fit.fitted > 1 - SEPARATED)).any())

    def profile(self, position: int, confidence: float) -> tuple[float, float]:
        """Return the profile-likelihood interval of coefficient ``position`` (among the independent columns).

        The values at which the deviance rises by the quantile of χ²₁ when the others are refitted. Sought in the root
        of that rise, which is nearly linear; NaN where it does not rise as far.
        """
        matrix, z = self.full[0][:, self.kept], norm.isf((1 - confidence) / 2)
        others, estimate = np.delete(matrix, position, 1), self.fit.coefficients[position]
        se = math.sqrt(self.fit.covariance[position, position])
        start = np.delete(self.fit.coefficients, position)

        def beyond(value: float) -> float:
            nonlocal start
            deviance, start = refit(others, self.cells, value * matrix[:, position], start)
            return math.sqrt(max(deviance - self.fit.deviance, 0.0)) - z

        def end(step: float) -> float:
            near, far = estimate, estimate + step
            while beyond(far) < 0:
                step *= 2
                near, far = far, far + step
                if abs(far - estimate) > FARTHEST:
                    return math.nan
            return float(brentq(beyond, min(near, far), max(near, far), xtol=1e-10, rtol=1e-12))

        return end(-z * se), end(z * se)

    def clustered(self, faces: Clustered) -> np.ndarray:
        """Return the coefficients' covariance for faces in clusters."""
        return cluster_covariance(self.full[0][:, self.kept], self.fit.fitted, self.fit.covariance, faces)

    def marginal_effect(self, factor: int, level: int, covariance: np.ndarray) -> tuple[float, float] | None:
        """Return the average marginal effect of ``level`` against the reference and its standard error.

        g-computation: mean over all faces of P(correct | level) − P(correct | reference), the rest as observed;
        standard error by the delta method from the coefficients' ``covariance``. None where it needs a combination
        without faces.
        """
        p, gradient = [], []
        aliased = len(self.kept) < self.full[0].shape[1]
        undetermined = null_space(self.full[0]) if aliased else np.empty((0, 0))
        for chosen in (level, 0):
            codes = self.cells.codes.copy()
            codes[:, factor] = chosen
            matrix = design(self.cells, self.terms, codes)[0]
            if undetermined.size and np.abs(matrix @ undetermined).max() > 1e-8:
                return None
            matrix = matrix[:, self.kept]
            fitted = expit(matrix @ self.fit.coefficients)
            p.append(np.average(fitted, weights=self.cells.n))
            gradient.append(np.average(matrix * (fitted * (1 - fitted))[:, None], axis=0, weights=self.cells.n))
        slope = gradient[0] - gradient[1]
        return float(p[0] - p[1]), math.sqrt(float(slope @ covariance @ slope))


def likelihood_ratio(smaller: Model, larger: Model) -> tuple[float, int, float]:
    """Return the likelihood-ratio statistic of two nested models, its degrees of freedom and p."""
    df = len(larger.kept) - len(smaller.kept)
    statistic = max(smaller.fit.deviance - larger.fit.deviance, 0.0)
    return statistic, df, float(chi2.sf(statistic, df)) if df else math.nan


def coefficient_rows(model: Model, covariance: np.ndarray, head: Row, settings: Settings) -> Iterator[Row]:
    """Yield a model's coefficients with Wald statistics from their ``covariance``."""
    if model.separated:
        yield head | {"term": "all", "quantity": "log odds ratio", "status": SEPARATION}
        return
    names, z = model.full[1], norm.isf((1 - settings.confidence) / 2)
    position = {int(column): i for i, column in enumerate(model.kept)}
    for column, (_, name) in enumerate(names):
        row = head | {"term": name, "quantity": "log odds ratio" if column else "log odds"}
        if column not in position:
            yield row | {"status": "not estimable: a combination without faces"}
        else:
            i = position[column]
            estimate, se = float(model.fit.coefficients[i]), math.sqrt(covariance[i, i])
            yield row | wald(estimate, se, z)


def odds_ratio_rows(model: Model, head: Row, settings: Settings) -> Iterator[Row]:
    """Yield the odds ratios of a model's attributes with profile-likelihood intervals."""
    for i, column in enumerate(model.kept):
        term, name = model.full[1][column]
        if not term or term == (len(model.cells.names) - 1,):
            continue
        row = head | {"term": name, "quantity": "odds ratio"}
        if model.separated:
            yield row | {"status": SEPARATION}
        else:
            low, high = model.profile(i, settings.confidence)
            yield row | {
                "estimate": math.exp(model.fit.coefficients[i]),
                "ci_low": math.exp(low),
                "ci_high": math.exp(high),
            }


def wald(estimate: float, se: float, z: float) -> Row:
    """Return the columns of an estimate with its normal interval and test; an error of 0 has no test."""
    row = {"estimate": estimate, "se": se, "ci_low": estimate - z * se, "ci_high": estimate + z * se}
    if se > 0:
        row |= {"statistic": estimate / se, "p_value": float(2 * norm.sf(abs(estimate / se)))}
    return row


def wald_row(model: Model, term: Term, covariance: np.ndarray, head: Row) -> Row:
    """Return the Wald test that every coefficient of ``term`` is 0: bᵀ V⁻¹ b, χ² of as many degrees of freedom.

    The likelihood ratio takes faces as independent; this test holds with the covariance that it is given.
    """
    own = [i for i, column in enumerate(model.kept) if model.full[1][column][0] == term]
    name = " × ".join(model.cells.names[f] for f in term)
    row = head | {"model": model.formula, "term": name, "quantity": "wald chi-square"}
    if model.separated:
        return row | {"status": SEPARATION}
    if not own:
        return row | {"status": "not estimable: a combination without faces"}
    b, v = model.fit.coefficients[own], covariance[np.ix_(own, own)]
    se = np.sqrt(np.diagonal(v))
    if not se.all() or np.linalg.matrix_rank(v / np.outer(se, se), tol=1e-9) < len(own):
        return row | {"status": "not estimable: fewer clusters than coefficients"}
    statistic = float(b @ np.linalg.solve(v, b))
    return row | {"statistic": statistic, "df": len(own), "p_value": float(chi2.sf(statistic, len(own)))}


def marginal_rows(model: Model, covariance: np.ndarray, head: Row, settings: Settings) -> Iterator[Row]:
    """Yield the average marginal effect of each group, in the scale of an accuracy gap."""
    z = norm.isf((1 - settings.confidence) / 2)
    for factor, name in enumerate(model.cells.names[:-1]):
        for level, group in enumerate(model.cells.levels[factor][1:], start=1):
            row = head | {"term": f"{name}: {group}", "quantity": "average marginal effect"}
            if model.separated:
                yield row | {"status": SEPARATION}
            elif (effect := model.marginal_effect(factor, level, covariance)) is None:
                yield row | {"status": "not estimable: a combination without faces"}
            else:
                yield row | wald(*effect, z)


def ratio_row(smaller: Model, larger: Model, term: Term, head: Row) -> Row:
    """Return the likelihood-ratio test of ``term``; it holds under separation too."""
    statistic, df, p = likelihood_ratio(smaller, larger)
    name = " × ".join(larger.cells.names[f] for f in term)
    row = head | {"model": larger.formula, "term": name, "quantity": "likelihood ratio"}
    if not df:
        return row | {"status": "not estimable: a combination without faces"}
    return row | {"statistic": statistic, "df": df, "p_value": p}


def fitted_rows(cells: Cells, faces: Clustered | None, head: Row, settings: Settings) -> Iterator[Row]:
    """Yield every row of the models of one or two attributes and the class.

    With ``faces`` in clusters, coefficients and marginal effects have a second row with the clusters' covariance, and
    every term a Wald test from it beside its likelihood ratio.
    """
    last = len(cells.names) - 1
    attributes = list(range(last))
    main = Model(cells, tuple((f,) for f in range(last + 1)))
    models = [main]
    if last == 2:
        models.append(Model(cells, (*main.terms, (0, 1))))
    for model in models:
        own = head | {"model": model.formula}
        df = int(cells.n.sum()) - len(model.kept)
        yield own | {"term": "all", "quantity": "deviance", "estimate": model.fit.deviance, "df": df}
        yield from coefficient_rows(model, model.fit.covariance, own, settings)
        if model is main:
            yield from odds_ratio_rows(model, own, settings)
        yield from marginal_rows(model, model.fit.covariance, own, settings)
    tested = [(Model(cells, tuple(t for t in main.terms if t != (f,))), main, (f,)) for f in attributes]
    tested += [(main, models[1], (0, 1))] if last == 2 else []
    tested += [(main, Model(cells, (*main.terms, (f, last))), (f, last)) for f in attributes]
    for smaller, larger, term in tested:
        yield ratio_row(smaller, larger, term, head)
    if faces is None:
        return
    head = head | {"covariance": "cluster", "clusters": faces.clusters} | few_clusters(faces.clusters)
    for model in models:
        covariance, own = model.clustered(faces), head | {"model": model.formula}
        yield from coefficient_rows(model, covariance, own, settings)
        yield from marginal_rows(model, covariance, own, settings)
    for _, model, term in tested:
        yield wald_row(model, term, model.clustered(faces), head)


def undecided(cells: Cells) -> str | None:
    """Return why nothing can be fitted, or None."""
    if cells.right.sum() in (0, cells.n.sum()):
        return "not estimable: every answer alike"
    if np.isin(cells.right, (0,)).sum() + (cells.right == cells.n).sum() == len(cells.n):
        return SEPARATION
    return None


def model_rows(
    arm: Arm,
    attributes: Sequence[Attribute],
    classes: tuple[str, ...],
    clusters: np.ndarray | None,
    settings: Settings,
) -> Iterator[Row]:
    """Yield the rows of one arm's models of one or two attributes; groups too small for one are named."""
    cells = count_cells(arm, attributes, classes, settings.minimum_faces)
    head = {
        "arm": arm.name,
        "attribute": "*".join(a.name for a in attributes),
        "status": "ok",
        "confidence": settings.confidence,
        "covariance": "model",
    }
    model = "correct ~ " + " + ".join(cells.names)
    reason = undecided(cells) if len(cells.n) else "not estimable: 0 faces"
    for a, levels in zip(attributes, cells.levels, strict=False):
        compared = levels if a.groups[a.reference] in levels else ()
        absent = [g for g in range(len(a.groups)) if a.groups[g] not in compared and g != a.reference]
        known = np.logical_and.reduce([arm.covered, *(b.codes >= 0 for b in attributes)])
        sizes = np.bincount(a.codes[known], minlength=len(a.groups))
        for g in absent:
            names = a.groups[g], a.groups[a.reference]
            status = pair_status((int(sizes[g]), int(sizes[a.reference])), names, settings.minimum_faces)
            yield head | {
                "model": model,
                "term": f"{a.name}: {names[0]}",
                "quantity": "average marginal effect",
                "status": status,
            }
        if len(compared) < 2 and reason is None:
            reason = f"not estimable: fewer than two groups of {a.name} to compare"
    if reason:
        yield head | {"model": model, "term": "all", "quantity": "deviance", "status": reason}
    else:
        faces = None
        if clusters is not None:
            faces = clustered_faces(arm, attributes, classes, cells.levels, cells.codes, clusters)
        yield from fitted_rows(cells, faces, head, settings)


def models(sample: Sample, settings: Settings) -> Iterator[Row]:
    """Yield the rows of ``models``: each attribute alone, then every two together, always with the class."""
    base = [a for a in sample.attributes if not a.combined]
    for arm in sample.arms.values():
        for attributes in [*((a,) for a in base), *combinations(base, 2)]:
            yield from model_rows(arm, attributes, sample.classes, sample.clusters, settings)

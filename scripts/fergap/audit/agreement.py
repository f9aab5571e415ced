"""How far those who said who is in the pictures agree: by pairs of raters, for all of them, by answer and by class."""

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from fergap import seeds
from fergap.audit.gold_sample import of_people
from fergap.audit.inputs import Sample
from fergap.audit.proportions import wilson
from fergap.audit.settings import BOOTSTRAP_FACES, Settings, faces
from fergap.errors import UserError

Row = dict[str, Any]
WHOLE = "all"
ALIKE = "not estimable: every answer alike"
NEVER_DIFFER = "interval not estimable: no answers that differ"
ONE_ANSWER = "not estimable: one of the two gave one answer alone"


def disagreement(units: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what each unit adds to Krippendorff's alpha: disagreeing pairs, values, and values by category.

    Parameters
    ----------
    units : numpy.ndarray of int
        (units, categories) how many raters gave each category; a unit with fewer than two answers counts for nothing.
    """
    m = units.sum(1)
    pairable = np.where((m > 1)[:, None], units, 0)
    apart = (m**2 - (units**2).sum(1)) / np.maximum(m - 1, 1)
    return np.where(m > 1, apart, 0.0), pairable.sum(1), pairable


def nominal_alpha(units: np.ndarray, times: np.ndarray | None = None) -> np.ndarray:
    r"""Return Krippendorff's alpha for nominal answers of any number of raters, some of them missing.

    .. math:: \alpha = 1 - (n - 1) \frac{\sum_u \sum_{c \ne k} n_{uc} n_{uk} / (m_u - 1)}{\sum_{c \ne k} n_c n_k}

    over the units u with m_u ≥ 2 answers, n of them in all (Krippendorff 2011, "Computing Krippendorff's
    Alpha-Reliability", section C).

    Parameters
    ----------
    units : numpy.ndarray of int
        (units, categories) counts of answers.
    times : numpy.ndarray of int, optional
        (resamples, units) how often each unit is taken; once by default.

    Returns
    -------
    numpy.ndarray
        (resamples,) at most 1, 0 at chance; NaN where all answers are alike or none can be paired.
    """
    times = np.ones((1, len(units)), np.int64) if times is None else times
    apart, values, pairable = disagreement(units)
    observed, n, by = times @ apart, times @ values, times @ pairable
    expected = n**2 - (by**2).sum(1)
    with_answers = expected > 0
    return np.where(with_answers, 1 - (n - 1) * observed / np.where(with_answers, expected, 1), np.nan)


def alpha_interval(units: np.ndarray, settings: Settings, *stream: str) -> tuple[float, float]:
    """Return the percentile interval of :func:`nominal_alpha` over resampled units (drawn as counts of patterns)."""
    patterns, counts = np.unique(units, axis=0, return_counts=True)
    rng = seeds.generator(settings.seed, "agreement", *stream)
    times = rng.multinomial(counts.sum(), counts / counts.sum(), settings.resamples)
    drawn = nominal_alpha(patterns, times)
    ends = np.nanquantile(drawn, [settings.alpha / 2, 1 - settings.alpha / 2])
    return float(ends[0]), float(ends[1])


def kappa(table: np.ndarray, confidence: float) -> tuple[float, float, float]:
    r"""Return Cohen's kappa of a square table of two raters with its interval.

    .. math:: \kappa = \frac{p_o - p_e}{1 - p_e}

    The interval has the variance of Fleiss, Cohen and Everitt (1969), within −1 … 1. All three are NaN where one of the
    raters gave one answer alone: kappa is 0 then whatever the other says, with a variance of 0.
    """
    n, rows, columns = table.sum(), table.sum(1), table.sum(0)
    if not n or n in rows or n in columns:
        return math.nan, math.nan, math.nan
    p, rows, columns = table / n, rows / n, columns / n
    chance = float(rows @ columns)
    found = (float(np.trace(p)) - chance) / (1 - chance)
    same = np.diag(p) @ (1 - (rows + columns) * (1 - found)) ** 2
    other = p * (columns[:, None] + rows[None, :]) ** 2
    spread = same + (1 - found) ** 2 * (other.sum() - np.trace(other)) - (found - chance * (1 - found)) ** 2
    half = float(norm.isf((1 - confidence) / 2)) * math.sqrt(max(0.0, float(spread)) / n) / (1 - chance)
    return found, max(-1.0, found - half), min(1.0, found + half)


def pair_rows(head: Row, table: np.ndarray, answers: list[str], settings: Settings) -> Iterator[Row]:
    """Yield the rows of two raters: percent agreement and kappa of all answers, and of each answer against the others.

    An answer's agreement is the share of it given by both among all times either gave it, 2 n_cc / (n_c· + n_·c) (Dice
    1945; Cicchetti and Feinstein 1990), without an interval; its kappa is that of the answer against the rest.
    """
    n, same = int(table.sum()), int(np.trace(table))
    head = head | {"n": n, "confidence": settings.confidence}
    if n < settings.minimum_faces:
        yield head | {"metric": "percent_agreement", "status": f"not estimable: {faces(n)} that both answered"}
        return
    low, high = wilson(same, n, settings.confidence)
    row = {"estimate": same / n, "ci_low": low, "ci_high": high, "method": "wilson", "status": "ok"}
    yield head | {"metric": "percent_agreement"} | row
    yield head | {"metric": "cohens_kappa"} | estimated(kappa(table, settings.confidence))
    for c, answer in enumerate(answers):
        one = head | {"answer": answer}
        either = int(table[c].sum() + table[:, c].sum())
        if not either:
            continue
        yield one | {"metric": "specific_agreement", "estimate": 2 * table[c, c] / either, "status": "ok"}
        rest = np.array([[table[c, c], table[c].sum() - table[c, c]], [table[:, c].sum() - table[c, c], 0]])
        rest[1, 1] = n - rest.sum()
        yield one | {"metric": "cohens_kappa"} | estimated(kappa(rest, settings.confidence))


def estimated(found: tuple[float, float, float]) -> Row:
    if math.isnan(found[0]):
        return {"status": ONE_ANSWER}
    estimate, low, high = found
    if estimate > 1 - 1e-12:  # its variance is 0 on however few faces
        return {"estimate": estimate, "method": "fleiss-cohen-everitt", "status": NEVER_DIFFER}
    return {"estimate": estimate, "ci_low": low, "ci_high": high, "method": "fleiss-cohen-everitt", "status": "ok"}


def alpha_row(head: Row, units: np.ndarray, settings: Settings) -> Row:
    """Return the row of Krippendorff's alpha over the faces that two raters or more answered."""
    units = units[units.sum(1) > 1]
    row = head | {"metric": "krippendorffs_alpha", "n": len(units), "confidence": settings.confidence}
    if len(units) < settings.minimum_faces:
        return row | {"status": f"not estimable: {faces(len(units))} that two raters answered"}
    alpha = float(nominal_alpha(units)[0])
    if math.isnan(alpha):
        return row | {"status": ALIKE}
    row |= {"estimate": alpha, "method": "bootstrap percentile"}
    if len(units) < BOOTSTRAP_FACES:
        return row | {"status": f"interval not estimable: fewer than {BOOTSTRAP_FACES} faces"}
    if alpha > 1 - 1e-12:
        return row | {"status": NEVER_DIFFER}
    low, high = alpha_interval(units, settings, head["attribute"], head["among"])
    return row | {"ci_low": low, "ci_high": high, "status": "ok"}


def crosstab(first: pd.Series, second: pd.Series, answers: list[str]) -> np.ndarray:
    """Return the counts of two raters' answers on the faces that both answered, (answers, answers)."""
    both = first.notna() & second.notna()
    codes = [pd.Index(answers).get_indexer(s[both]) for s in (first, second)]
    return np.bincount(codes[0] * len(answers) + codes[1], minlength=len(answers) ** 2).reshape(-1, len(answers))


def raters_of(raters: pd.DataFrame, attribute: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return who answered what about an attribute, first time and again: faces × raters, missing where not.

    Adjudications are left out: they are of the faces alone on which the others differ.
    """
    own = raters[(raters["attribute"] == attribute) & (raters["adjudication"] == 0)]
    return tuple(
        own[own["repeat"] == time].pivot(index="image_id", columns="rater", values="answer") for time in (0, 1)
    )


def persons(answers: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame:
    """Return the raters' columns that are people's where these are two or more, else all of them."""
    own = answers.loc[:, of_people(answers.columns.to_series(), models)]
    return own if own.shape[1] > 1 else answers


def agreement(
    sample: Sample, raters: pd.DataFrame | None, settings: Settings, models: Sequence[str] = ()
) -> Iterator[Row]:
    """Yield the rows of ``agreement``: every two raters of an attribute, each with themselves, and all of them.

    ``among`` is ``all`` or a true class of the faces; ``first`` and ``second`` name two raters, the same one twice
    where a rater answered a face again, and are missing for several together: the people among the raters, ``raters``
    of them, or everyone where these are fewer than two.

    Parameters
    ----------
    raters : pandas.DataFrame or None
        Table ``raters``.
    models : sequence of str
        The raters who are models.

    Raises
    ------
    UserError
        A column is missing.
    """
    codes = sample.labels
    labels = pd.Series(np.array(sample.classes, dtype=object)[codes], index=sample.faces)[codes >= 0]
    for attribute, first, again, answers in asked(raters):
        people = persons(first, models)
        for among in (WHOLE, *sample.classes):
            chosen = first if among == WHOLE else first[first.index.map(labels).to_numpy() == among]
            head = {"attribute": attribute, "among": among}
            own = chosen[people.columns]
            units = np.column_stack([(own == a).sum(axis=1).to_numpy() for a in answers])
            if people.shape[1] > 1:
                yield alpha_row(head | {"raters": people.shape[1]}, units, settings)
            for a, b in combinations(first.columns, 2):
                two = head | {"first": a, "second": b, "raters": 2}
                yield from pair_rows(two, crosstab(chosen[a], chosen[b], answers), answers, settings)
        for a in again.columns.intersection(first.columns):
            head = {"attribute": attribute, "among": WHOLE, "first": a, "second": a, "raters": 1}
            yield from pair_rows(head, crosstab(first[a].reindex(again.index), again[a], answers), answers, settings)
        head = {"attribute": attribute, "among": WHOLE, "raters": people.shape[1], "status": "ok"}
        given, left = raters[raters["attribute"] == attribute], first.columns.difference(people.columns)
        again = again[again.columns.difference(left)]
        yield from dispute_rows(head, people, again, given, settings)


def dispute_rows(
    head: Row, first: pd.DataFrame, again: pd.DataFrame, given: pd.DataFrame, settings: Settings
) -> Iterator[Row]:
    """Yield on how many faces answers differ, how many of these were adjudicated, and how many answers were prompted.

    Parameters
    ----------
    first, again : pandas.DataFrame
        As :func:`raters_of` returns them.
    given : pandas.DataFrame
        The attribute's rows of the table ``raters``; where it tells whether a suggestion was in view, so do the rows.
    """
    every = pd.concat([first, again], axis=1)
    every = every[every.notna().sum(axis=1) > 1]
    differ = every.index[every.nunique(axis=1) > 1]
    if len(every):
        low, high = wilson(len(differ), len(every), settings.confidence)
        row = {"metric": "answers_differ", "n": len(every), "estimate": len(differ) / len(every), "method": "wilson"}
        yield head | row | {"ci_low": low, "ci_high": high, "confidence": settings.confidence}
    decided = given.loc[given["adjudication"] == 1, "image_id"]
    if len(differ):
        yield head | {"metric": "adjudicated", "n": len(differ), "estimate": float(differ.isin(decided).mean())}
    told = given["suggestion_shown"].dropna() if "suggestion_shown" in given.columns else ()
    if len(told):
        yield head | {"metric": "suggestion_shown", "n": len(told), "estimate": float(told.mean())}


def asked(raters: pd.DataFrame | None) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame, list[str]]]:
    """Yield each attribute that was answered more than once about a face, with its answers."""
    if raters is None:
        return
    needed = ("image_id", "attribute", "answer", "rater", "adjudication", "repeat")
    for c in needed:
        if c not in raters.columns:
            raise UserError(f"column {c!r} is missing", where="raters", expected=", ".join(needed))
    for attribute in dict.fromkeys(raters["attribute"]):
        first, again = raters_of(raters, attribute)
        if (first.notna().sum(axis=1) > 1).any() or len(again):
            answers = pd.concat([first, again]).to_numpy().ravel()
            yield attribute, first, again, sorted(pd.Series(answers).dropna().unique())


def agreement_confusion(raters: pd.DataFrame | None) -> Iterator[Row]:
    """Yield the rows of ``agreement_confusion``: how often one rater gave one answer where the other gave another."""
    for attribute, first, again, answers in asked(raters):
        two = [(a, b, first[a], first[b]) for a, b in combinations(first.columns, 2)]
        two += [(a, a, first[a].reindex(again.index), again[a]) for a in again.columns.intersection(first.columns)]
        for a, b, one, other in two:
            for (i, j), count in np.ndenumerate(crosstab(one, other, answers)):
                row = {"attribute": attribute, "first": a, "second": b}
                yield row | {"first_group": answers[i], "second_group": answers[j], "count": int(count)}

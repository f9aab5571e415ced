"""How biased each model is, by attribute and over all: published scores, corrected ones, and what is noise."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.stats import norm

from fergap.audit.confusion_bias import (
    CORRECTED,
    Moves,
    interval,
    left_out_of_treatment,
    moved,
    squares,
    sums,
    together,
)
from fergap.audit.dataset_bias import corrected_interval
from fergap.audit.fairness_metrics import by_class
from fergap.audit.fairness_null import LEAST
from fergap.audit.inputs import Arm, Attribute, Sample
from fergap.audit.permutation import without_gap
from fergap.audit.ranking import families
from fergap.audit.settings import Settings, faces
from fergap.seeds import generator

Row = dict[str, Any]
DRAWS, SHUFFLES = 2_000, 1_000  # at most, of the bootstrap and of tables without a gap
WEIGHTS = 4_000_000  # weights drawn at a time, which bounds the memory
PUBLISHED = {
    "equalized_odds": "equalized_odds_difference",
    "equal_opportunity": "equal_opportunity_difference",
    "demographic_parity": "demographic_parity_difference",
    "treatment_equality_rates": "treatment_equality_rates_difference",
    "treatment_equality_counts": "treatment_equality_counts_difference",
}
FOUR = tuple(PUBLISHED)[:4]  # Eq. 11 as it is written has rates
SUMMARIES = ("max", "mean", "sd")
SCORE = "bias_score"
EVERY = "all"
Key = tuple[str, str, str]  # attribute, metric, summary


class Compared(NamedTuple):
    """An attribute's groups that are compared; ``codes`` is each face's, (faces,), −1 where unknown or too small."""

    name: str
    groups: tuple[str, ...]
    codes: np.ndarray
    left_out: tuple[str, ...]


class Published(NamedTuple):
    """A published number with its resamples and its values without a gap, (draws,) each."""

    estimate: float
    drawn: np.ndarray
    null: np.ndarray


class Corrected(NamedTuple):
    """A corrected metric with its resamples and its squares without a gap, (draws,)."""

    moves: Moves
    null: np.ndarray


@dataclass
class Measured:
    """One arm's numbers on some faces: by attribute, metric and summary, and by attribute and metric.

    ``tables`` and ``classes`` hold the counts and the classes that the corrected metrics compare, by attribute.
    """

    published: dict[tuple[str, str, str], Published]
    corrected: dict[tuple[str, str], Corrected]
    tables: dict[str, np.ndarray]
    classes: dict[str, np.ndarray]


def published(table: np.ndarray) -> dict[tuple[str, str], np.ndarray]:
    """Return the scores of Hosseini, Pourramezan Fard & Mahoor, *Faces of Fairness*, Eqs. 8–13, as they are written.

    Between two groups each equation asks for equality, for each expression against the rest; the metric is what is
    missing from it, and with more groups the largest difference of two.

    * *equalized odds* (Eq. 8), P(ŷ = 1 | a, y) for y = 1 and y = 0: the larger of the two differences. How the two are
      joined is not said, and their printed table fits neither the larger nor the mean (``docs/printed-tables.md``). A
      false alarm rate of one class against the rest mixes the other classes, so it differs between groups that are
      predicted alike and show other expressions.
    * *equal opportunity* (Eq. 9), P(ŷ = 1 | a, y = 1): contained in equalized odds, and so counted twice in the mean.
    * *demographic parity* (Eq. 10), P(ŷ = 1 | a): a model that is always right has the difference that the labels have.
    * *treatment equality* (Eq. 11) in two readings: of rates, FNR/FPR, as the equation has it, and of counts, FN/FP, as
      the text has it. A ratio without a bound, and not defined without false alarms; its differences are of another
      scale than the others and decide a mean with them.

    ``max`` over expressions is Eq. 12, and the score the mean of the four (Eq. 13), with treatment equality of rates;
    ``mean`` and ``sd`` (over the number of expressions, not one less) are what the tables print beside it. A maximum
    over expressions of a range over groups is never below 0, grows with the number of groups and with the noise of the
    smallest, and so ranks models by their noise too: what a model without any bias would score stands beside it.

    Parameters
    ----------
    table : numpy.ndarray
        (…, groups, classes, classes) counts, group × true × predicted.

    Returns
    -------
    dict
        (…) by metric and summary, over the classes in which every group has a value; NaN where there is none.
    """
    found, out = by_class(table), {}
    for metric, name in PUBLISHED.items():
        values = found[name]
        known = ~np.isnan(values)
        count = np.where(known.any(-1), known.sum(-1), np.nan)
        filled = np.where(known, values, 0.0)
        mean = filled.sum(-1) / count
        apart = np.where(known, values - mean[..., None], 0.0)
        out[metric, "max"] = np.where(known.any(-1), np.where(known, values, -np.inf).max(-1), np.nan)
        out[metric, "mean"], out[metric, "sd"] = mean, np.sqrt((apart**2).sum(-1) / count)
    out[SCORE, ""] = sum(out[metric, "max"] for metric in FOUR) / len(FOUR)
    return out


def compared(attribute: Attribute, kept: np.ndarray, minimum_faces: int) -> Compared:
    """Return an attribute among the ``kept`` faces with the groups that are large enough."""
    codes = attribute.codes[kept]
    n = np.bincount(codes[codes >= 0], minlength=len(attribute.groups))
    large = n >= minimum_faces
    position = np.append(np.where(large, np.cumsum(large) - 1, -1), -1)
    small = [f"{group} ({faces(int(n[g]))})" for g, group in enumerate(attribute.groups) if not large[g]]
    return Compared(
        attribute.name,
        tuple(group for g, group in enumerate(attribute.groups) if large[g]),
        position[codes],
        tuple(small),
    )


def counted(attribute: Compared, true: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Return the counts (groups, classes, classes) of an attribute."""
    known = attribute.codes >= 0
    cell = (attribute.codes * classes + true) * classes + predicted
    return np.bincount(cell[known], minlength=len(attribute.groups) * classes**2).reshape(-1, classes, classes)


def units_of(attribute: Compared, true: np.ndarray, clusters: np.ndarray | None, table: np.ndarray) -> np.ndarray:
    """Return the independent units by group and true class: faces, or clusters where they are drawn."""
    support = table.sum(-1)
    if clusters is None:
        return support
    known = attribute.codes >= 0
    cell = attribute.codes * table.shape[1] + true
    first = np.unique(np.column_stack([cell[known], clusters[known]]), axis=0)[:, 0]
    return np.bincount(first, minlength=support.size).reshape(support.shape)


def weighted(
    cells: Sequence[np.ndarray],
    sizes: Sequence[int],
    units: np.ndarray,
    shapes: np.ndarray,
    draws: int,
    stream: np.random.Generator,
) -> Iterator[list[np.ndarray]]:
    """Yield several tables of the same faces under the same weights, each (chunk, size).

    Parameters
    ----------
    cells : sequence of numpy.ndarray of int
        (rows,) cell of each row in each table, −1 where it is in none.
    sizes : sequence of int
        Cells of each table.
    units : numpy.ndarray of int
        (rows,) what is weighted as one, from 0.
    shapes : numpy.ndarray
        (units,) of the gamma weights: how many exponential ones a unit sums.
    """
    starts = np.concatenate([[0], np.cumsum(sizes)])
    rows = np.concatenate([cell[cell >= 0] + start for cell, start in zip(cells, starts, strict=False)])
    columns = np.concatenate([units[cell >= 0] for cell in cells])
    size = (int(starts[-1]), len(shapes))
    matrix = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=size)
    chunk = max(1, WEIGHTS // max(size))
    for done in range(0, draws, chunk):
        drawn = (matrix @ stream.standard_gamma(shapes[:, None], (len(shapes), min(chunk, draws - done)))).T
        yield [drawn[:, a:b] for a, b in pairwise(starts)]


def patterns_of(columns: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the first face of each pattern of codes, and how many faces have it."""
    pattern = np.zeros(len(columns[0]), np.int64)
    for codes in columns:
        pattern = pd.factorize(pattern * (int(codes.max()) + 2) + codes + 1)[0]
    _, first, count = np.unique(pattern, return_index=True, return_counts=True)
    return first, count


def measure(sample: Sample, arms: Sequence[Arm], kept: np.ndarray, settings: Settings) -> dict[str, Measured]:
    """Return every arm's numbers on the ``kept`` faces, on the same resamples of them, by arm.

    Each face (with ``bootstrap: clustered`` each cluster) has an exponential weight (Rubin 1981), the same for all arms
    and attributes, so that arms are compared face by face and no cell is ever emptied. Faces alike in all of them are
    weighted at once, by a gamma variate, so that the work grows with the patterns of answers and not with the faces.
    """
    k, draws = len(sample.classes), min(settings.resamples, DRAWS)
    attributes = [c for a in sample.attributes if len((c := compared(a, kept, settings.minimum_faces)).groups) > 1]
    clusters = sample.clusters[kept] if settings.bootstrap == "clustered" and sample.clusters is not None else None
    out, jobs, cells, sizes = {}, [], [], []
    for arm in arms:
        true, predicted = arm.true[kept], arm.predicted[kept]
        own = out[arm.name] = Measured({}, {}, {}, {})
        for attribute in attributes:
            table = own.tables[attribute.name] = counted(attribute, true, predicted, k)
            own.classes[attribute.name] = (table.sum(-1) >= LEAST).all(0)
            jobs.append((arm.name, attribute.name, units_of(attribute, true, clusters, table)))
            cells.append(np.where(attribute.codes >= 0, (attribute.codes * k + true) * k + predicted, -1))
            sizes.append(table.size)
    if not jobs:
        return out
    if clusters is None:
        first, shapes = patterns_of(cells)
        cells, units = [cell[first] for cell in cells], np.arange(len(first))
    else:
        units = np.unique(clusters, return_inverse=True)[1]
        shapes = np.ones(int(units.max()) + 1)
    collected: dict[tuple, list] = {}
    stream = generator(settings.seed, "audit", "model bias", "weights")
    for tables in weighted(cells, sizes, units, shapes, draws, stream):
        for (arm, attribute, independent), drawn in zip(jobs, tables, strict=True):
            table, classes = out[arm].tables[attribute], out[arm].classes[attribute]
            drawn = drawn.reshape(-1, *table.shape)
            for key, values in published(drawn).items():
                collected.setdefault((arm, attribute, *key), []).append(values)
            for metric, pair in moved(table, drawn, classes, independent).items():
                collected.setdefault((arm, attribute, metric), []).append(np.stack(pair))
    for arm in arms:
        nulls = without_gaps(arm, kept, attributes, out[arm.name], k, settings)
        for attribute in attributes:
            put(out[arm.name], attribute.name, arm.name, collected, nulls, clusters is not None)
    return out


def without_gaps(
    arm: Arm,
    kept: np.ndarray,
    attributes: Sequence[Compared],
    own: Measured,
    k: int,
    settings: Settings,
) -> dict[tuple[str, ...], np.ndarray]:
    """Return the published numbers and the corrected squares in tables without a gap, (draws,), by attribute and key.

    Predictions are shuffled within each true class among the groups that all attributes form together, so that the
    tables of the attributes are of the same shuffle.
    """
    codes = np.column_stack([attribute.codes for attribute in attributes])
    groups, joint = np.unique(codes, axis=0, return_inverse=True)
    cell = (joint.ravel() * k + arm.true[kept]) * k + arm.predicted[kept]
    table = np.bincount(cell, minlength=len(groups) * k * k).reshape(-1, k, k)
    members = [groups[:, i] == np.arange(len(a.groups))[:, None] for i, a in enumerate(attributes)]
    found: dict[tuple[str, ...], list] = {}
    stream = generator(settings.seed, "audit", "model bias", arm.name)
    for chunk in without_gap(table, min(settings.resamples, SHUFFLES), stream):
        flat = chunk.reshape(len(chunk), len(groups), k * k).astype(float)
        for attribute, member in zip(attributes, members, strict=True):
            tables = (member.astype(float) @ flat).reshape(len(chunk), -1, k, k)
            for key, values in published(tables).items():
                found.setdefault((attribute.name, *key), []).append(values)
            for metric, values in squares(tables, own.classes[attribute.name]).items():
                found.setdefault((attribute.name, metric), []).append(values)
    return {key: np.concatenate(values) for key, values in found.items()}


def put(own: Measured, attribute: str, arm: str, collected: dict, nulls: dict, clustered: bool) -> None:
    """Add one attribute's numbers to an arm's, and the scores that are made of them."""
    table, classes = own.tables[attribute], own.classes[attribute]
    for key, values in published(table).items():
        drawn = np.concatenate(collected[arm, attribute, *key])
        own.published[attribute, *key] = Published(float(values), drawn, nulls[attribute, *key])
    for metric, (plain, noise) in sums(table, classes).items():
        if (pair := collected.get((arm, attribute, metric))) is None:
            continue
        cross, square = np.concatenate(pair, axis=1)
        null = nulls[attribute, metric]
        if clustered:  # shuffling faces one by one would tear clusters apart
            noise = square.mean()
            null = square - noise
        own.corrected[attribute, metric] = Corrected(Moves(float(plain), float(noise), cross, square), null)
    four = [own.corrected.get((attribute, metric)) for metric in CORRECTED]
    if None not in four:
        own.corrected[attribute, SCORE] = mean_of(four)


def mean_of(found: Sequence[Corrected]) -> Corrected:
    """Return the mean square of corrected metrics of the same resamples."""
    return Corrected(together([c.moves for c in found]), sum(c.null for c in found) / len(found))


def overall(own: Measured, attributes: Sequence[str]) -> dict[str, tuple[Published | Corrected | None, list[str]]]:
    """Return the scores over attributes (Eq. 14) by form, each with the attributes that have none and are left out."""
    found = [a for a in attributes if (a, SCORE, "") in own.published]
    found = [a for a in found if not np.isnan(own.published[a, SCORE, ""].estimate)]
    scores = [own.published[a, SCORE, ""] for a in found]
    mean = Published(*(sum(values) / len(found) for values in zip(*scores, strict=True))) if found else None
    known = [a for a in attributes if (a, SCORE) in own.corrected]
    square = mean_of([own.corrected[a, SCORE] for a in known]) if known else None
    return {
        "published": (mean, [a for a in attributes if a not in found]),
        "corrected": (square, [a for a in attributes if a not in known]),
    }


class SharedFaces(NamedTuple):
    """Arms measured on the same faces; whether their own numbers are told of, and whether they are ranked."""

    arms: tuple[Arm, ...]
    measured: dict[str, Measured]
    n: int
    told: bool
    ranked: bool


def shared_faces(sample: Sample, settings: Settings) -> list[SharedFaces]:
    """Return the numbers of every arm, with the arms that predict the same faces together.

    Arms that share their faces with no other are measured on their own faces, and once more, to be ranked, on the faces
    that all of them predict (see :func:`fergap.audit.ranking.families`).
    """
    out = []
    for family in families(list(sample.arms.values())):
        masks = [arm.covered for arm in family]
        if all(np.array_equal(mask, masks[0]) for mask in masks):
            found = measure(sample, family, masks[0], settings)
            out.append(SharedFaces(tuple(family), found, int(masks[0].sum()), True, len(family) > 1))
            continue
        for arm, mask in zip(family, masks, strict=True):
            out.append(SharedFaces((arm,), measure(sample, [arm], mask, settings), int(mask.sum()), True, False))
        common = np.logical_and.reduce(masks)
        if common.any():
            found = measure(sample, family, common, settings)
            out.append(SharedFaces(tuple(family), found, int(common.sum()), False, True))
    return out


def model_bias(sample: Sample, found: Sequence[SharedFaces], settings: Settings) -> Iterator[Row]:
    """Yield the rows of ``model_bias``: each arm's published and corrected metrics by attribute, and its scores.

    ``published`` rows hold Eqs. 12 and 13 (:func:`published`) with the bootstrap's bias-corrected interval,
    ``corrected`` ones :func:`fergap.audit.confusion_bias.squares`, of which the score is the root mean square, with the
    interval of an inverted test. Rows of attribute ``all`` are the score over the attributes that are no combination
    (Eq. 14; the root mean square of the corrected scores). ``expected`` is the mean in tables whose predictions were
    shuffled among the groups within each true class: what a model that makes the same predictions of each class,
    whoever is in the picture, would score with as many faces. Where clusters are drawn, that of corrected rows comes
    from the resamples' own deviations.
    """
    made = {arm.name: (family, arm) for family in found if family.told for arm in family.arms}
    for name in sample.arms:
        own, arm = made[name][0].measured[name], made[name][1]
        for attribute in sample.attributes:
            kept = compared(attribute, arm.covered, settings.minimum_faces)
            yield from attribute_rows(own, kept, name, sample, settings)
        head = {"arm": name, "attribute": EVERY, "confidence": settings.confidence, "metric": SCORE, "status": "ok"}
        plain = [a.name for a in sample.attributes if not a.combined]
        for form, (number, without) in overall(own, plain).items():
            row = head | {"form": form, "n": int(arm.covered.sum()), "left_out": ", ".join(without) or None}
            row["groups"] = sum(len(own.tables[a]) for a in plain if a not in without)
            if number is None:
                yield row | {"status": "not estimable: no attribute has a score"}
            else:
                yield row | numbers(number, False, settings)


def attribute_rows(own: Measured, attribute: Compared, arm: str, sample: Sample, settings: Settings) -> Iterator[Row]:
    """Yield one attribute's rows of one arm."""
    head = {"arm": arm, "attribute": attribute.name, "confidence": settings.confidence, "status": "ok"}
    head |= {"groups": len(attribute.groups), "n": int((attribute.codes >= 0).sum())}
    small = list(attribute.left_out)
    table, classes = own.tables.get(attribute.name), own.classes.get(attribute.name)
    why = "one group alone" if not small else f"fewer than {settings.minimum_faces} faces in all groups but one"
    values = {} if table is None else by_class(table)
    for metric in (*PUBLISHED, SCORE):
        for summary in SUMMARIES if metric != SCORE else ("",):
            row = head | {"metric": metric, "summary": summary or None, "form": "published"}
            row["left_out"] = ", ".join(small) or None
            if table is None:
                yield row | {"status": f"not estimable: {why}"}
                continue
            if metric != SCORE:
                without = np.flatnonzero(np.isnan(values[PUBLISHED[metric]]))
                row["left_out"] = ", ".join(small + [sample.classes[c] for c in without]) or None
            number = own.published[attribute.name, metric, summary]
            if np.isnan(number.estimate):
                yield row | {"status": f"not estimable: {undefined(own, attribute.name, metric)}"}
                continue
            if summary == "max":
                row["decided_by"] = sample.classes[int(np.nanargmax(values[PUBLISHED[metric]]))]
            yield row | numbers(number, metric in FOUR[:3], settings)
    for metric in (*CORRECTED, SCORE):
        row = head | {"metric": metric, "summary": None, "form": "corrected", "left_out": ", ".join(small) or None}
        if table is None:
            yield row | {"status": f"not estimable: {why}"}
            continue
        without = ~classes
        if metric == "treatment_equality" and classes.any():
            without = without | left_out_of_treatment(table, classes)
        row["left_out"] = ", ".join(small + [sample.classes[c] for c in np.flatnonzero(without)]) or None
        if (number := own.corrected.get((attribute.name, metric))) is None:
            yield row | {"status": f"not estimable: {incomparable(classes)}"}
        else:
            yield row | numbers(number, True, settings)


def undefined(own: Measured, attribute: str, metric: str) -> str:
    """Return why a published number has no value."""
    if metric == SCORE:
        missing = [m for m in FOUR if np.isnan(own.published[attribute, m, "max"].estimate)]
        return f"no {' and no '.join(m.replace('_', ' ') for m in missing)}"
    if metric.startswith("treatment"):
        return "in every class a group has no false positive"
    return "no class that every group has"


def incomparable(classes: np.ndarray) -> str:
    """Return why a corrected metric has no value."""
    if not classes.any():
        return f"no class with {LEAST} faces or more in every group"
    return f"treatment equality: in every class a group has fewer than {LEAST} errors"


def ratio_interval(estimate: float, replicates: np.ndarray, confidence: float) -> tuple[float, float]:
    """Return estimate − bias ± z √(se² + bias²) with the median's bias and half the middle 68 % as se.

    A ratio of few false alarms has resamples without a mean or a variance.
    """
    low, middle, high = np.quantile(replicates, norm.cdf([-1, 0, 1]))
    bias, error = middle - estimate, (high - low) / 2
    reach = norm.ppf((1 + confidence) / 2) * np.hypot(error, bias)
    return float(estimate - bias - reach), float(estimate - bias + reach)


def numbers(found: Published | Corrected, bounded: bool, settings: Settings) -> Row:
    """Return a number with its interval and what a group-blind model would get: p = (1 + as biased) ÷ (1 + draws).

    A draw in which a metric has no value counts as at least as biased. Without any spread there is no interval.
    """
    if isinstance(found, Published):
        estimate, known = found.estimate, found.null[~np.isnan(found.null)]
        make = corrected_interval if bounded else ratio_interval
        low, high = make(estimate, found.drawn, settings.confidence)
        low, high = max(0.0, min(low, estimate)), max(high, estimate)
        less, size, method = known < estimate - 1e-12, known, "bias-corrected bootstrap"
    else:
        square, known = found.moves.value, found.null[~np.isnan(found.null)]
        estimate = float(np.sqrt(max(square, 0.0)))
        low, high = interval(found.moves, settings.confidence)
        less, size, method = known < square - 1e-12, np.sqrt(np.maximum(known, 0.0)), "inverted bootstrap test"
    row: Row = {"estimate": estimate, "method": method}
    if high - low > 1e-12:
        row |= {"ci_low": low, "ci_high": high}
    else:  # groups all right, or all wrong, vary in no resample, however few their faces
        row["status"] = "interval not estimable: every resample is as what was found"
    row["p_value"] = float((1 + len(found.null) - less.sum()) / (1 + len(found.null)))
    if len(size):
        row |= {"expected": float(size.mean()), "excess": estimate - float(size.mean())}
    return row

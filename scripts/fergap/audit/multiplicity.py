"""Many tests at once: step-down max-T over classes and combinations, and the ledger of every family."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from fergap.audit.inputs import Arm, Sample
from fergap.audit.settings import Settings, pair_status
from fergap.seeds import generator

Row = dict[str, Any]
DRAWS = 10_000
CHUNK = 1_000  # draws at a time, which bounds the memory
FAMILY = "per class and combinations"
PER_ATTRIBUTE = ("pairwise", "fairness", "source_recognition")  # tables whose families hold one attribute each
METHOD = "westfall-young step-down max-T"


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Return Holm's (1979) step-down adjusted p values, in the order given.

    Own code because statsmodels' ``multipletests`` collects garbage at each call, which takes longer than the tests.
    """
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    out = np.empty_like(p)
    out[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return out


def adjust(rows: Iterable[Row], by: Sequence[str], method: str) -> None:
    """Set ``p_adjusted`` and ``adjustment`` of the rows that have a p value, in families of equal ``by``."""
    families: dict[tuple, list[Row]] = {}
    for row in rows:
        if row.get("p_value") is not None and row["p_value"] == row["p_value"]:
            families.setdefault(tuple(row[c] for c in by), []).append(row)
    name = {"fdr_bh": "bh"}.get(method, method)
    for family in families.values():
        p_values = [row["p_value"] for row in family]
        adjusted = holm(p_values) if method == "holm" else multipletests(p_values, method=method)[1]
        for row, p in zip(family, adjusted, strict=True):
            row |= {"p_adjusted": float(min(p, 1.0)), "adjustment": name}


def shared_cells(arm: Arm, sample: Sample) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Count an arm's faces by the cells that all attributes share.

    Returns
    -------
    tuple of numpy.ndarray
        (cells, attributes) group of each cell, −1 where unknown; (cells, classes) faces; (cells, classes) right
        answers; (attributes,) number of groups.
    """
    kept, k = arm.covered, len(sample.classes)
    cell, codes = np.zeros(int(kept.sum()), np.int64), np.zeros((1, 0), np.int64)
    for attribute in sample.attributes:
        groups = len(attribute.groups) + 1
        cell, seen = pd.factorize(cell * groups + attribute.codes[kept] + 1)
        codes = np.column_stack([codes[seen // groups], seen % groups - 1])
    true, right = arm.true[kept], (arm.true == arm.predicted)[kept]
    size = len(codes) * k
    n = np.bincount(cell * k + true, minlength=size).reshape(-1, k)
    x = np.bincount((cell * k + true)[right], minlength=size).reshape(-1, k)
    return codes, n, x, np.array([len(a.groups) for a in sample.attributes])


def contrast_weights(n: np.ndarray, group: np.ndarray, reference: np.ndarray, right: np.ndarray) -> np.ndarray | None:
    """Return weights of right answers whose sum is a pair's standardised gap within classes.

    The gap is Σ w_c (p1 − p0) with Mantel and Haenszel's w = n1 n0/(n1 + n0); under permutation of the answers within
    a class its mean is 0 and its variance Σ w_c S²_c, S² = R (N − R)/(N (N − 1)) with all N faces of the class.

    Parameters
    ----------
    n : numpy.ndarray
        (cells, classes) faces.
    group, reference : numpy.ndarray of bool
        (cells,) cells of each.
    right : numpy.ndarray
        (classes,) right answers R.

    Returns
    -------
    numpy.ndarray or None
        (cells, classes), or None where the variance is 0.
    """
    total = n.sum(0).astype(float)
    n1, n0 = n[group].sum(0).astype(float), n[reference].sum(0).astype(float)
    both = (n1 > 0) & (n0 > 0)
    w = np.divide(n1 * n0, n1 + n0, out=np.zeros_like(n1), where=both)
    spread = np.divide(right * (total - right), total * (total - 1), out=np.zeros_like(total), where=total > 1)
    variance = float(w @ spread)
    if variance < 1e-12:
        return None
    share = np.divide(w, n1, out=np.zeros_like(w), where=both), np.divide(w, n0, out=np.zeros_like(w), where=both)
    return (np.outer(group, share[0]) - np.outer(reference, share[1])) / np.sqrt(variance)


def step_down(observed: np.ndarray, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return raw and step-down max-T adjusted p values (Westfall & Young 1993, algorithm 4.1).

    Parameters
    ----------
    observed : numpy.ndarray
        (members,) |T|.
    draws : numpy.ndarray
        (draws, members) |T| under permutation.

    Returns
    -------
    tuple of two numpy.ndarray
        (1 + #{draw ≥ observed})/(1 + draws), of each member by itself and of the maximum over it and all that are
        less extreme, made monotone.
    """
    reached = observed - 1e-9
    raw = (1 + (draws >= reached).sum(0)) / (1 + len(draws))
    order = np.argsort(-observed, kind="stable")
    highest = np.maximum.accumulate(draws[:, order[::-1]], axis=1)[:, ::-1]
    adjusted = np.maximum.accumulate((1 + (highest >= reached[order]).sum(0)) / (1 + len(draws)))
    out = np.empty_like(raw)
    out[order] = adjusted
    return raw, out


def permuted(
    n: np.ndarray, right: np.ndarray, weights: np.ndarray, stream: np.random.Generator, draws: int
) -> np.ndarray:
    """Return (draws, members) |T| with the right answers of every class dealt anew over its cells.

    ``weights`` has shape (members, cells, classes).
    """
    out = []
    for done in range(0, draws, CHUNK):
        size = min(CHUNK, draws - done)
        total = np.zeros((size, len(weights)))
        for c in np.flatnonzero((right > 0) & (right < n.sum(0))):
            cells = np.flatnonzero(n[:, c])
            dealt = stream.multivariate_hypergeometric(n[cells, c], int(right[c]), size=size, method="marginals")
            total += dealt @ weights[:, cells, c].T
        out.append(np.abs(total))
    return np.concatenate(out)


def max_t(sample: Sample, settings: Settings, draws: int = DRAWS) -> Iterator[Row]:
    """Yield the ledger's rows of the per-class gaps and combined attributes of every arm, adjusted together."""
    for arm in sample.arms.values():
        codes, n, x, _ = shared_cells(arm, sample)
        right = x.sum(0)
        members: list[Row] = []
        weights = []
        for a, attribute in enumerate(sample.attributes):
            for g, group in enumerate(attribute.groups):
                reference = attribute.groups[attribute.reference]
                inside = codes[:, a] == g, codes[:, a] == attribute.reference
                sizes = [int(n[cells].sum()) for cells in inside]
                if g == attribute.reference or pair_status(sizes, (group, reference), settings.minimum_faces) != "ok":
                    continue
                pair = {"arm": arm.name, "attribute": attribute.name, "group": group, "reference": reference}
                chosen = [(label, np.arange(n.shape[1]) == c) for c, label in enumerate(sample.classes)]
                for label, classes in ([(None, np.ones(n.shape[1], bool))] if attribute.combined else []) + chosen:
                    found = contrast_weights(n * classes, *inside, right * classes)
                    if found is not None:
                        members.append(pair | {"class": label})
                        weights.append(found)
        if not members:
            continue
        stacked = np.stack(weights)
        observed = np.abs(np.einsum("mcy,cy->m", stacked, x))
        stream = generator(settings.seed, "audit", "max-T", arm.name)
        raw, adjusted = step_down(observed, permuted(n, right, stacked, stream, draws))
        for member, t, p, together in zip(members, observed, raw, adjusted, strict=True):
            yield member | {
                "table": "multiplicity",
                "family": FAMILY,
                "m": len(members),
                "statistic": float(t),
                "p_value": float(p),
                "p_adjusted": float(together),
                "method": METHOD,
                "draws": draws,
                "status": "ok",
            }


def ledger(tables: Mapping[str, Sequence[Row]]) -> Iterator[Row]:
    """Yield the rows of ``multiplicity`` for every p value that another table adjusts, with the size of its family.

    Fairness metrics of the same faces depend on each other in no known way, so their Benjamini–Hochberg p, which asks
    for independence or positive dependence, has Benjamini and Yekutieli's (2001) beside it, which holds under any.
    """
    for name, rows in tables.items():
        if name in ("verdicts", "sensitivity", "multiplicity"):  # they repeat what other tables adjust
            continue
        tested = against_baseline(rows) if name == "tradeoff" else rows
        found = [row for row in tested if row.get("p_adjusted") is not None and row.get("adjustment") is not None]
        family = [(row.get("arm"), row.get("contrast"), family_name(name, row), row["adjustment"]) for row in found]
        sizes = Counter(family)
        members = [
            {"table": name, "family": key[2], "m": sizes[key], "method": row["adjustment"], "status": "ok"}
            | {column: row.get(column) for column in MEMBER}
            for key, row in zip(family, found, strict=True)
        ]
        yield from members
        if name == "fairness":
            for key in sizes:
                own = [member for member, other in zip(members, family, strict=True) if other == key]
                adjusted = multipletests([member["p_value"] for member in own], method="fdr_by")[1]
                for member, p in zip(own, adjusted, strict=True):
                    yield member | {"method": "by", "p_adjusted": float(min(p, 1.0))}


MEMBER = (
    *("arm", "contrast", "attribute", "group", "reference", "metric", "class", "summary"),
    *("statistic", "p_value", "p_adjusted"),
)


def against_baseline(rows: Iterable[Row]) -> list[Row]:
    """Return the two p values of each row of ``tradeoff`` as rows of their own; an arm's accuracy appears once.

    Their families hold all arms, so that none of them is the arm's own.
    """
    found, seen = [], set()
    for row in rows:
        head = {"adjustment": "holm", "metric": "accuracy"}
        if row.get("accuracy_p_adjusted") is not None and row["arm"] not in seen:
            seen.add(row["arm"])
            p = {"p_value": row["accuracy_p_value"], "p_adjusted": row["accuracy_p_adjusted"]}
            found.append(head | p | {"family": "accuracy against the baseline"})
        if row.get("gap_p_adjusted") is not None:
            pair = {key: row[key] for key in ("attribute", "group", "reference")}
            p = {"p_value": row["gap_p_value"], "p_adjusted": row["gap_p_adjusted"]}
            of = f"{row['group']} − {row['reference']}"
            found.append(head | pair | p | {"family": f"gap against the baseline, {of}"})
    return found


def family_name(table: str, row: Row) -> str:
    """Return a row's family; tables that do not name theirs hold one for plain and one for combined attributes."""
    if table in PER_ATTRIBUTE:
        return f"{row.get('family') or table}, {row['attribute']}"
    if row.get("family"):
        return row["family"]
    plain = {"gap_changes": "change of the gap", "models_compared": "pairs of arms"}.get(table, table)
    return plain + (" of combinations" if "*" in (row.get("attribute") or "") else "")


def ledger_order(rows: Iterable[Row]) -> list[Row]:
    """Return the rows with each family together, in the order in which families first appear."""
    families: dict[tuple, list[Row]] = {}
    for row in rows:
        families.setdefault((row["table"], row.get("arm"), row.get("contrast"), row["family"]), []).append(row)
    return [row for family in families.values() for row in family]

"""How far two things go together, or one is uneven, by a table of counts: as published and in corrected forms.

Every measure takes counts (…, k, n), of k groups and n labels, and returns (…,); leading axes are resamples. Groups
without a face take no part. Logarithms are natural unless a docstring says bits.
"""

from collections.abc import Callable

import numpy as np

Measure = Callable[[np.ndarray], np.ndarray]


def shares(counts: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """Return counts divided by their sum over an axis, 0 where that is 0."""
    total = counts.sum(axis, keepdims=True)
    return np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0)


def entropy(p: np.ndarray, axis: int | tuple[int, ...] = -1) -> np.ndarray:
    """Return −Σ p log p over an axis, with 0 log 0 = 0."""
    # shares whose sum rounds above 1 would make it less than 0, which has no root
    return np.maximum(-(p * np.log(np.where(p > 0, p, 1.0))).sum(axis), 0.0)


def over_groups(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the mean over the groups that have a face; ``values`` is (…, k)."""
    present = counts.sum(-1) > 0
    return np.where(present, values, 0).sum(-1) / np.maximum(present.sum(-1), 1)


def over_pairs(divergence: Callable[[np.ndarray, np.ndarray], np.ndarray], counts: np.ndarray) -> np.ndarray:
    """Return the mean over pairs of groups that have a face of a divergence of their label shares."""
    p, present = shares(counts, -1), counts.sum(-1) > 0
    first, second = np.triu_indices(counts.shape[-2], 1)
    both = present[..., first] & present[..., second]
    values = np.where(both, divergence(p[..., first, :], p[..., second, :]), 0)
    return values.sum(-1) / np.maximum(both.sum(-1), 1)


def mutual_information(counts: np.ndarray) -> np.ndarray:
    """Return I(Y; A) in nats."""
    p = shares(counts, (-2, -1))
    return np.maximum(entropy(p.sum(-1)) + entropy(p.sum(-2)) - entropy(p, (-2, -1)), 0)


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return part / whole, 0 where the whole is 0: what does not vary depends on nothing."""
    part, whole = np.broadcast_arrays(part, whole)
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 1e-15)


# as published: Hosseini, Pourramezan Fard & Mahoor, Faces of Fairness, Eqs. 1–7


def wd(counts: np.ndarray) -> np.ndarray:
    """Return Eq. 1, the mean over pairs of groups of the mean over labels of |p(y|a) − p(y|b)|.

    No Wasserstein distance: no ground distance between labels enters, it is 2/n of the total variation and so at most
    2/n (2/7 with seven labels), although it is called a score from 0 to 1.
    """
    return over_pairs(lambda p, q: np.abs(p - q).mean(-1), counts)


def jsd(counts: np.ndarray) -> np.ndarray:
    """Return Eq. 2, the mean over pairs of groups of the Jensen–Shannon divergence divided by the number of labels.

    The division by n keeps it below log 2 / n (0.099 with seven labels); disjoint groups do not score 1.
    """
    return over_pairs(lambda p, q: _jensen_shannon(p, q) / p.shape[-1], counts)


def cebi(counts: np.ndarray) -> np.ndarray:
    """Return Eq. 3, the mean over groups of 1 − H(Y|a) / H(Y).

    The groups count alike whatever their size, so it is no conditional entropy of Y given A; a group with more even
    labels than all faces together makes it negative.
    """
    within, whole = entropy(shares(counts, -1)), entropy(shares(counts.sum(-2), -1))
    return over_groups(1 - ratio(within, whole[..., None]), counts)


def si(counts: np.ndarray) -> np.ndarray:
    """Return Eq. 4, the mean over groups of (Σ p(y|a)² − 1/n) / (1 − 1/n).

    It measures uneven labels within groups, not a difference between groups: a perfectly independent table scores
    above 0 wherever the labels are uneven, and it is no Gini coefficient (but Simpson's index, normalised).
    """
    n = counts.shape[-1]
    return over_groups(((shares(counts, -1) ** 2).sum(-1) - 1 / n) / (1 - 1 / n), counts)


def nse(counts: np.ndarray) -> np.ndarray:
    """Return Eq. 5, 1/k Σ p(a) |1 − H(Y|a) / log n|.

    p(a) already averages over groups, so the further division by k makes more groups look less biased. Like ``si`` it
    measures uneven labels, not a dependence on the group.
    """
    evenness = np.abs(1 - entropy(shares(counts, -1)) / np.log(counts.shape[-1]))
    return (shares(counts.sum(-1), -1) * evenness).sum(-1) / counts.shape[-2]


def nls(counts: np.ndarray) -> np.ndarray:
    """Return Eq. 6, the mean over groups of |S| / (1 + |S|), S the skewness of the group's n label shares.

    μ and σ (population form) are those of the group's own shares. The skewness of a set of shares does not tell which
    label is rare: one common label scores as high as one rare one, and shares as uneven as 0.5, 0.5, 0, 0 score 0.
    """
    p = shares(counts, -1)
    centred = p - p.mean(-1, keepdims=True)
    skewness = np.abs(ratio((centred**3).mean(-1), (centred**2).mean(-1) ** 1.5))
    return over_groups(skewness / (1 + skewness), counts)


def gnmi(counts: np.ndarray) -> np.ndarray:
    """Return Eq. 7, I(Y; A) / √(H(Y) H(A)).

    As written it is the normalised mutual information, 0 for independent and 1 for equal partitions; the published
    values from 26 to 84 % cannot come from it, where labels depend on the group as weakly as WD and JSD say.
    """
    return normalised_mutual_information(counts)


# corrected forms


def total_variation(counts: np.ndarray) -> np.ndarray:
    """Return the mean over pairs of groups of ½ Σ |p(y|a) − p(y|b)|: the share of faces with other labels, 0 … 1.

    The Wasserstein distance where any two labels are equally far apart.
    """
    return over_pairs(lambda p, q: np.abs(p - q).sum(-1) / 2, counts)


def jensen_shannon(counts: np.ndarray) -> np.ndarray:
    """Return the mean over pairs of groups of the Jensen–Shannon divergence in bits, 0 … 1 (Lin 1991)."""
    return over_pairs(lambda p, q: _jensen_shannon(p, q) / np.log(2), counts)


def _jensen_shannon(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return np.maximum(entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2, 0)


def normalised_mutual_information(counts: np.ndarray) -> np.ndarray:
    """Return I(Y; A) / √(H(Y) H(A)), 0 … 1 (Strehl & Ghosh 2002)."""
    p = shares(counts, (-2, -1))
    return ratio(mutual_information(counts), np.sqrt(entropy(p.sum(-1)) * entropy(p.sum(-2))))


def uncertainty_coefficient(counts: np.ndarray) -> np.ndarray:
    """Return I(Y; A) / H(Y), the share of the labels' entropy that the group takes away, 0 … 1 (Theil 1970)."""
    return ratio(mutual_information(counts), entropy(shares(counts, (-2, -1)).sum(-2)))


def cramers_v(counts: np.ndarray) -> np.ndarray:
    """Return Cramér's V with Bergsma's (2013) correction, 0 … 1.

    φ² is diminished by its expectation under independence, (k − 1)(n − 1) / (N − 1), and k and n likewise; empty rows
    and columns do not count.
    """
    total = counts.sum((-2, -1))
    rows, columns = counts.sum(-1), counts.sum(-2)
    expected = rows[..., :, None] * columns[..., None, :] / np.maximum(total, 1)[..., None, None]
    squared = ratio((counts - expected) ** 2, expected).sum((-2, -1)) / np.maximum(total, 1)
    k, n, less = (rows > 0).sum(-1), (columns > 0).sum(-1), np.maximum(total - 1, 1)
    corrected = np.maximum(squared - (k - 1) * (n - 1) / less, 0)
    smaller = np.minimum(k - (k - 1) ** 2 / less, n - (n - 1) ** 2 / less) - 1
    return np.sqrt(np.minimum(ratio(corrected, smaller), 1))


ASSOCIATIONS: dict[str, Measure] = {
    "total_variation": total_variation,
    "jensen_shannon": jensen_shannon,
    "normalised_mutual_information": normalised_mutual_information,
    "uncertainty_coefficient": uncertainty_coefficient,
    "cramers_v": cramers_v,
}
"""Corrected measures of dependence; each is 0 under independence and at most 1."""
PUBLISHED: dict[str, Measure] = {"WD": wd, "JSD": jsd, "CEBI": cebi, "SI": si, "NSE": nse, "NLS": nls, "GNMI": gnmi}
"""As the paper writes them."""


# of one attribute alone, from counts (…, k)


def effective_number(counts: np.ndarray) -> np.ndarray:
    """Return how unevenly faces fall on groups, 1 − (e^H − 1) / (k − 1), 0 (even) … 1 (one group alone).

    e^H is the effective number of groups (Hill 1973; Jost 2006).
    """
    k = counts.shape[-1]
    return 1 - (np.exp(entropy(shares(counts, -1))) - 1) / (k - 1)


def normalised_deviation(counts: np.ndarray) -> np.ndarray:
    """Return the standard deviation of the groups' shares divided by its largest value, √(k − 1) / k: 0 … 1.

    The normalised standard deviation of Dominguez-Catena, Paternain & Galar (2024).
    """
    k = counts.shape[-1]
    return shares(counts, -1).std(-1) * k / np.sqrt(k - 1)


UNEVENNESS: dict[str, Measure] = {
    "effective_number": effective_number,
    "normalised_deviation": normalised_deviation,
}
"""Measures of one attribute's groups alone; each is 0 for equal shares and at most 1."""


# of one group and one label


def duchers_z(counts: np.ndarray) -> np.ndarray:
    """Return Ducher's Z of each cell, (…, k, n): −1 (never together) … 0 (independent) … 1 (as often as can be).

    (p(a, y) − p(a) p(y)) divided by its largest possible size of that sign (Ducher et al. 1994).
    """
    p = shares(counts, (-2, -1))
    rows, columns = p.sum(-1)[..., :, None], p.sum(-2)[..., None, :]
    product, excess = rows * columns, p - rows * columns
    above = np.minimum(rows, columns) - product
    below = product - np.maximum(rows + columns - 1, 0)
    return np.where(excess > 0, ratio(excess, above), ratio(excess, below))

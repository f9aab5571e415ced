"""Exact and near duplicates."""

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fergap.faces.duplicates import connected, correlations, exact_sets, near_pairs, near_sets, signatures, standardised
from fergap.faces.pictures import read_pictures


def sizes(sets: np.ndarray) -> tuple[int, int]:
    """Redundant pictures, and sets of more than one."""
    counts = np.unique(sets, return_counts=True)[1]
    return int((counts - 1).sum()), int((counts > 1).sum())


def crowd(seed: int, people: int, copies: int, side: int) -> np.ndarray:
    """Smooth pictures, each with copies under other noise; some exact copies and flat pictures."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(30, 220, (people, 4, 4))
    smooth = np.kron(coarse, np.ones((side // 4, side // 4)))
    noisy = smooth.repeat(copies, axis=0) + rng.normal(
        0, rng.uniform(0, 40, (people * copies, 1, 1)), (people * copies, side, side)
    )
    flat = np.full((3, side, side), 7.0) + np.array([0, 0, 1])[:, None, None]
    return np.concatenate([noisy, noisy[:2], flat]).clip(0, 255).astype("uint8")


def by_brute_force(pixels: np.ndarray, threshold: float) -> np.ndarray:
    flat = pixels.reshape(len(pixels), -1)
    same = (flat[:, None] == flat[None]).all(axis=2)
    rows = standardised(pixels, "float64")
    links = same | (rows @ rows.T > threshold)
    return connected_components(coo_array(links), directed=False)[1]


def partition(sets: np.ndarray) -> np.ndarray:
    return sets[:, None] == sets[None]


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 1000), threshold=st.sampled_from([0.5, 0.8, 0.9, 0.97]), side=st.sampled_from([8, 16, 48]))
def test_sets_are_those_of_a_full_comparison_in_any_order_of_rows(seed: int, threshold: float, side: int):
    pixels = crowd(seed, 6, 4, side)
    exact, near = exact_sets(pixels), near_sets(pixels, threshold)
    assert (partition(near) == partition(by_brute_force(pixels, threshold))).all()
    order = np.random.default_rng(seed).permutation(len(pixels))
    assert (partition(near_sets(pixels[order], threshold)) == partition(near)[order][:, order]).all()
    for sets in (exact, near):
        assert sets.dtype == np.int64
        assert (sets[sets] == sets).all()  # an id is a member of its own set ...
        assert (sets <= np.arange(len(sets))).all()  # ... and the smallest
    assert (partition(near) | ~partition(exact)).all()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000))
def test_signatures_bound_the_correlation_from_above(seed: int):
    pixels = crowd(seed, 5, 3, 16)
    short, rows = signatures(pixels, 5), standardised(pixels, "float64")
    assert (short @ short.T >= rows @ rows.T - 1e-5).all()


def test_flat_pictures_are_linked_to_exact_copies_alone():
    flat = np.stack([np.full((48, 48), value, "uint8") for value in (0, 9, 9, 255)])
    assert near_sets(flat).tolist() == [0, 1, 1, 3]


def test_no_picture_and_one_picture():
    assert exact_sets(np.zeros((0, 48, 48), "uint8")).tolist() == []
    assert near_sets(np.zeros((1, 48, 48), "uint8")).tolist() == [0]


def test_brightness_and_contrast_do_not_hide_a_copy():
    one = crowd(3, 1, 1, 48)[0] // 2
    pixels = np.stack([one, one + 60, 255 - one])
    assert exact_sets(pixels).tolist() == [0, 1, 2]
    assert near_sets(pixels).tolist() == [0, 0, 2]


def test_golden_counts_of_all_pictures(real_data: Path):
    paths = sorted(real_data.glob("FER2013*/*.png"))
    pixels, reason = read_pictures(paths, 48)
    assert len(pixels) == 35_710
    assert (reason == "").all()
    exact = exact_sets(pixels)
    assert sizes(exact) == (1_840, 1_513)
    pairs = near_pairs(pixels, exact, 0.9)
    assert sizes(connected(exact, pairs)) == (3_442, 2_276)

    # a search that looks only at pairs whose means of 3 × 3 pixels correlate above 0.98 finds fewer: the difference is
    # real copies (other crops, watermarks), which the bound of `signatures` does not lose
    means = pixels.reshape(-1, 16, 3, 16, 3).mean(axis=(2, 4))
    assert sizes(connected(exact, pairs[correlations(means, pairs) > 0.98])) == (2_582, 1_876)

"""The benchmark of the data set's bias, with fewer tables: intervals hold the truth as often as they say."""

import pytest
from scipy.stats import binom

TABLES = 200


@pytest.fixture(scope="module")
def benchmark(benchmark_named):
    return benchmark_named("dataset_bias")


def test_the_truth_of_a_scenario_by_hand(benchmark):
    moved = benchmark.SCENARIOS["16,000 faces, 2 groups, one of 10 %, 4 labels, 5 points moved"]
    assert not moved.null
    assert moved.truth["total_variation"] == pytest.approx(0.05)
    assert moved.truth["WD"] == pytest.approx(0.05 * 2 / 4)
    assert benchmark.SCENARIOS["300 faces, 2 groups, 7 labels"].null
    assert not benchmark.SCENARIOS["1,000 faces, groups of 60, 30 and 10 %"].null


@pytest.mark.parametrize(
    "name",
    ["100 faces, 2 groups, 4 labels", "2,000 faces, 2 groups, one of 10 %, 7 labels", "100 faces, 2 equal groups"],
)
def test_where_nothing_differs_each_corrected_measure_says_so_at_its_rate(benchmark, name):
    rows = [row for row in benchmark.measure(name, TABLES, 200, 3) if row["form"] == "corrected"]
    assert {row["truth"] for row in rows} == {0}
    # fewer than the binomial's 0.1 % of right intervals, or of wrong p-values, is a failure
    fewest = binom.ppf(0.001, TABLES, 0.95) / TABLES
    assert min(row["coverage"] for row in rows) >= fewest, rows
    assert max(row["p_below_0.05"] for row in rows) <= 1 - fewest, rows
    for row in rows:  # what is expected is what comes about
        assert row["mean_estimate"] == pytest.approx(row["mean_expected"], rel=0.5), row


def test_measures_of_uneven_groups_hold_the_population(benchmark):
    rows = list(benchmark.measure("1,000 faces, groups of 60, 30 and 10 %", 200, 200, 3))
    assert min(row["coverage"] for row in rows) >= binom.ppf(0.001, 200, 0.95) / 200, rows
    assert min(row["p_below_0.05"] for row in rows) == 1

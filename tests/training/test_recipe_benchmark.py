"""The ablation takes one ingredient away at a time and compares face by face."""

from dataclasses import asdict

import pandas as pd
import pytest

from fergap.training.recipe import Recipe

OFF = asdict(Recipe())


@pytest.fixture(scope="module")
def benchmark(benchmark_named):
    return benchmark_named("recipe")


def test_each_row_leaves_one_ingredient_out(benchmark):
    strong = OFF | {
        "optimizer": "adamw",
        "weight_decay": 0.05,
        "schedule": "one_cycle",
        "learning_rate": 0.01,
        "mixup": 0.2,
    }
    rows = dict(benchmark.without(strong, OFF))
    assert set(rows) == {
        "optimizer, weight decay as published",
        "schedule, learning rate as published",
        "mixup as published",
    }
    assert rows["mixup as published"] == strong | {"mixup": 0}
    assert rows["schedule, learning rate as published"] == strong | {"schedule": "constant", "learning_rate": 0.001}
    assert not list(benchmark.without(OFF, OFF))


def predictions(*right):
    """Return predictions of as many faces, right or wrong, with probability 0.8 for the class that is predicted."""
    frame = pd.DataFrame({"image_id": range(len(right)), "true": "a", "predicted": ["a" if r else "b" for r in right]})
    frame["p_a"] = [0.8 if r else 0.2 for r in right]
    frame["p_b"] = 1 - frame["p_a"]
    frame.attrs["seconds"] = 1.0
    return frame


def test_a_row_is_paired_by_face(benchmark):
    whole = predictions(*[True] * 60, *[False] * 40)
    own = predictions(*[True] * 50, *[False] * 10, *[True] * 5, *[False] * 35)
    row = benchmark.row("x", own, whole)
    assert (row["n"], row["lost"], row["gained"]) == (100, 10, 5)
    assert row["accuracy"] == 0.55
    assert row["difference"] == pytest.approx(-0.05)
    # Bonett & Price by hand: 6/102 - 11/102 ± 1.959964 sqrt((17/102 - (5/102)²) / 102)
    assert row["ci_low"] == pytest.approx(-0.0490196 - 0.0786536, abs=1e-5)
    assert row["ci_high"] == pytest.approx(-0.0490196 + 0.0786536, abs=1e-5)
    # -(55 ln 0.8 + 45 ln 0.2) / 100
    assert row["cross_entropy"] == pytest.approx(0.846976, abs=1e-5)
    with pytest.raises(RuntimeError, match="other faces"):
        benchmark.row("x", own.assign(image_id=own["image_id"] + 1), whole)

"""Weights of training rows: sums as stated, neutral settings that change no bit, weights by confidence."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_sample_weight

from fergap.training.objective import Average, Batch
from fergap.training.weighting import ConfidenceWeights, row_weights

from .examples import RECIPE
from .test_together import UNITS, Heard, tasks_of, train_together

FACES = pd.DataFrame(
    {
        "age": ["child"] * 2 + ["adult"] * 6 + ["unknown"] * 2 + ["old"],
        "gender": ["female", "male"] * 5 + ["male"],
        "class": ["fear", "joy"] + ["fear"] * 2 + ["joy"] * 4 + ["fear", "joy", "joy"],
    },
    dtype=object,
)
ROWS = np.arange(10)  # the old one is no training face


def weights(rows=ROWS, groups=FACES, **settings):
    return row_weights(rows, groups, settings, "here")


def test_inverse_frequency_by_hand():
    found = weights(by="age")
    assert found.dtype == np.float32
    # 8 rows of known age in 2 groups: 8 / (2 · 2) and 8 / (2 · 6); who is unknown or not trained on weighs 1
    np.testing.assert_allclose(found, [2, 2] + [2 / 3] * 6 + [1, 1, 1], rtol=1e-6)


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=40))
def test_inverse_frequency_is_what_scikit_learn_calls_balanced(labels):
    groups = pd.DataFrame({"class": labels}, dtype=object)
    found = weights(np.arange(len(labels)), groups, by="class")
    np.testing.assert_allclose(found, compute_sample_weight("balanced", labels), rtol=1e-5)


def test_repeated_rows_count_as_often_as_they_are_trained_on():
    rows = np.array([0, 0, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7])  # children oversampled to parity
    np.testing.assert_allclose(weights(rows, by="age"), 1, rtol=1e-6)


@pytest.mark.parametrize("power", [0.25, 0.5, 1])
@pytest.mark.parametrize("by", ["age", "class", "age*class", ["age", "class"], "gender*age*class"])
def test_the_mean_over_the_training_rows_is_one(by, power):
    found = weights(by=by, power=power)
    assert found[ROWS].mean() == pytest.approx(1, abs=1e-6)
    assert (found > 0).all()
    if isinstance(by, str) and "age" in by:
        assert found[8] == pytest.approx(1, abs=1e-6)


def test_a_power_between_is_between_by_hand():
    found = weights(by="age", power=0.5)
    mean = (2 * 2**0.5 + 6 * (2 / 3) ** 0.5) / 8
    np.testing.assert_allclose(found[[0, 2]], [2**0.5 / mean, (2 / 3) ** 0.5 / mean], rtol=1e-6)


def test_several_attributes_are_multiplied():
    age, label, both = weights(by="age"), weights(by="class"), weights(by=["age", "class"])
    product = age.astype(float) * label
    np.testing.assert_allclose(both, product / product[ROWS].mean(), rtol=1e-6)


def test_reweighing_as_its_authors_print_it():
    """The ten people of Kamiran & Calders 2012: weights 1.5, 0.67, 0.75 and 2."""
    groups = pd.DataFrame(
        {
            "sex": ["f"] * 5 + ["m"] * 5,
            "class": ["+"] * 2 + ["-"] * 3 + ["+"] * 4 + ["-"],
        },
        dtype=object,
    )
    found = weights(np.arange(10), groups, by="sex", kind="reweighing")
    np.testing.assert_allclose(found, [1.5] * 2 + [2 / 3] * 3 + [0.75] * 4 + [2], rtol=1e-6)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), min_size=1, max_size=40))
def test_reweighing_makes_group_and_class_independent(pairs):
    pairs += [(g, c) for g in "ab" for c in "xyz"]  # no empty cell
    groups = pd.DataFrame(pairs, columns=["age", "class"], dtype=object)
    found = weights(np.arange(len(pairs)), groups, by="age", kind="reweighing").astype(float)
    table = groups.assign(w=found).pivot_table(index="age", columns="class", values="w", aggfunc="sum")
    table = table.to_numpy() / found.sum()
    np.testing.assert_allclose(table, table.sum(1, keepdims=True) * table.sum(0), rtol=1e-4)


def test_reweighing_of_what_is_independent_changes_nothing():
    groups = pd.DataFrame([(g, c) for g in "ab" for c in "xy"] * 3, columns=["age", "class"], dtype=object)
    assert (weights(np.arange(12), groups, by="age", kind="reweighing") == 1).all()


def test_power_zero_is_no_weight():
    assert weights(by="age", power=0) is None


SCORES = torch.tensor([[2.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 0.0], [4.0, 0.0, 0.0]], requires_grad=True)
LABELS = torch.tensor([0, 0, 1, 2])
AGES = {"age": torch.tensor([0, 1, 1, -1])}


def batch(**changes):
    return Batch(torch.zeros(4, 1, 1, 1), LABELS, LABELS, AGES, scores=SCORES.detach(), **changes)


def unsure():
    return 1 - SCORES.detach().softmax(1)[torch.arange(4), LABELS]


@pytest.mark.parametrize("power", [0.5, 1, 2])
def test_confidence_by_hand(power):
    expected = unsure() ** power
    expected = expected / expected.mean()
    average = ConfidenceWeights(power)
    torch.testing.assert_close(average.weights(batch()), expected)
    losses = torch.tensor([1.0, 2.0, 3.0, 4.0])
    torch.testing.assert_close(average(losses, batch()), (losses * expected).mean())
    own = torch.tensor([2.0, 0.0, 1.0, 1.0])
    torch.testing.assert_close(average(losses, batch(weights=own)), (losses * expected * own).mean())


def test_confidence_of_groups_by_hand():
    young, old = unsure()[0], unsure()[1:3].mean()
    mean = (young + 2 * old) / 3
    expected = torch.stack([young / mean, old / mean, old / mean, torch.tensor(1.0)])
    torch.testing.assert_close(ConfidenceWeights(1, "age", 2).weights(batch()), expected)


def test_no_gradient_flows_through_the_weights():
    losses = torch.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    ConfidenceWeights(2)(losses, batch()).backward()
    torch.testing.assert_close(losses.grad, ConfidenceWeights(2).weights(batch()) / 4)


def test_a_network_that_is_sure_of_everything_has_no_loss_left():
    sure = Batch(torch.zeros(2, 1, 1, 1), LABELS[:2], LABELS[:2], scores=torch.tensor([[200.0, 0.0], [200.0, 0.0]]))
    assert ConfidenceWeights(1)(torch.ones(2), sure) == 0


@pytest.mark.parametrize("by", [None, "age"])
def test_power_zero_is_the_mean_bit_for_bit(by):
    losses = torch.rand(4, generator=torch.Generator().manual_seed(1))
    assert ConfidenceWeights(0, by, 2)(losses, batch()) == Average()(losses, batch())


def probabilities(inputs, folder, recipe=RECIPE, **options):
    arm = {"name": "a", "network": "pyramid"} | options
    tasks = tasks_of(inputs[1], folder, arm=arm, units=UNITS[:1], recipe=recipe)
    return train_together(tasks, Heard().voice)[0].probabilities


def test_power_zero_trains_the_same_network_and_other_powers_another(inputs, tmp_path):
    plain = probabilities(inputs, tmp_path / "plain")
    off = {"reweight": {"by": "age*class", "power": 0}, "confidence_weights": {"power": 0, "by": "age"}}
    assert (probabilities(inputs, tmp_path / "off", **off) == plain).all()
    for name, option in {"reweight": {"by": "age"}, "confidence_weights": {"power": 1}}.items():
        assert not np.allclose(probabilities(inputs, tmp_path / name, **{name: option}), plain)


def test_mixed_and_smoothed_targets(inputs, tmp_path):
    recipe = RECIPE | {"mixup": 0.4, "label_smoothing": 0.1}
    options = {"reweight": {"by": "age", "kind": "reweighing"}, "confidence_weights": {"power": 2, "by": "class"}}
    assert np.isfinite(probabilities(inputs, tmp_path, recipe, **options)).all()

"""Losses of single rows against their formulas, written out in numpy."""

import numpy as np
import pytest
import torch

from fergap.training.losses import Focal, SymmetricCrossEntropy, focal, symmetric_cross_entropy
from fergap.training.objective import LOSSES, Context, RowLoss
from fergap.training.recipe import Recipe

SCORES = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0], [-3.0, 4.0, 1.0], [60.0, -60.0, 0.0]])
LABELS = torch.tensor([0, 2, 2, 1])
SOFT = torch.tensor([[0.7, 0.3, 0.0], [0.2, 0.2, 0.6], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]])


def probabilities():
    exponents = np.exp(SCORES.double().numpy())
    return exponents / exponents.sum(1, keepdims=True)


def context(**recipe):
    return Context(3, {}, {}, Recipe(**recipe), torch.nn.Identity(), 1, 8)


def hard(smoothing):
    return np.eye(3)[LABELS.numpy()] * (1 - smoothing) + smoothing / 3


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_focal_is_its_formula(gamma, smoothing):
    p = probabilities()
    loss = Focal(gamma, smoothing)
    expected = -(hard(smoothing) * (1 - p) ** gamma * np.log(p)).sum(1)
    np.testing.assert_allclose(loss(SCORES, LABELS), expected, rtol=1e-4, atol=1e-5)
    softened = SOFT.numpy() * (1 - smoothing) + smoothing / 3
    expected = -(softened * (1 - p) ** gamma * np.log(p)).sum(1)
    np.testing.assert_allclose(loss(SCORES, SOFT), expected, rtol=1e-4, atol=1e-5)


def test_focal_of_a_label_is_the_published_equation():
    # (1 - 1/3)^2 log 3 by hand, for the row of equal scores
    assert Focal(2.0)(SCORES, LABELS)[1].item() == pytest.approx(4 / 9 * np.log(3))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_focal_of_gamma_zero_is_cross_entropy_to_the_last_bit(smoothing):
    ours = focal({"gamma": 0}, context(label_smoothing=smoothing))
    for targets in (LABELS, SOFT):
        assert torch.equal(ours(SCORES, targets), RowLoss(smoothing)(SCORES, targets))
    torch.testing.assert_close(Focal(1e-9)(SCORES, LABELS), RowLoss()(SCORES, LABELS), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_focal_has_finite_slopes_where_the_network_is_certain(gamma):
    scores = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
    Focal(gamma)(scores, torch.tensor([0, 0])).sum().backward()
    assert torch.isfinite(scores.grad).all()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_symmetric_cross_entropy_is_its_formula(smoothing):
    p = probabilities()
    loss = SymmetricCrossEntropy(0.3, 0.7, -4.0, smoothing)
    for targets, whole in ((LABELS, hard(smoothing)), (SOFT, SOFT.numpy() * (1 - smoothing) + smoothing / 3)):
        with np.errstate(divide="ignore"):
            logs = np.maximum(np.log(whole), -4.0)
        expected = -0.3 * (whole * np.log(p)).sum(1) - 0.7 * (p * logs).sum(1)
        np.testing.assert_allclose(loss(SCORES, targets), expected, rtol=1e-4, atol=1e-5)


def test_the_reverse_of_a_label_is_four_times_the_doubt():
    reverse = SymmetricCrossEntropy(0.0, 1.0, -4.0)(SCORES, LABELS)
    np.testing.assert_allclose(reverse, 4 * (1 - probabilities()[np.arange(4), LABELS]), rtol=1e-5)


def test_without_its_reverse_symmetric_cross_entropy_is_a_multiple_of_cross_entropy():
    for targets in (LABELS, SOFT):
        plain = RowLoss(0.1)(SCORES, targets)
        settings = {"alpha": 0.5, "beta": 0.0, "clip": -4}
        assert torch.equal(symmetric_cross_entropy(settings, context(label_smoothing=0.1))(SCORES, targets), plain / 2)
        assert torch.equal(SymmetricCrossEntropy(1.0, 0.0, -4.0, 0.1)(SCORES, targets), plain)


def test_a_target_of_zero_has_no_slope_that_is_no_number():
    scores = SCORES.clone().requires_grad_()
    SymmetricCrossEntropy(1.0, 1.0, -4.0)(scores, SOFT).sum().backward()
    assert torch.isfinite(scores.grad).all()


def test_both_are_registered():
    assert set(LOSSES) >= {"focal", "symmetric_cross_entropy"}

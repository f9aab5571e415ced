import pytest
import torch

from fergap.training.augment import Augmentation, flip, warp
from fergap.training.recipe import Recipe


@pytest.fixture
def batch():
    return torch.rand(6, 2, 11, 11, generator=torch.Generator().manual_seed(0))


def augmentation(rows, flips, degrees):
    return Augmentation(rows, Recipe(flip=flips, rotation=degrees), lambda _: 1, torch.device("cpu"))


ALL = torch.arange(6)


def test_nothing_asked_nothing_changed(batch):
    assert augmentation(6, 0, 0)(batch, ALL) is batch


def test_a_sure_flip_mirrors_every_picture(batch):
    assert torch.equal(augmentation(6, 1, 0)(batch, ALL), batch.flip(-1))


def test_flip_takes_the_chosen_ones(batch):
    mirrored = torch.tensor([True, False, False, True, False, False])
    out = flip(batch, mirrored)
    assert torch.equal(out[mirrored], batch[mirrored].flip(-1))
    assert torch.equal(out[~mirrored], batch[~mirrored])


@pytest.mark.parametrize("turns", [-1, 0, 1, 2])
def test_quarter_turns(batch, turns):
    out = warp(batch, torch.full((6,), 90.0 * turns))
    torch.testing.assert_close(out, torch.rot90(batch, turns, (2, 3)), atol=1e-5, rtol=0)


def test_rotation_agrees_with_affine_grid(batch):
    # torch.nn.functional.affine_grid as the other way to the same grid
    angle = torch.deg2rad(torch.linspace(-10, 10, 6))
    zero = torch.zeros(6)
    rows = [torch.stack([angle.cos(), -angle.sin(), zero], 1), torch.stack([angle.sin(), angle.cos(), zero], 1)]
    grid = torch.nn.functional.affine_grid(torch.stack(rows, 1), list(batch.shape), align_corners=False)
    expected = torch.nn.functional.grid_sample(batch, grid, padding_mode="zeros", align_corners=False)
    torch.testing.assert_close(warp(batch, torch.rad2deg(angle)), expected, atol=1e-5, rtol=0)


def test_batches_of_an_epoch_are_one_draw(batch):
    whole = augmentation(6, 0.5, 10)(batch, ALL)
    parts = torch.cat([augmentation(6, 0.5, 10)(batch[:2], ALL[:2]), augmentation(6, 0.5, 10)(batch[2:], ALL[2:])])
    assert torch.equal(whole, parts)


def test_angles_and_flips_have_the_asked_distribution():
    drawn = augmentation(20_000, 0.5, 10)
    assert drawn.angles.abs().max() <= 10
    assert drawn.angles.mean().abs() < 0.2
    assert abs(float(drawn.angles.std()) - 20 / 12**0.5) < 0.1
    assert abs(float(drawn.flips.float().mean()) - 0.5) < 0.02

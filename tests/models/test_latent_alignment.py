"""The block and the parts of latent alignment: shapes and counts by hand."""

import pytest
import torch

from fergap.models.latent_alignment import Discriminator, Encoder, Generator, sides
from fergap.models.mbconv import MBConv
from fergap.models.names import ALIGNED
from fergap.models.registry import build, parameters


def weights_of_mbconv(before, after, expansion=4, kernel=3):
    wide, squeezed = expansion * before, before // 4
    convolutions = before * wide + kernel**2 * wide + wide * after
    return convolutions + 2 * (2 * wide + after) + 2 * squeezed * wide + squeezed + wide


@pytest.mark.parametrize(("before", "after", "kernel", "stride"), [(16, 32, 3, 1), (16, 16, 5, 1), (32, 64, 3, 2)])
def test_the_block_by_hand(before, after, kernel, stride):
    block = MBConv(before, after, 4, kernel, stride)
    assert parameters(block) == weights_of_mbconv(before, after, kernel=kernel)
    assert block(torch.zeros(2, before, 12, 12)).shape == (2, after, 12 // stride, 12 // stride)


@pytest.mark.parametrize(("after", "stride", "there"), [(8, 1, True), (16, 1, False), (8, 2, False)])
def test_the_shortcut_is_there_where_nothing_changes_its_shape(after, stride, there):
    block = MBConv(8, after, stride=stride)
    torch.nn.init.zeros_(block.project_norm.weight)
    x = torch.rand(2, 8, 6, 6, generator=torch.Generator().manual_seed(0))
    expected = x if there else torch.zeros_like(block(x))
    assert torch.equal(block(x), expected)


def test_the_block_in_bfloat16_is_near_the_block_in_float32():
    torch.manual_seed(0)
    block, x = MBConv(8, 8).eval(), torch.randn(4, 8, 6, 6)
    with torch.autocast("cpu", torch.bfloat16):
        half = block(x)
    torch.testing.assert_close(half.float(), block(x), atol=0.03, rtol=0.03)


@pytest.mark.parametrize(("size", "side"), [(48, 12), (64, 16), (128, 16), (30, 15), (8, 4)])
def test_a_latent_has_at_most_sixteen_pixels_on_a_side(size, side):
    assert sides(size)[0] == size
    assert sides(size)[-1] == side
    assert Encoder(1, size, 4)(torch.zeros(1, 1, size, size))[0].shape == (1, 4, side, side)


@pytest.mark.parametrize("name", ALIGNED)
@pytest.mark.parametrize(("channels", "size"), [(1, 48), (3, 48), (1, 64), (3, 64), (1, 30)])
def test_pictures_of_any_kind_have_latents_scores_and_reconstructions(name, channels, size):
    model = build(name, 5, channels, size)
    pictures = torch.zeros(2, channels, size, size)
    mean, spread = model.encoder(pictures)
    assert mean.shape == spread.shape == (2, *model.latent)
    assert model(pictures).shape == (2, 5)
    assert Generator(channels, size, model.latent[0])(mean).shape == pictures.shape
    assert Discriminator(model.latent[0], 3)(mean).shape == (2, 3)


def test_the_network_by_hand():
    # stem; one block of two 3×3 convolutions and a 1×1 shortcut, three norms; mean and variance of 16 channels
    encoder = 9 * 16 + 2 * 16 + 9 * 16 * 32 + 9 * 32 * 32 + 16 * 32 + 3 * 2 * 32 + 32 * 32 + 32
    shapes = [(16, 32), (32, 64), (64, 128)]
    head = 128 * 4 + 4
    residual = sum(9 * a * b + 9 * b * b + a * b + 3 * 2 * b for a, b in shapes)
    mobile = sum(weights_of_mbconv(a, b) for a, b in shapes)
    assert parameters(build("latent_alignment", 4)) == encoder + mobile + head
    assert parameters(build("latent_alignment_residual", 4)) == encoder + residual + head


def test_scores_are_those_of_the_latents_mean():
    model = build("latent_alignment", 4).eval()
    pictures = torch.rand(3, 1, 48, 48, generator=torch.Generator().manual_seed(0))
    assert torch.equal(model(pictures), model.classifier(model.encoder(pictures)[0]))

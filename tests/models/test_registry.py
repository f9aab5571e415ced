import pytest
import torch

from fergap.errors import UserError
from fergap.models.names import PUBLISHED, shape_of
from fergap.models.registry import build, flops, parameters
from fergap.models.resblock import AveragePool


@pytest.mark.parametrize(
    ("name", "channels", "size"),
    [("pyramid", 1, 48), ("pyramid", 3, 30), ("pyramid_wide", 3, 30), ("b16_n4_k3", 1, 48), ("b16_n4_k3", 3, 16)],
)
def test_one_score_per_class(name, channels, size):
    model = build(name, 5, channels, size)
    assert model(torch.zeros(2, channels, size, size)).shape == (2, 5)


def test_the_family_by_either_name():
    short, long = build("b16_n8_k5", 4), build("B16_N8_FC2_K5_AP20", 4)
    assert {n: p.shape for n, p in short.named_parameters()} == {n: p.shape for n, p in long.named_parameters()}


@pytest.mark.parametrize(
    ("name", "says"),
    [("b16_n8_k5", (16, 8, 5, 2, 20)), ("b32_n2_k3", (32, 2, 3, 1, 20)), ("B4_N8_FC3_K7_AP10", (4, 8, 7, 3, 10))],
)
def test_a_name_of_the_family_tells_the_network(name, says):
    shape = shape_of(name)
    assert (shape.channels, shape.blocks, shape.kernel, shape.connected, shape.pooled) == says


def test_the_published_network_by_hand():
    # 16 convolutions of 5×5 (the first from 1 channel), 17 batch norms (16 and the first shortcut's), one 1×1 shortcut,
    # 16·20·20 → 64 → 4
    convolutions = 25 * 16 + 15 * 25 * 16 * 16 + 16
    norms = 17 * 2 * 16
    connected = 16 * 20 * 20 * 64 + 64 + 64 * 4 + 4
    assert parameters(build("b16_n8_k5", 4)) == convolutions + norms + connected


def test_the_wide_pyramid_by_hand():
    # stem; two blocks of two 3×3 convolutions and a 1×1 shortcut; seven batch norms; 128 → 4
    blocks = [9 * a * b + 9 * b * b + a * b for a, b in [(32, 64), (64, 128)]]
    norms = 2 * (32 + 3 * 64 + 3 * 128)
    assert parameters(build("pyramid_wide", 4)) == 9 * 32 + sum(blocks) + norms + 128 * 4 + 4


def test_the_twelve_networks_exist():
    assert len(PUBLISHED) == 12
    assert {type(build(name, 4)) for name in PUBLISHED} == {torch.nn.Sequential}


@pytest.mark.parametrize(
    ("name", "said"),
    [("pyramyd", "'pyramid'"), ("b16_n8_k4", "did you mean 'b16_n8_k"), ("resnet", "quickgelu, or channels")],
)
def test_an_unknown_network_is_told_with_what_there_is(name, said):
    with pytest.raises(UserError, match=said):
        build(name, 4)


@pytest.mark.parametrize(("size", "pooled"), [(48, 20), (48, 7), (30, 20), (20, 20), (224, 20), (5, 1)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_average_pooling_equals_torch_forward_and_backward(size, pooled, layout):
    draw = torch.Generator().manual_seed(size)
    x = torch.rand(3, 4, size, size, generator=draw).to(memory_format=layout).requires_grad_()
    ours, theirs = AveragePool(size, pooled)(x), torch.nn.AdaptiveAvgPool2d(pooled)(x)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)
    weights = torch.rand(theirs.shape, generator=draw)
    gradients = [torch.autograd.grad((y * weights).sum(), x)[0] for y in (ours, theirs)]
    torch.testing.assert_close(*gradients, atol=1e-6, rtol=0)


def test_average_pooling_keeps_the_type_and_the_means_of_bfloat16():
    x = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0)).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        out = AveragePool(48, 20)(x)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), torch.nn.AdaptiveAvgPool2d(20)(x.float()), atol=2e-3, rtol=4e-3)


def test_operations_by_hand():
    # two per weight and pixel of each convolution; the pooling's two products; the fully connected layers
    convolutions = 2 * 48 * 48 * (25 * 16 + 15 * 25 * 16 * 16 + 16)
    pooling = 2 * 20 * 48 * 16 * (48 + 20)
    connected = 2 * (16 * 20 * 20 * 64 + 64 * 4)
    assert flops(build("b16_n8_k5", 4), 1, 48) == convolutions + pooling + connected

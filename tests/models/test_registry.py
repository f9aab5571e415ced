import pytest
import torch

from fergap.errors import UserError
from fergap.models.registry import STUDY, build, parameters


@pytest.mark.parametrize(
    ("name", "channels", "size"), [("pyramid", 1, 48), ("pyramid", 3, 30), ("b16_n4_k3", 1, 48), ("b16_n4_k3", 3, 16)]
)
def test_one_score_per_class(name, channels, size):
    model = build(name, 5, channels, size)
    assert model(torch.zeros(2, channels, size, size)).shape == (2, 5)


def test_the_family_by_either_name():
    short, long = build("b16_n8_k5", 4), build("B16_N8_FC2_K5_AP20", 4)
    assert {n: p.shape for n, p in short.named_parameters()} == {n: p.shape for n, p in long.named_parameters()}


def test_the_published_network_by_hand():
    # 16 convolutions of 5×5 (the first from 1 channel), 17 batch norms (16 and the first shortcut's), one 1×1 shortcut,
    # 16·20·20 → 64 → 4
    convolutions = 25 * 16 + 15 * 25 * 16 * 16 + 16
    norms = 17 * 2 * 16
    connected = 16 * 20 * 20 * 64 + 64 + 64 * 4 + 4
    assert parameters(build("b16_n8_k5", 4)) == convolutions + norms + connected


def test_the_twelve_networks_exist():
    assert len(STUDY) == 12
    assert {type(build(name, 4)) for name in STUDY} == {torch.nn.Sequential}


@pytest.mark.parametrize(
    ("name", "said"),
    [("pyramyd", "'pyramid'"), ("b16_n8_k4", "did you mean 'b16_n8_k"), ("resnet", "pyramid, or channels")],
)
def test_an_unknown_network_is_told_with_what_there_is(name, said):
    with pytest.raises(UserError, match=said):
        build(name, 4)

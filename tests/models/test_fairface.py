"""FairFace's model: its network, its preprocessing, its heads, and files of weights that are none."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from fergap.errors import UserError
from fergap.models.fairface import COLUMNS, DEVIATION, MEAN, answers, check_sum, fairface, prepared, probabilities
from fergap.models.operators import torchvision_models

STATE = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def state() -> STATE:
    """Random weights with the names and shapes of the published file: torchvision's ResNet-34 with fc of 18."""
    torch.manual_seed(3)
    model = torchvision_models().resnet34(weights=None)
    model.fc = torch.nn.Linear(model.fc.in_features, 18)
    return model.state_dict()


@pytest.fixture(scope="module")
def weights(state: STATE, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "res34_fair_align_multi_7_20190809.pt"
    torch.save(state, path)
    return path


def sum_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_scores_are_named_in_the_authors_order() -> None:
    # README of FairFace: race_scores_fair, gender_scores_fair, age_scores_fair; predict.py cuts them out in this order
    assert COLUMNS[:7] == tuple(
        f"race_{race}"
        for race in ("White", "Black", "Latino_Hispanic", "East Asian", "Southeast Asian", "Indian", "Middle Eastern")
    )
    assert COLUMNS[7:9] == ("gender_Male", "gender_Female")
    assert COLUMNS[9] == "age_0-2"
    assert COLUMNS[11] == "age_10-19"
    assert COLUMNS[17] == "age_70+"
    assert len(COLUMNS) == 18


def test_each_head_has_a_softmax_of_its_own() -> None:
    scores = torch.randn(5, 18, generator=torch.Generator().manual_seed(1))
    found = probabilities(scores)
    for head in (slice(0, 7), slice(7, 9), slice(9, 18)):
        e = np.exp(scores.numpy()[:, head].astype(float))
        np.testing.assert_allclose(found[:, head], e / e.sum(axis=1, keepdims=True), rtol=1e-6)


def test_a_face_of_the_models_own_size_is_standardised_and_nothing_else() -> None:
    rng = np.random.default_rng(1)
    colour = rng.integers(0, 256, (1, 3, 224, 224), dtype=np.uint8)
    expected = (colour / 255 - np.array(MEAN)[:, None, None]) / np.array(DEVIATION)[:, None, None]
    np.testing.assert_allclose(prepared(colour).numpy(), expected, atol=1e-5)


def test_a_small_face_is_enlarged_as_by_a_bilinear_filter() -> None:
    small = np.random.default_rng(2).integers(0, 256, (2, 48, 48), dtype=np.uint8)
    found = prepared(small)
    assert found.shape == (2, 3, 224, 224)
    grey = found * torch.tensor(DEVIATION)[:, None, None] + torch.tensor(MEAN)[:, None, None]
    torch.testing.assert_close(grey[:, 0], grey[:, 2], atol=1e-5, rtol=0)
    ours = functional.interpolate(torch.from_numpy(small)[:, None].float(), size=224, mode="bilinear")
    # Pillow rounds to whole grey values after each of its two passes
    assert (255 * grey[:, :1] - ours).abs().max() < 1.6


def test_grey_with_a_channel_is_as_grey_without_and_two_channels_are_told() -> None:
    grey = np.random.default_rng(3).integers(0, 256, (2, 48, 48), dtype=np.uint8)
    assert torch.equal(prepared(grey), prepared(grey[:, None]))
    with pytest.raises(UserError, match="2 channels"):
        prepared(np.zeros((1, 2, 8, 8), np.uint8))


def test_answers_are_those_of_the_network_with_the_files_weights(state: STATE, weights: Path) -> None:
    pixels = np.random.default_rng(4).integers(0, 256, (5, 48, 48), dtype=np.uint8)
    rows = np.array([4, 0, 2])
    before = torch.get_num_threads()
    found = answers(pixels, rows, weights, sum_of(weights).upper(), workers=1)
    assert torch.get_num_threads() == before
    model = torchvision_models().resnet34(weights=None, num_classes=18).eval()
    model.load_state_dict(state)
    with torch.no_grad():
        scores = model(prepared(pixels[rows])).double()
    expected = torch.cat([scores[:, :7].softmax(1), scores[:, 7:9].softmax(1), scores[:, 9:].softmax(1)], dim=1)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)
    assert found.shape == (3, 18)


def test_no_face_has_no_answer(weights: Path) -> None:
    none = np.array([], dtype=int)
    assert answers(np.zeros((1, 48, 48), np.uint8), none, weights, sum_of(weights), workers=1).shape == (0, 18)


def test_weights_may_be_safetensors(state: STATE, tmp_path: Path) -> None:
    save_file(state, tmp_path / "weights.safetensors")
    assert torch.equal(fairface(tmp_path / "weights.safetensors").fc.weight, state["fc.weight"])


def test_another_file_than_the_stated_is_told_with_its_sum(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"its SHA-256 is {sum_of(weights)}") as error:
        check_sum(weights, "0" * 64)
    assert "state this sum as sha256" in str(error.value)
    with pytest.raises(UserError, match="there is no such file"):
        check_sum(tmp_path / "nothing.pt", "0" * 64)


def changed(state: STATE, **changes: torch.Tensor | None) -> STATE:
    return {k: t for k, t in (state | {k.replace("__", "."): t for k, t in changes.items()}).items() if t is not None}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda s: changed(s, fc__weight=torch.zeros(1000, 512)), "fc.weight is 1000 × 512 and not 18 × 512"),
        (lambda s: changed(s, fc__bias=None), "fc.bias is missing"),
        (lambda s: changed(s, head=torch.zeros(1)), "head belongs to another network"),
        (lambda s: torchvision_models().resnet18(weights=None).state_dict(), "more tensors"),
        (lambda s: [1, 2], "something else than named tensors"),
    ],
)
def test_weights_of_another_network_are_told(state: STATE, tmp_path: Path, make, message: str) -> None:
    torch.save(make(state), tmp_path / "other.pt")
    with pytest.raises(UserError, match=r"other\.pt") as error:
        fairface(tmp_path / "other.pt")
    assert message in str(error.value)
    assert "expected: a state dict of torchvision's resnet34 with 18 scores" in str(error.value)


@pytest.mark.parametrize("kept", [0, 100, 100_000])
def test_a_damaged_file_is_told(weights: Path, tmp_path: Path, kept: int) -> None:
    (tmp_path / "cut.pt").write_bytes(weights.read_bytes()[:kept])
    with pytest.raises(UserError, match="holds no readable weights"):
        fairface(tmp_path / "cut.pt")

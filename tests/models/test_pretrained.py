import re
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file

from fergap.errors import UserError
from fergap.models.operators import torchvision_models
from fergap.models.plain import baseline_cnn, sequential
from fergap.models.pretrained import BACKBONES, origin, pretrained
from fergap.models.registry import parameters

NET = "mobilenet_v2"  # the fastest of them


@pytest.fixture(scope="module")
def published():
    """Weights in torchvision's own names, as ImageNet's come."""
    torch.manual_seed(1)
    return torchvision_models().get_model(NET, weights=None).state_dict()


@pytest.mark.parametrize("name", BACKBONES)
def test_scores_of_small_grey_faces(name):
    model = pretrained(name, 5, 1).eval()
    with torch.no_grad():
        assert model(torch.zeros(2, 1, 48, 48)).shape == (2, 5)


def test_the_body_is_torchvisions():
    # ResNet-50 has 25,557,032 weights of which 2,049,000 classify; the head: norm 2·2048, 2048·256 + 256, 256·7 + 7
    assert parameters(pretrained("resnet50", 7, 3)) == 25_557_032 - 2_049_000 + 4096 + 524_544 + 1799


def test_grey_is_shown_in_all_channels():
    model = pretrained(NET, 4, 3).eval()
    grey = pretrained(NET, 4, 1).eval()
    grey.load_state_dict(model.state_dict())
    x = torch.rand(2, 1, 48, 48, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        assert torch.equal(grey(x), model(x.repeat(1, 3, 1, 1)))


@pytest.mark.parametrize("kind", ["safetensors", "pth"])
def test_weights_from_a_file(tmp_path, published, kind):
    path = tmp_path / f"weights.{kind}"
    (save_file if kind == "safetensors" else lambda state, path: torch.save(state, path))(dict(published), path)
    body = pretrained(NET, 4, 1, str(path)).body.state_dict()
    assert body
    assert all(torch.equal(tensor, published[name]) for name, tensor in body.items())


def test_imagenets_weights_are_taken_from_the_cache(tmp_path, published, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    address = torchvision_models().get_model_weights(NET).DEFAULT.url
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(published, tmp_path / "hub" / "checkpoints" / address.rsplit("/")[-1])
    body = pretrained(NET, 4, 1, "imagenet").body.state_dict()
    assert body
    assert all(torch.equal(tensor, published[name]) for name, tensor in body.items())
    assert origin(NET, "imagenet") == address


def test_old_names_of_densenet_and_the_extra_scores_of_inception_are_understood(tmp_path):
    state = torchvision_models().get_model("densenet121", weights=None).state_dict()
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", k): t for k, t in state.items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "old.pth")
    body = pretrained("densenet121", 4, 1, str(tmp_path / "old.pth")).body.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in body.items())
    whole = torchvision_models().get_model("inception_v3", weights=None, init_weights=False).state_dict()
    assert any(name.startswith("AuxLogits.") for name in whole)
    torch.save(whole, tmp_path / "whole.pth")
    body = pretrained("inception_v3", 4, 1, str(tmp_path / "whole.pth")).body.state_dict()
    assert all(torch.equal(tensor, whole[name]) for name, tensor in body.items())


@pytest.mark.parametrize(
    ("tuned", "learns"), [("head", "head."), ("last_block", ("head.", "body.features.17", "body.features.18"))]
)
def test_what_is_frozen_keeps_weights_and_statistics(tmp_path, published, tuned, learns):
    save_file(dict(published), tmp_path / "w.safetensors")
    model = pretrained(NET, 3, 1, str(tmp_path / "w.safetensors"), tuned).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.1)
    model(torch.rand(8, 1, 48, 48)).logsumexp(1).sum().backward()
    optimizer.step()
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed
    assert all(name.startswith(learns) for name in changed)
    if tuned == "last_block":
        assert any(name.startswith("body.") for name in changed)


def test_freezing_a_network_that_knows_nothing_is_refused():
    with pytest.raises(UserError, match="without pretrained weights"):
        pretrained(NET, 4, 1, "none", "head")


def test_weights_that_cannot_be_fetched(monkeypatch):
    def offline(*_, **__):
        raise URLError("no route")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    with pytest.raises(UserError, match=r"cannot be fetched.*no route") as told:
        pretrained(NET, 4, 1, "imagenet")
    assert "https://" in str(told.value)


@pytest.mark.parametrize("what", ["missing", "cut", "pickle", "other network", "not tensors"])
def test_weights_that_are_no_weights(tmp_path, published, what):
    path = tmp_path / ("w.safetensors" if what == "cut" else "w.pth")
    if what == "cut":
        save_file(dict(published), path)
        path.write_bytes(path.read_bytes()[:1000])
    elif what == "pickle":
        torch.save({"f": parameters}, path)  # a pickled function: code, not tensors
    elif what == "other network":
        torch.save({k.replace("features", "layers"): v for k, v in published.items()}, path)
    elif what == "not tensors":
        torch.save([1, 2], path)
    with pytest.raises(UserError):
        pretrained(NET, 4, 1, str(path))


def test_plain_networks_by_hand():
    # conv 3·3·1·32 + 32, 3·3·32·64 + 64, 3·3·64·128 + 128; 48 → 46 → 23 → 21 → 10 → 8 → 4; dense 128·16·128 + 128
    assert parameters(baseline_cnn(7, 1, 48)) == 320 + 18_496 + 73_856 + 262_272 + 128 * 7 + 7
    norms = 2 * 2 * (32 + 64 + 128)
    convolutions = 9 * (1 * 32 + 32 * 32 + 32 * 64 + 64 * 64 + 64 * 128 + 128 * 128)
    assert parameters(sequential(7, 1, 48)) == convolutions + norms + 128 * 36 * 128 + 128 + 128 * 7 + 7
    for build in (baseline_cnn, sequential):
        assert build(7, 3, 32)(torch.zeros(2, 3, 32, 32)).shape == (2, 7)

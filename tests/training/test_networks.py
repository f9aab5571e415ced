"""Every network in training; what starts from pretrained weights, whole jobs of it included."""

from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from fergap import tables
from fergap.errors import UserError
from fergap.models.names import CLIP, NAMED, PRETRAINED
from fergap.models.operators import torchvision_models
from fergap.models.registry import build, parameters
from fergap.seeds import derive
from fergap.training.data import Store, faces_of
from fergap.training.device import choose_device
from fergap.training.loop import Training, evaluate, train_epoch
from fergap.training.recipe import Recipe
from fergap.training.together import train_together
from fergap.training.weights import load_weights

from .examples import RECIPE, study
from .test_pack import digest, run
from .test_together import Heard, tasks_of

NET = "mobilenet_v2"  # the fastest of torchvision's
# where a transformer has its twelve blocks, which are alike
BLOCKS = {"vit_b_16": "encoder.layers"} | dict.fromkeys(CLIP, "transformer.resblocks")
STRONG = Recipe(optimizer="adamw", weight_decay=0.5, learning_rate=0.01, batch_size=4, average=0.9, clip=1.0)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return study(tmp_path_factory.mktemp("study"), count=60)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A file of weights in torchvision's own names, as ImageNet's come."""
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "published.safetensors"
    save_file(dict(torchvision_models().get_model(NET, weights=None).state_dict()), path)
    return path


def in_training(folder, model, channels, size, recipe, count=8):
    """Return a network in training on random pictures."""
    draw = np.random.default_rng(0)
    shape = (count, size, size) if channels == 1 else (count, channels, size, size)
    np.save(folder / "pixels.npy", draw.integers(0, 256, shape, dtype=np.uint8))
    device, rows = choose_device("cpu", "fp32"), np.arange(count)
    store = Store(folder / "pixels.npy", rows, device.place, device.room())
    faces = faces_of(store, draw.integers(0, 3, count), rows)
    model = model.to(memory_format=torch.channels_last)
    return Training(model, faces, torch.from_numpy(rows), recipe, device, 1)


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize(("channels", "size"), [(1, 48), (3, 64)])
def test_every_network_learns_from_grey_and_colour(name, channels, size, tmp_path):
    torch.manual_seed(0)
    model = build(name, 3, channels, size)
    if name in BLOCKS:  # two of its blocks learn as twelve do, in a fraction of the time
        model.body.set_submodule(BLOCKS[name], model.body.get_submodule(BLOCKS[name])[:2])
    first = {n: p.clone() for n, p in model.named_parameters()}
    training = in_training(tmp_path, model, channels, size, Recipe(batch_size=4), count=4)
    train_epoch(training, 1, partial(derive, 1), lambda: None)
    assert training.steps == 1
    still = [n for n, p in model.named_parameters() if torch.equal(p, first[n])]
    assert not still
    assert evaluate(model, training.faces, torch.arange(4), lambda: None).isfinite().all()


@pytest.mark.parametrize("tuned", ["head", "last_block"])
def test_the_optimizer_leaves_alone_what_is_frozen(tuned, published, tmp_path):
    model = build(NET, 3, 1, 48, weights=str(published), tuned=tuned)
    training = in_training(tmp_path, model, 1, 48, STRONG)
    first = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    train_epoch(training, 1, partial(derive, 1), lambda: None)
    learns = ("head.",) if tuned == "head" else ("head.", "body.features.17.", "body.features.18.")
    for network in (model, training.average.model):
        changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, first[name])}
        assert changed == {name for name in first if name.startswith(learns)}
    own = sum(len(group["params"]) for group in training.optimizer.param_groups)
    assert own == sum(p.requires_grad for p in model.parameters())
    assert parameters(model) == sum(p.numel() for n, p in model.named_parameters() if n.startswith(learns))


def test_a_job_with_dropout_repeats_and_its_weights_can_be_used(inputs, tmp_path):
    arm = {"name": "plain", "network": "sequential"}
    first = run(inputs, tmp_path / "a", arm=arm, units=[(1, 0, 0)], epochs=2)
    assert digest(first) == digest(run(inputs, tmp_path / "b", arm=arm, units=[(1, 0, 0)], epochs=2))
    trained = load_weights(first / "weights" / "seed_1_repeat_0_fold_0.safetensors")
    table = tables.read(first / "predictions.parquet", "predictions")
    share = trained.probabilities(np.load(inputs["pixels"]))
    np.testing.assert_allclose(share, table[["p_across", "p_down"]], atol=1e-5)


def test_a_job_from_pretrained_weights(inputs, published, tmp_path):
    weights = tmp_path / "given.safetensors"
    weights.write_bytes(published.read_bytes())
    arm = {"name": "tuned", "network": NET, "weights": str(weights), "tuned": "head"}
    recipe = RECIPE | {"average": 0.9}
    folder = run(inputs, tmp_path / "a", arm=arm, units=[(1, 0, 0)], epochs=1, recipe=recipe)
    assert tables.read(folder / "runs.csv", "runs")["parameters"].tolist() == [
        2 * 1280 + 1280 * 256 + 256 + 256 * 2 + 2
    ]
    weights.unlink()
    path = folder / "weights" / "seed_1_repeat_0_fold_0.safetensors"
    trained = load_weights(path)
    assert trained.about["start"] == {"weights": str(weights), "tuned": "head"}
    table = tables.read(folder / "predictions.parquet", "predictions")
    share = trained.probabilities(np.load(inputs["pixels"]))
    np.testing.assert_allclose(share, table[["p_across", "p_down"]], atol=1e-5)
    # what one training wrote is what another starts from
    body = build(NET, 7, 1, 48, weights=str(path), tuned="head").body.state_dict()
    assert body
    assert all(torch.equal(tensor, trained.model.body.state_dict()[name]) for name, tensor in body.items())


def test_other_weights_under_the_same_name_start_over(inputs, published, tmp_path, monkeypatch, capsys):
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(published.read_bytes())
    arm = {"name": "tuned", "network": NET, "weights": str(weights), "tuned": "head"}
    job = {"arm": arm, "units": [(1, 0, 0)], "epochs": 1}

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("fergap.training.unit.Run.outcome", stop)
        with pytest.raises(KeyboardInterrupt):
            run(inputs, tmp_path, **job)
    capsys.readouterr()
    torch.manual_seed(2)
    save_file(dict(torchvision_models().get_model(NET, weights=None).state_dict()), weights)
    run(inputs, tmp_path, **job)
    assert "starts over, because the checkpoint" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["missing.pth", "imagenet"])
def test_weights_that_cannot_be_had_are_told_before_anything_is_trained(given, inputs, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # where nobody listens
    arm = {"name": "tuned", "network": NET, "weights": given}
    with pytest.raises(UserError, match=r"no file missing.pth" if given != "imagenet" else r"cannot be fetched"):
        run(inputs, tmp_path / "out", arm=arm)
    assert not (tmp_path / "out").exists()


def test_options_of_pretrained_networks_are_refused_for_others():
    assert "pyramid" not in PRETRAINED
    with pytest.raises(UserError, match="have no meaning for pyramid"):
        build("pyramid", 4, weights="imagenet")
    with pytest.raises(UserError, match="20×20 are too small"):
        build("baseline_cnn", 4, size=20)
    with pytest.raises(UserError, match="one of all, last_block, head"):
        build(NET, 4, weights="imagenet", tuned="some")


@pytest.mark.parametrize("name", ["mobilenet_v1", "xception"])
def test_networks_of_our_own_in_packed_folds_are_those_trained_alone(name, inputs, tmp_path):
    about = {"arm": {"name": name, "network": name}, "units": [(1, 0, 0), (1, 0, 1)], "epochs": 1}
    together = train_together(tasks_of(inputs, tmp_path / "pack", **about), Heard().voice)
    alone = train_together(tasks_of(inputs, tmp_path / "alone", **about)[1:], Heard().voice)
    np.testing.assert_allclose(together[1].probabilities, alone[0].probabilities, atol=1e-5)
    assert together[0].parameters == parameters(build(name, 2, 1, 16))

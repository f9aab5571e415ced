"""MobileNet, Xception, the vision transformer and CLIP's encoder against their papers and other implementations."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from fergap.errors import UserError
from fergap.models.clip_encoder import ImageEncoder
from fergap.models.mobilenet_v1 import mobilenet_v1
from fergap.models.operators import torchvision_models
from fergap.models.pretrained import BACKBONES, pretrained
from fergap.models.registry import flops, parameters
from fergap.models.xception import xception


def small_encoder(quick=True):
    return ImageEncoder(56, quick, width=32, layers=2, heads=4, embedding=8)


def filled(network):
    """Return a network whose tensors depend on their names' order and their shapes alone."""
    state = network.state_dict()
    for i, name in enumerate(sorted(state)):
        tensor, draw = state[name], np.random.default_rng(i)
        if not tensor.is_floating_point():
            continue
        values = draw.standard_normal(tensor.shape)
        if tensor.ndim > 1:
            values /= np.sqrt(np.prod(tensor.shape[1:]))
        elif name.endswith("running_var"):
            values = 0.5 + values**2
        else:
            values = 0.1 * values + name.endswith("weight")
        state[name] = torch.from_numpy(values).to(tensor.dtype)
    network.load_state_dict(state)
    return network.eval()


def answers(network, size):
    picture = torch.from_numpy(np.random.default_rng(7).standard_normal((1, 3, size, size))).float()
    with torch.no_grad():
        return network(picture)[0, :4].tolist()


def test_parameters_are_those_that_the_papers_print():
    # Howard et al. 2017, table 4: 4.2 million; Chollet 2017, table 3: 22,855,952
    assert parameters(mobilenet_v1()) == pytest.approx(4.2e6, abs=0.05e6)
    assert parameters(xception()) == 22_855_952
    # Dosovitskiy et al. 2021, table 1, ViT-Base: 86 million
    assert parameters(torchvision_models().get_model("vit_b_16", weights=None)) == pytest.approx(86e6, abs=0.7e6)


def test_operations_are_those_that_the_papers_print():
    # Howard et al. 2017, table 4: 569 million multiplications with their additions
    assert flops(mobilenet_v1(), 3, 224) / 2 == pytest.approx(569e6, abs=0.5e6)
    # torchvision.models.ViT_B_16_Weights.DEFAULT.meta["_ops"] is 17.564 GFLOPS, a multiplication and an addition one
    vit = torchvision_models()
    printed = vit.get_model_weights("vit_b_16").IMAGENET1K_V1.meta["_ops"]
    assert flops(vit.get_model("vit_b_16", weights=None), 3, 224) / 2e9 == pytest.approx(printed, abs=0.01)
    assert torch.backends.mha.get_fastpath_enabled()


@pytest.mark.parametrize(
    ("made", "size", "expected"),
    [
        # timm 1.0.31: answers(filled(timm.create_model("mobilenetv1_100")), 64)
        (mobilenet_v1, 64, [0.312837, 0.109669, -0.004678, 0.121189]),
        # timm 1.0.31: answers(filled(timm.create_model("legacy_xception")), 75)
        (xception, 75, [1.008642, 0.728236, -1.521523, -0.335279]),
        # open_clip 3.3.0: answers(filled(open_clip.transformer.VisionTransformer(224, 56, 32, 2, 4, 4.0,
        # output_dim=8, act_layer=…)), 224), act_layer being torch.nn.GELU and open_clip.transformer.QuickGELU
        (lambda: small_encoder(quick=False), 224, [0.985712, 0.680262, 4.877676, -0.644613]),
        (small_encoder, 224, [0.989388, 0.6569, 4.883991, -0.634371]),
    ],
)
def test_answers_are_those_of_other_implementations(made, size, expected):
    assert answers(filled(made()), size) == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("name", ["vit_b_16", "clip_vit_b_32"])
def test_a_transformer_sees_every_picture_at_its_one_size(name):
    seen = []
    model = pretrained(name, 3, 1).eval()
    model.body.register_forward_pre_hook(lambda module, given: seen.append(given[0].shape))
    with torch.no_grad():
        for side in (48, 300):
            assert model(torch.zeros(1, 1, side, side)).shape == (1, 3)
    assert seen == [(1, 3, 224, 224)] * 2


def test_clip_is_read_without_its_texts(tmp_path):
    whole = {f"visual.{name}": tensor for name, tensor in filled(ImageEncoder(32, True)).state_dict().items()}
    whole |= {"positional_embedding": torch.zeros(77, 512), "logit_scale": torch.zeros(())}
    save_file(whole, tmp_path / "clip.safetensors")
    model = pretrained("clip_vit_b_32_quickgelu", 7, 1, str(tmp_path / "clip.safetensors"), "last_block")
    body = model.body.state_dict()
    assert len(body) == len(whole) - 2
    assert all(torch.equal(tensor, whole[f"visual.{name}"]) for name, tensor in body.items())
    learns = {name for name, weight in model.named_parameters() if weight.requires_grad}
    last = ("head.", "body.transformer.resblocks.11.", "body.ln_post.", "body.proj")
    assert learns == {name for name, _ in model.named_parameters() if name.startswith(last)}
    head = pretrained("clip_vit_b_32_quickgelu", 7, 1, str(tmp_path / "clip.safetensors"), "head")
    assert not any(weight.requires_grad for weight in head.body.parameters())


@pytest.mark.parametrize("name", BACKBONES)
def test_a_last_block_names_modules_that_are_there(name):
    body = BACKBONES[name].body(name)
    for part in BACKBONES[name].last:
        assert any(path.startswith(part) for path, _ in body.named_parameters()), part


@pytest.mark.parametrize("name", ["mobilenet_v1", "xception", "clip_vit_b_32"])
def test_weights_that_nobody_keeps_are_refused(name):
    with pytest.raises(UserError, match="no ImageNet weights of"):
        pretrained(name, 4, 1, "imagenet")

"""Large networks, from scratch or from pretrained weights, with a head for facial expressions."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from urllib.error import URLError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from fergap.errors import UserError
from fergap.models.clip_encoder import LAYERS, ImageEncoder
from fergap.models.mobilenet_v1 import mobilenet_v1
from fergap.models.names import CLIP, OF_ONE_SIZE, PRETRAINED, TORCHVISION, TUNED
from fergap.models.operators import torchvision_models
from fergap.models.xception import xception

HIDDEN = 256
CLASSIFIERS = ("fc", "classifier", "heads", "AuxLogits")
INSIDE = ("body.", "visual.")  # what stands before a body's names in files of the training stage and of open_clip
# a name of densenet's layers in weights older than torchvision's own rule for names
OLD_NAME = re.compile(r"(.*denselayer\d+\.(?:norm|relu|conv))\.(\d\..*)")


@dataclass(frozen=True)
class Backbone:
    """What is special about one of these networks.

    Attributes
    ----------
    features : int
        Channels of its last maps, or length of its embedding.
    last : tuple of str
        Names of the modules and weights that make its last block.
    settings : dict
        For torchvision's builder.
    own : callable or None
        Makes a network that torchvision does not have.
    names : str
        Whose names its weights have.
    """

    features: int
    last: tuple[str, ...]
    settings: dict[str, bool] = field(default_factory=dict)
    own: Callable[[], nn.Module] | None = None
    names: str = "torchvision"

    def body(self, name: str) -> nn.Module:
        """Return the network as its authors built it, scores of ImageNet's classes included."""
        return self.own() if self.own else torchvision_models().get_model(name, weights=None, **self.settings)


BACKBONES = {
    "resnet50": Backbone(2048, ("layer4.",)),
    "densenet121": Backbone(1024, ("features.denseblock4.", "features.norm5")),
    "mobilenet_v2": Backbone(1280, ("features.17.", "features.18.")),
    "inception_v3": Backbone(
        2048,
        ("Mixed_7",),
        # its own normalisation of pictures that come as ImageNet's do; PyTorch's start of weights, as in the others
        {"aux_logits": False, "init_weights": False, "transform_input": True},
    ),
    "vit_b_16": Backbone(768, ("encoder.layers.encoder_layer_11.", "encoder.ln")),
    "mobilenet_v1": Backbone(1024, ("blocks.4.",), own=mobilenet_v1, names="timm"),
    "xception": Backbone(2048, ("block12.", "conv3.", "bn3", "conv4.", "bn4"), own=xception, names="timm"),
} | {
    name: Backbone(
        512,
        (f"transformer.resblocks.{LAYERS - 1}.", "ln_post", "proj"),
        own=partial(ImageEncoder, patch, quick),
        names="open_clip",
    )
    for name, (patch, quick) in CLIP.items()
}


class Transfer(nn.Module):
    """One of these networks under a new head.

    Global average pooling (in a transformer the class token's output or embedding), batch norm, a fully connected layer
    of 256 with ReLU, dropout of a half, and the scores: the head of Olate, "Facial Emotion Recognition with Bias
    Mitigation", section 7.2. A grey picture is shown in all three channels; one that is smaller than the network can
    look at is enlarged, and a transformer sees every picture at its one size. Pictures come standardised by the
    training faces, which gives them about the mean and spread that ImageNet's weights expect.

    Parameters
    ----------
    name : str
        A key of ``BACKBONES``.
    classes, channels : int
    tuned : {"all", "last_block", "head"}
        What learns beside the head: everything, the network's last block (section 7.2's "final residual block"), or
        nothing. The rest keeps its weights, and also the statistics of its batch norms, by which it goes on
        normalising: that is how Keras, in which that study was made, treats a frozen layer.

    Raises
    ------
    UserError
        The pictures are neither grey nor of three colours.
    """

    def __init__(self, name: str, classes: int, channels: int, tuned: str):
        super().__init__()
        kind = BACKBONES[name]
        if channels not in (1, 3):
            raise UserError(f"{channels} channels", where=f"network {name}", expected="grey or colour pictures")
        self.channels, self.smallest, self.one_size = channels, PRETRAINED[name], name in OF_ONE_SIZE
        self.body = kind.body(name)
        # without the scores of ImageNet's classes and the dropout in front of them
        for part in (*CLASSIFIERS, "dropout"):
            if getattr(self.body, part, None) is not None:
                setattr(self.body, part, nn.Identity())
        self.head = nn.Sequential(
            nn.BatchNorm1d(kind.features),
            nn.Linear(kind.features, HIDDEN),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(HIDDEN, classes),
        )
        learns = {"all": ("",), "last_block": kind.last, "head": ()}[tuned]
        self.frozen = [
            module
            for path, module in self.body.named_modules()
            if not path.startswith(learns) and not list(module.children())
        ]
        # a transformer has weights that belong to no layer, such as its class token
        for path, weight in self.body.named_parameters():
            weight.requires_grad_(path.startswith(learns))

    def train(self, mode: bool = True) -> "Transfer":
        """Set the mode; what is frozen stays in evaluation, so that its batch-norm statistics keep still."""
        super().train(mode)
        for module in self.frozen:
            module.eval()
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, classes) scores of (n, channels, size, size) pictures."""
        if self.channels == 1:
            x = x.expand(-1, 3, -1, -1)
        side = x.shape[-1]
        if side < self.smallest or (self.one_size and side > self.smallest):
            asked = (self.smallest, self.smallest)
            x = functional.interpolate(x, size=asked, mode="bilinear", antialias=side > self.smallest)
        return self.head(self.body(x))


def pretrained(name: str, classes: int, channels: int, weights: str = "none", tuned: str = "all") -> nn.Module:
    """Return one of these networks with a new head.

    Parameters
    ----------
    name : str
        A key of ``BACKBONES``.
    classes, channels : int
    weights : str
        ``none``, ``imagenet`` (torchvision's own, fetched once and checked by its checksum), or the path of a file:
        safetensors, or a state dict saved by PyTorch, of which only tensors are loaded, both with torchvision's names
        (timm's for ``mobilenet_v1`` and ``xception``, open_clip's for CLIP, whose texts are left out); or what the
        training stage wrote of such a network, whose head is left out.
    tuned : {"all", "last_block", "head"}

    Raises
    ------
    UserError
        The weights cannot be had, are damaged, or belong to another network; or less than all is tuned of a network
        that knows nothing.
    """
    if tuned not in TUNED:
        raise UserError(f"tuned: {tuned}", where=f"network {name}", expected=f"one of {', '.join(TUNED)}")
    if weights == "none" and tuned != "all":
        raise UserError(
            f"tuned: {tuned} of a network without pretrained weights",
            where=f"network {name}",
            fix="set weights: imagenet or a file, or tuned: all",
        )
    if weights == "imagenet" and name not in TORCHVISION:
        raise UserError(
            f"there are no ImageNet weights of {name} to fetch", where=f"network {name}", fix="give the path of a file"
        )
    model = Transfer(name, classes, channels, tuned)
    if weights != "none":
        state = imagenet(name) if weights == "imagenet" else read_state(Path(weights), name)
        load_body(model.body, state, f"weights {weights} of network {name}", BACKBONES[name].names)
    return model


def origin(name: str, weights: str) -> str:
    """Return what tells pretrained weights from others: ``none``, ImageNet's address, or SHA-256 of the file.

    Raises
    ------
    UserError
        There is no such file.
    """
    if weights == "none":
        return weights
    if weights == "imagenet":
        return torchvision_models().get_model_weights(name).DEFAULT.url
    with given(Path(weights)).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def given(path: Path) -> Path:
    """Return the path of a file of weights that is there."""
    if not path.is_file():
        raise UserError(f"no file {path}", where="arms: weights", fix="put it there, or set weights: none")
    return path


def imagenet(name: str) -> Mapping[str, torch.Tensor]:
    """Return torchvision's default ImageNet weights of a network, fetched once into PyTorch's cache."""
    weights = torchvision_models().get_model_weights(name).DEFAULT
    try:
        return weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (URLError, OSError, RuntimeError) as error:
        raise UserError(
            f"ImageNet weights of {name} cannot be fetched: {error}",
            where="arms: weights",
            fix=f"fetch {weights.url} on a machine that can, and give the file's path as weights; or set weights: none",
        ) from error


def load_state(path: Path) -> Mapping[str, torch.Tensor]:
    """Return what a file of weights holds, safetensors or saved by PyTorch, of which only tensors are loaded."""
    return load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)


def read_state(path: Path, name: str) -> Mapping[str, torch.Tensor]:
    """Return the tensors of a file of weights, of a network of the training stage those of its body."""
    try:
        state = load_state(given(path))
    except (UnpicklingError, RuntimeError, EOFError, ValueError, OSError, SafetensorError) as error:
        raise UserError(
            f"{path} holds no readable weights: {(str(error).splitlines() or [type(error).__name__])[0]}",
            where="arms: weights",
            expected=f"safetensors or a PyTorch state dict of {name} with the names of {BACKBONES[name].names}",
        ) from error
    for inside in INSIDE:
        if isinstance(state, Mapping) and any(str(key).startswith(inside) for key in state):
            return {key.removeprefix(inside): tensor for key, tensor in state.items() if str(key).startswith(inside)}
    return state


def load_body(body: nn.Module, state: Mapping[str, torch.Tensor], where: str, names: str) -> None:
    """Load a state dict but for its classifier, and insist on every other tensor."""
    expected = f"the weights of this very network, with the names of {names}"
    if not isinstance(state, Mapping) or not all(isinstance(t, torch.Tensor) for t in state.values()):
        raise UserError("holds something else than named tensors", where=where, expected=expected)
    own = body.state_dict()
    found = {OLD_NAME.sub(r"\1\2", str(k)): t for k, t in state.items()}
    found = {k: t for k, t in found.items() if not k.startswith(tuple(f"{part}." for part in CLASSIFIERS))}
    missing = sorted(k for k in own if k not in found and not k.endswith("num_batches_tracked"))
    other = sorted(k for k, t in found.items() if k not in own or own[k].shape != t.shape)
    if missing or other:
        raise UserError(
            f"{len(missing)} tensors lack and {len(other)} are none of its own, such as {(missing + other)[0]!r}",
            where=where,
            expected=expected,
        )
    body.load_state_dict(found, strict=False)

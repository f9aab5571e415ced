"""Latent alignment: an encoder that forgets the group, trained first, and a classifier of what it keeps, trained then.

After Rizvi, Seth & Narang 2024, *Balancing the Scales: Enhancing Fairness in Facial Expression Recognition with Latent
Alignment*.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from fergap.errors import UserError
from fergap.models.latent_alignment import Discriminator, Generator
from fergap.models.pretrained import load_state
from fergap.seeds import derive
from fergap.training.adversary import Reversal, known_cross_entropy
from fergap.training.device import Device
from fergap.training.objective import OBJECTIVES, Batch, Context, Objective
from fergap.training.penalties import shares_of

NOISE = 2048  # latents of noise at hand; an epoch's faces take them in turn
RANDOM = "random"
RANDOM_WIDTHS = (16, 32, 64)
VGG16 = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21))
"""Places of VGG-16's convolutions in torchvision's ``features``, up to the four maps that Johnson et al. 2016 take."""


def kl_divergence(mean: torch.Tensor, spread: torch.Tensor) -> torch.Tensor:
    """Return how far latents are from the standard normal distribution, averaged over their numbers and the faces.

    KL(N(μ, σ²) ‖ N(0, 1)) = (μ² + σ² - 1 - log σ²) / 2 (Kingma & Welling 2014) for each number. The average in place of
    their sum keeps its weight against the other terms the same for every size of the latent.

    Parameters
    ----------
    mean, spread : torch.Tensor
        (n, …) float32: μ and log σ².

    Returns
    -------
    torch.Tensor
        () float32, at least 0.
    """
    return (mean.square() + spread.exp() - 1 - spread).mean() / 2


def gram(maps: torch.Tensor) -> torch.Tensor:
    """Return the products of every two channels of feature maps, over channels · height · width: the paper's Eq. 3.

    (n, c, h, w) float32 → (n, c, c) float32.
    """
    # pixels first, which is how the maps lie in memory
    flat = maps.permute(0, 2, 3, 1).flatten(1, 2)
    return flat.transpose(1, 2) @ flat / flat[0].numel()


def style_distance(ours: Sequence[torch.Tensor], theirs: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the squared Frobenius norm of the difference of Gram matrices, summed over layers, averaged over faces.

    The last term of the paper's Eq. 1, after Johnson et al. 2016. Each layer's maps are (n, c, h, w) float32.
    """
    return sum((gram(a) - gram(b)).square().sum((1, 2)).mean() for a, b in zip(ours, theirs, strict=True))


class Features(nn.Module):
    """A fixed network whose maps are compared: convolutions of 3×3 with ReLU, in stages.

    Its weights are neither trained nor part of a checkpoint.

    Parameters
    ----------
    stages : sequence of sequence of (weight, bias)
        Each stage's convolutions. Its last map is one of those that are compared; the next stage begins with the mean
        of every 2×2 pixels of it (Gatys et al. 2016).
    """

    def __init__(self, stages: Sequence[Sequence[tuple[torch.Tensor, torch.Tensor | None]]]):
        super().__init__()
        self.depths = [len(stage) for stage in stages]
        for i, (weight, bias) in enumerate(pair for stage in stages for pair in stage):
            self.register_buffer(f"weight_{i}", weight, persistent=False)
            self.register_buffer(f"bias_{i}", bias, persistent=False)

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        """Return one (n, c, h, w) float32 map a stage of (n, channels, size, size); grey stands for all three colours.

        Pictures too small for a stage have no map of it.
        """
        x, maps, i = pictures.expand(-1, self.weight_0.shape[1], -1, -1), [], 0
        for depth in self.depths:
            if maps:
                if x.shape[-1] < 2:
                    break
                x = functional.avg_pool2d(x, 2)
            for _ in range(depth):
                x = functional.conv2d(x, getattr(self, f"weight_{i}"), getattr(self, f"bias_{i}"), padding=1).relu()
                i += 1
            maps.append(x.float())
        return maps


def random_features(channels: int) -> Features:
    """Return three convolutions of 16, 32 and 64 channels with random weights that keep the variance.

    These are the weights of He et al. 2015, from PyTorch's global generator. Gram matrices of random filters tell
    textures apart about as well as those of trained ones (Ustyuzhaninov et al. 2016), and so do random networks at
    large for the reconstruction of pictures (He, Wang & Hopcroft 2016).
    """
    stages = []
    for before, after in zip((channels, *RANDOM_WIDTHS), RANDOM_WIDTHS, strict=False):
        weight = nn.init.kaiming_normal_(torch.empty(after, before, 3, 3))
        stages.append([(weight, None)])
    return Features(stages)


def vgg16_features(path: Path) -> Features:
    """Return VGG-16 (Simonyan & Zisserman 2015) up to relu1_2, relu2_2, relu3_3 and relu4_3, as Johnson et al. 2016.

    Parameters
    ----------
    path : pathlib.Path
        A state dict with torchvision's names, ``features.0.weight`` and so on, by ``torch.save`` or as safetensors.

    Raises
    ------
    UserError
        The file is not there, cannot be read or holds other weights.
    """
    try:
        state = load_state(path)
        stages = [[(state[f"features.{i}.weight"], state[f"features.{i}.bias"]) for i in part] for part in VGG16]
        found = [weight.shape for stage in stages for weight, _ in stage]
    except Exception as error:  # each of the two readers has kinds of its own, and so has a file of something else
        raise _other_features(path, error) from error
    widths = [64, 64, 128, 128, 256, 256, 256, 512, 512, 512]
    wanted = [(b, a, 3, 3) for a, b in zip([3, *widths], widths, strict=False)]
    if found != wanted:
        raise _other_features(path, "shapes")
    return Features(stages)


def _other_features(path: Path, found: object) -> UserError:
    return UserError(
        f"holds no weights of VGG-16 ({type(found).__name__}: {found})".splitlines()[0],
        where=f"arms: alignment: features: {path}",
        expected="a state dict with torchvision's names, features.0.weight and so on, as .pth or .safetensors",
        fix="or set features: random",
    )


class Alignment(Objective):
    """First an encoder whose latents do not tell the group, then a classifier of these latents.

    First stage: encoder E and generator G against discriminator D, the paper's Eqs. 1 and 2,

    min over E, G and max over D of  κ · KL(z | x ‖ N(0, 1)) + α · Σⱼ ‖Gⱼ(x̂) - Gⱼ(x)‖²_F - λ · CE(D(z), group),

    in which z is drawn from E(x) and x̂ = G(z). One backward pass does both: D follows the gradient of its own
    cross-entropy, and what comes back from it to E has the other sign (Ganin & Lempitsky 2015). Steps in turn for E and
    D would need an optimizer each, and two captured steps on a GPU. Without κ there is no noise either: z is the mean,
    which makes a plain autoencoder, the paper's ablation. Faces of unknown group are reconstructed and not
    discriminated.

    Second stage: E stays as it is, its norms' statistics included, and the classifier of the latents' means learns by
    the arm's row loss, average and penalties. Of an arm with a moving ``average`` of the weights, it is the average
    that predicts, whose encoder comes to rest a little later.

    Parameters
    ----------
    settings : mapping
        ``by``, ``first``, ``kl`` (κ), ``discriminator`` (λ), ``style`` (α), ``features``. 0 leaves a term out, with
        all that it takes.
    context : Context
        Its ``model`` is a :class:`fergap.models.latent_alignment.LatentClassifier`.
    classification : Objective
        Of the second stage.

    Raises
    ------
    UserError
        The training faces have fewer than two known groups, or the file of ``features`` holds something else.
    """

    def __init__(self, settings: Mapping, context: Context, classification: Objective):
        super().__init__(classification.row_loss, classification.average, tuple(classification.penalties))
        self.by, self.share = settings["by"], settings["first"]
        self.kl, self.strength, self.style = (settings[key] for key in ("kl", "discriminator", "style"))
        self.stage = 1
        width = context.model.latent[0]
        # each part has a stream of its own, so that leaving one out changes no other
        self.seed = int(torch.randint(2**62, ()))
        self.generator = self.features = self.discriminator = None
        if self.style:
            channels, named = context.channels, settings["features"]
            self.generator = self._made("generator", lambda: Generator(channels, context.size, width))
            self.features = self._made(
                "features", lambda: random_features(channels) if named == RANDOM else vgg16_features(Path(named))
            )
        if self.strength:
            groups = len(shares_of(self.by, context, "alignment"))
            self.discriminator = self._made("discriminator", lambda: Discriminator(width, groups))
        if self.kl:
            rows = max(NOISE, context.recipe.batch_size)
            self.register_buffer("noise", torch.zeros(rows, *context.model.latent), persistent=False)
            self.register_buffer("used", torch.zeros((), dtype=torch.int64), persistent=False)

    def _made(self, name: str, make: Callable[[], nn.Module]) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derive(self.seed, name))
            return make()

    @property
    def predicts(self) -> bool:
        return self.stage == 2

    def begin(self, epoch: int, epochs: int) -> bool:
        others = super().begin(epoch, epochs)
        before, self.stage = self.stage, 1 if epoch <= first_epochs(self.share, epochs) else 2
        if self.kl and self.stage == 1:
            stream = torch.Generator().manual_seed(derive(self.seed, "noise", epoch))
            self.noise.copy_(torch.randn(self.noise.shape, generator=stream))
            self.used.zero_()
        return others or self.stage != before

    def forward(self, model: nn.Module, batch: Batch, device: Device) -> tuple[torch.Tensor, torch.Tensor]:
        model.encoder.train(self.stage == 1)
        model.classifier.train(self.stage == 2)
        if self.stage == 2:
            return super().forward(lambda pictures: model.classifier(_means(model, pictures)), batch, device)
        with device.autocast():
            mean, spread = (part.float() for part in model.encoder(batch.pictures))
            latent = self._drawn(mean, spread) if self.kl else mean
            with torch.no_grad():
                scores = model.classifier(mean).float()
        loss = latent.new_zeros(())
        if self.kl:
            loss = loss + self.kl * kl_divergence(mean, spread)
        if self.style:
            loss = loss + self.style * self._style(latent, batch.pictures, device)
        if self.strength:
            loss = loss + self._discrimination(latent, batch.groups[self.by], device)
        return scores, loss

    def _drawn(self, mean: torch.Tensor, spread: torch.Tensor) -> torch.Tensor:
        places = (self.used + torch.arange(len(mean), device=mean.device)) % len(self.noise)
        self.used += len(mean)
        return mean + (spread / 2).exp() * self.noise[places]

    def _style(self, latent: torch.Tensor, pictures: torch.Tensor, device: Device) -> torch.Tensor:
        with device.autocast():
            again = self.features(self.generator(latent))
            with torch.no_grad():
                wanted = self.features(pictures)
        return style_distance(again, wanted)

    def _discrimination(self, latent: torch.Tensor, groups: torch.Tensor, device: Device) -> torch.Tensor:
        with device.autocast():
            scores = self.discriminator(Reversal.apply(latent, self.strength))
        return known_cross_entropy(scores.float(), groups)


@torch.no_grad()
def _means(model: nn.Module, pictures: torch.Tensor) -> torch.Tensor:
    return model.encoder(pictures)[0]


def first_epochs(share: float, epochs: int) -> int:
    """Return how many of ``epochs``, at least 2, the first stage takes: its share, and at least one for each stage."""
    return min(max(1, round(share * epochs)), epochs - 1)


OBJECTIVES.update(alignment=Alignment)

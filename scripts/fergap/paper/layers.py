"""The networks as tables of layers, from their names alone: the paper needs no PyTorch."""

from functools import partial

from fergap.models.names import ALIGNED, LATENT_SIDE, PRETRAINED, ResBlockShape, shape_of
from fergap.paper.backbones import baseline_cnn, sequential, transfer
from fergap.paper.layer import Layer, convolution


def block(before: int, after: int, kernel: int, stride: int = 1) -> int:
    """Return the weights of a residual block: two convolutions, and one in the shortcut where the shape changes."""
    shortcut = 0 if before == after and stride == 1 else convolution(before, after, 1)
    return convolution(before, after, kernel) + convolution(after, after, kernel) + shortcut


def layers(network: str, classes: int, size: int) -> list[Layer] | None:
    """Return the layers of a network for grey pictures of ``size`` × ``size``; None for a name not known here."""
    if network.lower() in NAMED:
        return NAMED[network.lower()](classes, size)
    shape = shape_of(network)
    return family(shape, classes, size) if shape else None


def pyramid(classes: int, size: int) -> list[Layer]:
    """Return the layers of the small network that halves the resolution."""
    return [
        *stem(16, size),
        Layer("residual block 3×3", 1, 16, halved(size, 1), block(16, 16, 3)),
        *stages(16, size, classes),
    ]


def pyramid_wide(classes: int, size: int) -> list[Layer]:
    """Return the layers of the small network with twice the channels and a block less."""
    return [*stem(32, size), *stages(32, size, classes)]


def halved(size: int, times: int) -> int:
    """Return the side of maps that were halved some times, each time rounded up."""
    return -(-size // 2**times)


def stem(width: int, size: int) -> list[Layer]:
    """Return a pyramid's first layer."""
    weights = convolution(1, width, 3)
    return [Layer("convolution 3×3, stride 2, batch norm, ReLU", 1, width, halved(size, 1), weights)]


def stages(width: int, size: int, classes: int) -> list[Layer]:
    """Return a pyramid's last layers: two blocks that double the channels and halve the side, pooling, the scores."""
    blocks = [
        Layer("residual block 3×3, stride 2", 1, 2 * before, halved(size, times), block(before, 2 * before, 3, 2))
        for before, times in ((width, 2), (2 * width, 3))
    ]
    pooling = Layer("global average pooling", 1, 4 * width, 1, 0)
    return [*blocks, pooling, Layer("fully connected", 1, classes, 1, 4 * width * classes + classes)]


def family(shape: ResBlockShape, classes: int, size: int) -> list[Layer]:
    """Return the layers of a network of the published study's family."""
    channels, kernel, pooled = shape.channels, shape.kernel, min(shape.pooled, size)
    found = [Layer(f"residual block {kernel}×{kernel}", 1, channels, size, block(1, channels, kernel))]
    if shape.blocks > 1:
        inside = (shape.blocks - 1) * block(channels, channels, kernel)
        found.append(Layer(f"residual block {kernel}×{kernel}", shape.blocks - 1, channels, size, inside))
    found.append(Layer("average pooling", 1, channels, pooled, 0))
    width = channels * pooled**2
    for _ in range(shape.connected - 1):
        found.append(Layer("fully connected, ReLU", 1, shape.hidden, 1, width * shape.hidden + shape.hidden))
        width = shape.hidden
    return [*found, Layer("fully connected", 1, classes, 1, width * classes + classes)]


def latent(width: int, residual: bool, classes: int, size: int) -> list[Layer]:
    """Return the layers of an encoder of latents and of the classifier of their means."""
    side, channels = -(-size // 2), width
    found = [Layer("convolution 3×3, stride 2, batch norm, ReLU", 1, width, side, convolution(1, width, 3))]
    while side > LATENT_SIDE:
        side = -(-side // 2)
        found.append(Layer("residual block 3×3, stride 2", 1, 2 * channels, side, block(channels, 2 * channels, 3, 2)))
        channels *= 2
    maps = 2 * width * (channels + 1)
    found.append(Layer("convolution 1×1: mean and variance of the latent", 1, 2 * width, side, maps))
    channels = width
    for stride in (1, 2, 2):
        side = -(-side // stride)
        weights = block(channels, 2 * channels, 3, stride) if residual else _mobile(channels, 2 * channels)
        channels *= 2
        what = ("residual block 3×3" if residual else "MBConv block 3×3") + ", stride 2" * (stride == 2)
        found.append(Layer(what, 1, channels, side, weights))
    found.append(Layer("global average pooling", 1, channels, 1, 0))
    return [*found, Layer("fully connected", 1, classes, 1, channels * classes + classes)]


def _mobile(before: int, after: int) -> int:
    wide, squeezed = 4 * before, before // 4
    return (
        convolution(before, wide, 1)
        + 11 * wide  # a 3×3 filter of its own for each channel, and batch norm
        + 2 * squeezed * wide
        + squeezed
        + wide
        + convolution(wide, after, 1)
    )


NAMED = {
    "pyramid": pyramid,
    "pyramid_wide": pyramid_wide,
    "sequential": sequential,
    "baseline_cnn": baseline_cnn,
}
NAMED |= {name: partial(latent, *shape) for name, shape in ALIGNED.items()}
NAMED |= {name: partial(transfer, name) for name in PRETRAINED}

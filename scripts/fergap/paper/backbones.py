"""Large networks under the head for expressions as tables of layers, and plain stacks of convolutions."""

from fergap.models.names import CLIP, OF_ONE_SIZE, PRETRAINED
from fergap.paper.layer import Layer, convolution

HIDDEN, DENSE = 256, 128
# how a stage changes the side of the maps
STEPS = {
    "same": lambda side: side,
    "halved": lambda side: -(-side // 2),
    "halved down": lambda side: side // 2,
    "unpadded": lambda side: side - 2,
    "unpadded, halved": lambda side: (side - 1) // 2,
    "in 16": lambda side: side // 16,
    "in 32": lambda side: side // 32,
}
FIRST = ("convolution 7×7, stride 2, batch norm, ReLU", 1, 64, "halved", 9_536)
POOLED = ("max pooling 3×3, stride 2", 1, 64, "halved", 0)
ATTENTION = "transformer block of 12 heads"
# what, how often, channels, step and weights of each stage, as the networks' modules have them
STAGES = {
    "resnet50": (
        FIRST,
        POOLED,
        ("bottleneck block", 3, 256, "same", 215_808),
        ("bottleneck block, stride 2 in the first", 4, 512, "halved", 1_219_584),
        ("bottleneck block, stride 2 in the first", 6, 1024, "halved", 7_098_368),
        ("bottleneck block, stride 2 in the first", 3, 2048, "halved", 14_964_736),
    ),
    "densenet121": (
        FIRST,
        POOLED,
        ("dense layer", 6, 256, "same", 335_040),
        ("transition", 1, 128, "halved down", 33_280),
        ("dense layer", 12, 512, "same", 919_680),
        ("transition", 1, 256, "halved down", 132_096),
        ("dense layer", 24, 1024, "same", 2_837_760),
        ("transition", 1, 512, "halved down", 526_336),
        ("dense layer", 16, 1024, "same", 2_158_080),
        ("batch norm, ReLU", 1, 1024, "same", 2_048),
    ),
    "mobilenet_v2": (
        ("convolution 3×3, stride 2, batch norm, ReLU6", 1, 32, "halved", 928),
        ("inverted residual block", 1, 16, "same", 896),
        ("inverted residual block, stride 2 in the first", 2, 24, "halved", 13_968),
        ("inverted residual block, stride 2 in the first", 3, 32, "halved", 39_696),
        ("inverted residual block, stride 2 in the first", 4, 64, "halved", 183_872),
        ("inverted residual block", 3, 96, "same", 303_168),
        ("inverted residual block, stride 2 in the first", 3, 160, "halved", 795_264),
        ("inverted residual block", 1, 320, "same", 473_920),
        ("convolution 1×1, batch norm, ReLU6", 1, 1280, "same", 412_160),
    ),
    "inception_v3": (
        ("convolution 3×3, stride 2, unpadded, batch norm, ReLU", 1, 32, "unpadded, halved", 928),
        ("convolution 3×3, unpadded, batch norm, ReLU", 1, 32, "unpadded", 9_280),
        ("convolution 3×3, batch norm, ReLU", 1, 64, "same", 18_560),
        ("max pooling 3×3, stride 2, unpadded", 1, 64, "unpadded, halved", 0),
        ("convolution 1×1, batch norm, ReLU", 1, 80, "same", 5_280),
        ("convolution 3×3, unpadded, batch norm, ReLU", 1, 192, "unpadded", 138_624),
        ("max pooling 3×3, stride 2, unpadded", 1, 192, "unpadded, halved", 0),
        ("inception module A", 3, 288, "same", 818_528),
        ("inception module B, stride 2", 1, 768, "unpadded, halved", 1_153_280),
        ("inception module C", 4, 768, "same", 6_821_376),
        ("inception module D, stride 2", 1, 1280, "unpadded, halved", 1_698_304),
        ("inception module E", 2, 2048, "same", 11_121_408),
    ),
    "vit_b_16": (
        ("patches 16×16, linear", 1, 768, "in 16", 590_592),
        ("class token, positions", 1, 768, "same", 152_064),
        (ATTENTION, 12, 768, "same", 85_054_464),
        ("layer norm", 1, 768, "same", 1_536),
    ),
    "mobilenet_v1": (
        ("convolution 3×3, stride 2, batch norm, ReLU", 1, 32, "halved", 928),
        ("depthwise separable convolution", 1, 64, "same", 2_528),
        ("depthwise separable convolution, stride 2 in the first", 2, 128, "halved", 27_200),
        ("depthwise separable convolution, stride 2 in the first", 2, 256, "halved", 103_552),
        ("depthwise separable convolution, stride 2 in the first", 6, 512, "halved", 1_478_912),
        ("depthwise separable convolution, stride 2 in the first", 2, 1024, "halved", 1_593_856),
    ),
    "xception": (
        ("convolution 3×3, stride 2, unpadded, batch norm, ReLU", 1, 32, "unpadded, halved", 928),
        ("convolution 3×3, unpadded, batch norm, ReLU", 1, 64, "unpadded", 18_560),
        ("two separable convolutions, stride 2", 1, 128, "halved", 35_264),
        ("two separable convolutions, stride 2", 1, 256, "halved", 136_064),
        ("two separable convolutions, stride 2", 1, 728, "halved", 915_944),
        ("three separable convolutions", 8, 728, "same", 12_911_808),
        ("two separable convolutions, stride 2", 1, 1024, "halved", 2_039_584),
        ("separable convolution, batch norm, ReLU", 1, 1536, "same", 1_585_152),
        ("separable convolution, batch norm, ReLU", 1, 2048, "same", 3_163_648),
    ),
}
STAGES |= dict.fromkeys(
    CLIP,
    (
        ("patches 32×32, linear", 1, 768, "in 32", 2_359_296),
        ("class token, positions, layer norm", 1, 768, "same", 40_704),
        (ATTENTION, 12, 768, "same", 85_054_464),
        ("layer norm", 1, 768, "same", 1_536),
    ),
)
POOLING = {"vit_b_16": ("class token", 768, 0)} | dict.fromkeys(CLIP, ("class token, projection", 512, 393_216))
"""What stands for global average pooling in a transformer, the features that it gives, and its weights."""


def transfer(network: str, classes: int, size: int) -> list[Layer]:
    """Return the layers of one of these networks and its head."""
    side, found = PRETRAINED[network] if network in OF_ONE_SIZE else max(size, PRETRAINED[network]), []
    if side != size:
        found.append(Layer("enlarging" if side > size else "making smaller", 1, 3, side, 0))
    for what, times, channels, step, weights in STAGES[network]:
        side = STEPS[step](side)
        found.append(Layer(what, times, channels, side, weights))
    pooling, features, weights = POOLING.get(network, ("global average pooling", found[-1].channels, 0))
    return [
        *found,
        Layer(pooling, 1, features, 1, weights),
        Layer("batch norm", 1, features, 1, 2 * features),
        Layer("fully connected, ReLU, dropout of a half", 1, HIDDEN, 1, features * HIDDEN + HIDDEN),
        Layer("fully connected", 1, classes, 1, HIDDEN * classes + classes),
    ]


def sequential(classes: int, size: int) -> list[Layer]:
    """Return the layers of the plain stack of six convolutions."""
    found, before = [], 1
    for after in (32, 64, 128):
        weights = convolution(before, after, 3) + convolution(after, after, 3)
        found.append(Layer("convolution 3×3, batch norm, ReLU", 2, after, size, weights))
        size //= 2
        found.append(Layer("max pooling 2×2, dropout of a quarter", 1, after, size, 0))
        before = after
    return [*found, *dense(128 * size**2, classes)]


def baseline_cnn(classes: int, size: int) -> list[Layer]:
    """Return the layers of the plain stack of three convolutions."""
    found, before = [], 1
    for after in (32, 64, 128):
        found.append(Layer("convolution 3×3, unpadded, ReLU", 1, after, size - 2, 9 * before * after + after))
        size = (size - 2) // 2
        found.append(Layer("max pooling 2×2", 1, after, size, 0))
        before = after
    return [*found, *dense(128 * size**2, classes)]


def dense(features: int, classes: int) -> list[Layer]:
    """Return a fully connected layer with dropout and that of the scores."""
    return [
        Layer("fully connected, ReLU, dropout of a half", 1, DENSE, 1, features * DENSE + DENSE),
        Layer("fully connected", 1, classes, 1, DENSE * classes + classes),
    ]

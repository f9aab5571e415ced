"""MobileNet, the first of that name (Howard et al. 2017)."""

from torch import nn

STEM = 32
STAGES = ((64, 1, 1), (128, 2, 2), (256, 2, 2), (512, 6, 2), (1024, 2, 2))
"""Channels, number of depthwise separable convolutions and the first one's stride, of each stage."""


def mobilenet_v1(classes: int = 1000) -> nn.Module:
    """Return MobileNet at full width, ``1.0 MobileNet-224`` of its paper.

    Table 1 of Howard et al. 2017, "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
    Applications": a 3×3 convolution with stride 2; thirteen depthwise separable convolutions, each a 3×3 filter of its
    own for every channel and a 1×1 convolution, both followed by batch norm and ReLU; global average pooling; the
    scores. The last stride of 2 that the table prints would not leave its 7×7 maps as they are: it is 1 here. The
    modules have the names of timm's ``mobilenetv1_100``, so that weights for that network can be loaded.

    Returns
    -------
    torch.nn.Module
        (n, 3, side, side) → (n, classes); with a last layer ``classifier``.
    """
    network, blocks, before = nn.Sequential(), nn.Sequential(), STEM
    for after, times, stride in STAGES:
        stage = nn.Sequential()
        for i in range(times):
            stage.append(_separable(before, after, 1 if i else stride))
            before = after
        blocks.append(stage)
    parts = {
        "conv_stem": nn.Conv2d(3, STEM, 3, stride=2, padding=1, bias=False),
        "bn1": nn.BatchNorm2d(STEM),
        "act1": nn.ReLU(inplace=True),
        "blocks": blocks,
        "pool": nn.AdaptiveAvgPool2d(1),
        "flat": nn.Flatten(),
        "classifier": nn.Linear(before, classes),
    }
    for name, part in parts.items():
        network.add_module(name, part)
    return network


def _separable(before: int, after: int, stride: int) -> nn.Sequential:
    block = nn.Sequential()
    parts = {
        "conv_dw": nn.Conv2d(before, before, 3, stride, padding=1, groups=before, bias=False),
        "bn1": nn.BatchNorm2d(before),
        "act1": nn.ReLU(inplace=True),
        "conv_pw": nn.Conv2d(before, after, 1, bias=False),
        "bn2": nn.BatchNorm2d(after),
        "act2": nn.ReLU(inplace=True),
    }
    for name, part in parts.items():
        block.add_module(name, part)
    return block

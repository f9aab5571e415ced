"""Plain convolutional networks, one layer after the other."""

from torch import nn

DENSE = 128


def sequential(classes: int, channels: int, size: int) -> nn.Module:
    """Return a plain stack of convolutions, the simplest network in comparisons of architectures.

    Three stages of two 3×3 convolutions with batch norm and ReLU (32, 64 and 128 channels), each followed by max
    pooling and dropout of a quarter; a fully connected layer of 128 and dropout of a half before the scores. The study
    of gender and architectures (its repository: "Facial Expression Recognition: Addressing Gender Bias") calls one of
    its five networks so and prints no layer of it; these are the customary ones. ``size`` at least 8.
    """
    layers: list[nn.Module] = []
    for before, after in ((channels, 32), (32, 64), (64, 128)):
        for given in (before, after):
            layers += [nn.Conv2d(given, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
        layers += [nn.MaxPool2d(2), nn.Dropout(0.25)]
    return nn.Sequential(*layers, *_dense(128 * (size // 8) ** 2, classes))


def baseline_cnn(classes: int, channels: int, size: int) -> nn.Module:
    """Return three 3×3 convolutions of 32, 64 and 128 channels with ReLU, each followed by 2×2 max pooling.

    Then one fully connected layer of 128 with ReLU, and dropout. The baseline of Olate, "Facial Emotion Recognition
    with Bias Mitigation", section 7.1, which prints neither padding (none here, its library's default) nor the rate of
    the dropout (a half here, that of its other head). ``size`` at least 22.
    """
    layers: list[nn.Module] = []
    for before, after in ((channels, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(before, after, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        size = (size - 2) // 2
    return nn.Sequential(*layers, *_dense(128 * size**2, classes))


def _dense(features: int, classes: int) -> list[nn.Module]:
    return [
        nn.Flatten(),
        nn.Linear(features, DENSE),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(DENSE, classes),
    ]

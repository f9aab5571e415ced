"""The mobile inverted bottleneck, the block of MobileNetV2 and EfficientNet."""

import torch
from torch import nn
from torch.nn import functional


class MBConv(nn.Module):
    """A wide depthwise convolution between two narrow 1×1 convolutions, around a shortcut.

    Sandler et al. 2018 (MobileNetV2) with the squeeze and excitation and the activation, x · sigmoid(x), of Tan & Le
    2019 (EfficientNet). Every convolution is followed by batch norm; the last one has no activation.

    Parameters
    ----------
    before, after : int
        Channels of the input and of the output.
    expansion : int
        The wide part has ``expansion`` · ``before`` channels.
    kernel : int
        Odd width of the depthwise convolution; padding keeps the size.
    stride : int
        Of the depthwise convolution. The shortcut is there where ``stride`` is 1 and the channels stay.
    """

    def __init__(self, before: int, after: int, expansion: int = 4, kernel: int = 3, stride: int = 1):
        super().__init__()
        wide, squeezed = expansion * before, max(1, before // 4)
        self.expand = nn.Conv2d(before, wide, 1, bias=False)
        self.expand_norm = nn.BatchNorm2d(wide)
        self.depthwise = nn.Conv2d(wide, wide, kernel, stride, kernel // 2, groups=wide, bias=False)
        self.depthwise_norm = nn.BatchNorm2d(wide)
        self.squeeze, self.excite = nn.Conv2d(wide, squeezed, 1), nn.Conv2d(squeezed, wide, 1)
        self.project = nn.Conv2d(wide, after, 1, bias=False)
        self.project_norm = nn.BatchNorm2d(after)
        self.shortcut = stride == 1 and before == after

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.silu(self.expand_norm(self.expand(x)))
        y = functional.silu(self.depthwise_norm(self._depthwise(y)))
        y = y * self.excite(functional.silu(self.squeeze(y.mean((2, 3), keepdim=True)))).sigmoid()
        y = self.project_norm(self.project(y))
        return x + y if self.shortcut else y

    def _depthwise(self, x: torch.Tensor) -> torch.Tensor:
        if x.device.type != "cpu":
            return self.depthwise(x)
        # a CPU takes five times as long for its backward pass in bfloat16 as in float32
        with torch.autocast("cpu", enabled=False):
            return self.depthwise(x.float())

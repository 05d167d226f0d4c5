"""ResNet-18, -34 and -50 with a quantizer on each branch of a block. Parameters are named as torchvision names them.

Source: arXiv 1512.03385; the stride of a bottleneck lies in its 3 x 3 convolution, as in torchvision.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from hwq.quant import Conv2d, Linear
from hwq.zoo.choice import Choice
from hwq.zoo.size import Size

__all__ = ["BasicBlock", "Bottleneck", "ResNet", "resnet"]

WIDTHS = (64, 128, 256, 512)


class _Block(nn.Module):
    """``act(skip(branch(x)) + skip(x))``; the shortcut has a 1 x 1 convolution where shapes differ."""

    def __init__(self, choice: Choice, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(_conv(choice, inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))
        self.skip = choice.make_skip()
        self.act = choice.make_activation()

    def branch(self, x: Tensor) -> Tensor:
        """The convolutions of the block."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        y: Tensor = self.act(self.skip(self.branch(x)) + self.skip(shortcut))
        return y


class BasicBlock(_Block):
    """Two 3 x 3 convolutions."""

    EXPANSION = 1

    def __init__(self, choice: Choice, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__(choice, inputs, width, stride)
        self.conv1, self.bn1 = _conv(choice, inputs, width, 3, stride), nn.BatchNorm2d(width)
        self.act1 = choice.make_activation()
        self.conv2, self.bn2 = _conv(choice, width, width, 3), nn.BatchNorm2d(width)

    def branch(self, x: Tensor) -> Tensor:
        """The convolutions of the block."""
        y: Tensor = self.bn2(self.conv2(self.act1(self.bn1(self.conv1(x)))))
        return y


class Bottleneck(_Block):
    """1 x 1, 3 x 3 and 1 x 1 convolutions; the last has four times the channels."""

    EXPANSION = 4

    def __init__(self, choice: Choice, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__(choice, inputs, width * self.EXPANSION, stride)
        self.conv1, self.bn1 = _conv(choice, inputs, width, 1), nn.BatchNorm2d(width)
        self.act1 = choice.make_activation()
        self.conv2, self.bn2 = _conv(choice, width, width, 3, stride), nn.BatchNorm2d(width)
        self.act2 = choice.make_activation()
        self.conv3, self.bn3 = _conv(choice, width, width * self.EXPANSION, 1), nn.BatchNorm2d(width * self.EXPANSION)

    def branch(self, x: Tensor) -> Tensor:
        """The convolutions of the block."""
        x = self.act1(self.bn1(self.conv1(x)))
        x = self.act2(self.bn2(self.conv2(x)))
        y: Tensor = self.bn3(self.conv3(x))
        return y


class ResNet(nn.Module):
    """Stem, four layers of blocks, average pool, scores."""

    def __init__(self, choice: Choice, size: Size, block: type[BasicBlock | Bottleneck], depths: Sequence[int]) -> None:
        super().__init__()
        channels = size.of(WIDTHS[0])
        self.input = choice.make_input()
        self.conv1 = Conv2d(size.image[0], channels, 7, stride=2, padding=3, bias=False, weight=choice.make_first())
        self.bn1 = nn.BatchNorm2d(channels)
        self.act1 = choice.make_activation()
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        layers = []
        for k, (width, depth) in enumerate(zip(WIDTHS, depths, strict=True)):
            layers.append(nn.Sequential())
            for j in range(depth):
                layers[k].append(block(choice, channels, size.of(width), stride=2 if j == 0 and k else 1))
                channels = size.of(width) * block.EXPANSION
        self.layer1, self.layer2, self.layer3, self.layer4 = layers
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.last_input = choice.make_last_input()
        self.fc = Linear(channels, size.classes, weight=choice.make_last())

    def forward(self, image: Tensor) -> Tensor:
        x = self.maxpool(self.act1(self.bn1(self.conv1(self.input(image)))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        y: Tensor = self.fc(self.last_input(self.flatten(self.avgpool(x))))
        return y


def resnet(choice: Choice, size: Size, *, depths: Sequence[int], bottleneck: bool = False) -> nn.Module:
    """A ResNet with ``depths`` blocks in its four layers."""
    return ResNet(choice, size, Bottleneck if bottleneck else BasicBlock, depths)


def _conv(choice: Choice, inputs: int, outputs: int, kernel: int, stride: int = 1) -> Conv2d:
    return Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False, weight=choice.make_weight())

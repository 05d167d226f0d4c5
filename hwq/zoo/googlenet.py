"""GoogLeNet (Inception v1) with batch norm, without the side classifiers. Source: arXiv 1409.4842."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hwq.quant import Conv2d, Linear, Quantizer
from hwq.zoo.choice import Choice
from hwq.zoo.size import Size

__all__ = ["GoogLeNet", "Inception", "googlenet"]

DROPOUT = 0.4
# 1x1; 3x3 reduced, 3x3; 5x5 reduced, 5x5; behind the pool
MODULES = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
POOL_BEHIND = ("3b", "4e")


class _Unit(nn.Module):
    """Convolution, batch norm, activation."""

    def __init__(self, inputs: int, outputs: int, kernel: int, weight: Quantizer, act: Quantizer, stride: int = 1) -> None:
        super().__init__()
        self.conv = Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False, weight=weight)
        self.bn = nn.BatchNorm2d(outputs)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act(self.bn(self.conv(x)))
        return y


class Inception(nn.Module):
    """Four branches side by side; one activation quantizer behind all of them, so that the concatenation has one scale."""

    def __init__(self, choice: Choice, inputs: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        one, reduce3, three, reduce5, five, pooled = widths
        self.act = choice.make_activation()
        self.one = _unit(choice, inputs, one, 1, self.act)
        self.three = nn.Sequential(_unit(choice, inputs, reduce3, 1), _unit(choice, reduce3, three, 3, self.act))
        self.five = nn.Sequential(_unit(choice, inputs, reduce5, 1), _unit(choice, reduce5, five, 5, self.act))
        self.pooled = nn.Sequential(nn.MaxPool2d(3, 1, padding=1), _unit(choice, inputs, pooled, 1, self.act))
        self.outputs = one + three + five + pooled

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pooled(x)], 1)


class GoogLeNet(nn.Module):
    """Stem, nine inception modules, average pool, scores."""

    def __init__(self, choice: Choice, size: Size) -> None:
        super().__init__()
        stem, wide = size.of(64), size.of(192)
        self.input = choice.make_input()
        self.conv1 = _Unit(size.image[0], stem, 7, choice.make_first(), choice.make_activation(), stride=2)
        self.pool1 = _pool()
        self.conv2 = _unit(choice, stem, stem, 1)
        self.conv3 = _unit(choice, stem, wide, 3)
        self.pool2 = _pool()
        self.inception = nn.ModuleDict()
        channels = wide
        for name, widths in MODULES.items():
            module = Inception(choice, channels, tuple(size.of(w) for w in widths))
            self.inception[name], channels = module, module.outputs
        self.pool3, self.pool4 = _pool(), _pool()
        self.avgpool, self.flatten, self.dropout = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(DROPOUT)
        self.last_input = choice.make_last_input()
        self.fc = Linear(channels, size.classes, weight=choice.make_last())

    def forward(self, image: Tensor) -> Tensor:
        x = self.pool1(self.conv1(self.input(image)))
        x = self.pool2(self.conv3(self.conv2(x)))
        pools = dict(zip(POOL_BEHIND, (self.pool3, self.pool4), strict=True))
        for name, module in self.inception.items():
            x = module(x)
            x = pools[name](x) if name in pools else x
        y: Tensor = self.fc(self.last_input(self.dropout(self.flatten(self.avgpool(x)))))
        return y


def googlenet(choice: Choice, size: Size) -> nn.Module:
    """GoogLeNet."""
    return GoogLeNet(choice, size)


def _unit(choice: Choice, inputs: int, outputs: int, kernel: int, act: Quantizer | None = None) -> _Unit:
    return _Unit(inputs, outputs, kernel, choice.make_weight(), choice.make_activation() if act is None else act)


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, 2, ceil_mode=True)

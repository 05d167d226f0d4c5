"""AlexNet with batch norm instead of local response norm, as the low-bit literature trains it. Source: HWGQ, arXiv 1702.00953."""

from __future__ import annotations

from torch import nn

from hwq.zoo.choice import Choice
from hwq.zoo.size import Size
from hwq.zoo.stack import Stack

__all__ = ["alexnet"]


def alexnet(choice: Choice, size: Size, *, towers: int = 1) -> nn.Module:
    """Five convolutions, three dense layers; order convolution, pool, batch norm, activation.

    ``towers`` 2 cuts conv2, conv4 and conv5 into two groups, as the network of 2012 was. 224 x 224 with two zeros around gives
    the same maps as 227 x 227 without.
    """
    stack = Stack(choice, size)
    stack.conv("1", 96, 11, stride=4, padding=2, pool=_pool())
    stack.conv("2", 256, 5, padding=2, groups=towers, pool=_pool())
    stack.conv("3", 384, 3, padding=1)
    stack.conv("4", 384, 3, padding=1, groups=towers)
    stack.conv("5", 256, 3, padding=1, groups=towers, pool=_pool())
    stack.flatten()
    stack.dense("6", 4096)
    stack.dense("7", 4096, last=True)
    stack.scores()
    return stack.net


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, 2)

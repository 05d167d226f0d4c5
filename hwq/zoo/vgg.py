"""VGG-like networks of the low-bit literature: VGG-small (CIFAR-10) and VGG-variant (ImageNet).

Order of a layer: convolution, pool, batch norm, activation. Sources: HWGQ, arXiv 1702.00953; LQ-Nets, arXiv 1807.10029.
"""

from __future__ import annotations

from torch import nn

from hwq.zoo.choice import Choice
from hwq.zoo.size import Size
from hwq.zoo.stack import Stack

__all__ = ["vgg_small", "vgg_variant"]


def vgg_small(choice: Choice, size: Size) -> nn.Module:
    """Six convolutions in three stages, one dense layer."""
    stack = Stack(choice, size)
    for stage, channels in enumerate((128, 256, 512), 1):
        stack.conv(f"{stage}_1", channels, 3, padding=1)
        stack.conv(f"{stage}_2", channels, 3, padding=1, pool=nn.MaxPool2d(2), last=stage == 3)
    stack.flatten()
    stack.scores()
    return stack.net


def vgg_variant(choice: Choice, size: Size) -> nn.Module:
    """A 7 x 7 convolution, three stages of three, three dense layers."""
    stack = Stack(choice, size)
    stack.conv("1", 96, 7, stride=2, padding=3, pool=nn.MaxPool2d(2))
    for stage, channels in enumerate((256, 512, 512), 2):
        for k in (1, 2, 3):
            stack.conv(f"{stage}_{k}", channels, 3, padding=1, pool=nn.MaxPool2d(2) if k == 3 else None)
    stack.flatten()
    stack.dense("5", 4096)
    stack.dense("6", 4096, last=True)
    stack.scores()
    return stack.net

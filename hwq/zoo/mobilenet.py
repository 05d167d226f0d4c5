"""MobileNet (the first): depthwise and pointwise convolutions in turn. Source: arXiv 1704.04861."""

from __future__ import annotations

from torch import nn

from hwq.zoo.choice import Choice
from hwq.zoo.size import Size
from hwq.zoo.stack import Stack

__all__ = ["depthwise_separable", "mobilenet"]

STEM = 32
# channels behind the pointwise convolution, stride of the depthwise one
BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))


def mobilenet(choice: Choice, size: Size) -> nn.Module:
    """A convolution, thirteen pairs of depthwise and pointwise ones, average pool, scores."""
    stack = Stack(choice, size)
    stack.conv("0", STEM, 3, stride=2, padding=1)
    published = STEM
    for k, (channels, stride) in enumerate(BLOCKS, 1):
        depthwise_separable(stack, str(k), published, channels, stride)
        published = channels
    stack.add("avgpool", nn.AdaptiveAvgPool2d(1))
    stack.flatten()
    stack.add("last_input", choice.make_last_input())
    stack.scores()
    return stack.net


def depthwise_separable(stack: Stack, name: str, inputs: int, outputs: int, stride: int) -> None:
    """Adds a 3 x 3 depthwise convolution of the ``inputs`` channels and a 1 x 1 convolution to ``outputs``."""
    stack.conv(f"{name}_dw", inputs, 3, stride=stride, padding=1, groups=stack.channels)
    stack.conv(f"{name}_pw", outputs, 1)

"""CNV: FINN's convolutional network for 32 x 32 images, without padding. Source: arXiv 1612.07119."""

from __future__ import annotations

from torch import nn

from hwq.zoo.choice import Choice
from hwq.zoo.size import Size
from hwq.zoo.stack import Stack

__all__ = ["cnv"]

STAGES = (64, 128, 256)
HIDDEN = 512


def cnv(choice: Choice, size: Size) -> nn.Module:
    """Six convolutions, three dense layers; pools behind the activations of the first two stages."""
    stack = Stack(choice, size)
    for stage, channels in enumerate(STAGES, 1):
        stack.conv(f"{stage}_1", channels, 3)
        stack.conv(f"{stage}_2", channels, 3)
        if stage < len(STAGES):
            stack.add(f"pool{stage}", nn.MaxPool2d(2))
    stack.flatten()
    stack.dense("1", HIDDEN)
    stack.dense("2", HIDDEN, last=True)
    stack.scores(bias=False)
    return stack.net

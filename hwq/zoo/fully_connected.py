"""TFC, SFC, LFC: FINN's three perceptrons for 28 x 28 images. Source: arXiv 1612.07119."""

from __future__ import annotations

from torch import nn

from hwq.zoo.choice import Choice
from hwq.zoo.size import Size
from hwq.zoo.stack import Stack

__all__ = ["fully_connected"]

DROPOUT = 0.2
HIDDEN_LAYERS = 3


def fully_connected(choice: Choice, size: Size, *, hidden: int) -> nn.Module:
    """Three hidden layers of ``hidden`` neurons."""
    stack = Stack(choice, size)
    stack.flatten()
    for k in range(1, HIDDEN_LAYERS + 1):
        stack.dense(str(k), hidden, last=k == HIDDEN_LAYERS, dropout=DROPOUT)
    stack.scores(bias=False)
    return stack.net

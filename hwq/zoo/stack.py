"""A chain of convolutions and dense layers, each with batch norm and activation; the body of most networks here."""

from __future__ import annotations

from typing import Any

from torch import nn

from hwq.quant import Conv2d, Linear, Quantizer
from hwq.zoo.choice import Choice
from hwq.zoo.counts import output_shape
from hwq.zoo.size import Size

__all__ = ["Stack"]


class Stack:
    """Grows ``net`` layer by layer; its children are called ``conv2_1``, ``bn2_1``, ``act2_1``, ``pool2``, in order of execution.

    Parameters
    ----------
    choice, size
        Quantizers; image and channels. The first layer added takes the weight quantizer ``first``.
    """

    def __init__(self, choice: Choice, size: Size) -> None:
        self.net = nn.Sequential()
        self.choice, self.size = choice, size
        self.channels = size.image[0]
        self._has_layers = False
        self.add("input", choice.make_input())

    def add(self, name: str, module: nn.Module) -> None:
        """Any other module, behind what is there."""
        self.net.add_module(name, module)

    def conv(self, name: str, channels: int, kernel: int, *, pool: nn.Module | None = None, last: bool = False, **window: Any) -> None:
        """Convolution, pool where given, batch norm, activation; ``last`` makes the activation that of the last layer's input."""
        outputs = self.size.of(channels)
        layer = Conv2d(self.channels, outputs, kernel, bias=False, weight=self._weight(), **window)
        self.channels = outputs
        self.add(f"conv{name}", layer)
        if pool is not None:
            self.add(f"pool{name}", pool)
        self.add(f"bn{name}", nn.BatchNorm2d(outputs))
        self.add(f"act{name}", self._activation(last))

    def flatten(self) -> None:
        """From (C, H, W) to one axis."""
        shape = output_shape(self.net, self.size.image)
        self.channels = 1
        for n in shape:
            self.channels *= n
        self.add("flatten", nn.Flatten())

    def dense(self, name: str, outputs: int, *, last: bool = False, dropout: float = 0.0) -> None:
        """Dense layer, batch norm, activation, dropout where given."""
        outputs = self.size.of(outputs)
        self.add(f"fc{name}", Linear(self.channels, outputs, bias=False, weight=self._weight()))
        self.channels = outputs
        self.add(f"bn{name}", nn.BatchNorm1d(outputs))
        self.add(f"act{name}", self._activation(last))
        if dropout:
            self.add(f"drop{name}", nn.Dropout(dropout))

    def scores(self, bias: bool = True) -> None:
        """The last layer: one score a class."""
        self.add("scores", Linear(self.channels, self.size.classes, bias=bias, weight=self.choice.make_last()))

    def _weight(self) -> Quantizer:
        first, self._has_layers = not self._has_layers, True
        return self.choice.make_first() if first else self.choice.make_weight()

    def _activation(self, last: bool) -> Quantizer:
        return self.choice.make_last_input() if last else self.choice.make_activation()

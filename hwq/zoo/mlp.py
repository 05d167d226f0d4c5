"""Multilayer perceptrons of quantized layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import nn

from hwq.quant import Bipolar, Linear, Quantizer

__all__ = ["mlp"]

MakeQuantizer = Callable[[], Quantizer]


def mlp(
    widths: Sequence[int],
    *,
    input: Quantizer,
    weight: MakeQuantizer = Bipolar,
    activation: MakeQuantizer = Bipolar,
    last_weight: MakeQuantizer | None = None,
    last_bias: bool = True,
) -> nn.Sequential:
    """``input``, then linear - batch norm - activation for every hidden width, then a linear layer of scores.

    ``widths`` is inputs, hidden widths, classes. Layers are called ``input``, ``fc1``, ``bn1``, ``act1``, ..., ``scores``.
    """
    net = nn.Sequential()
    net.add_module("input", input)
    for k, (inputs, outputs) in enumerate(pairwise(widths[:-1]), 1):
        net.add_module(f"fc{k}", Linear(inputs, outputs, bias=False, weight=weight()))
        net.add_module(f"bn{k}", nn.BatchNorm1d(outputs))
        net.add_module(f"act{k}", activation())
    net.add_module("scores", Linear(widths[-2], widths[-1], bias=last_bias, weight=(last_weight or weight)()))
    return net

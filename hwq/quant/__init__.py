"""Quantizers and layers for torch, one file a method; freeze.

net = nn.Sequential(
    Uniform(4, signed=False, scale=1.0),
    Linear(64, 64, bias=False, weight=Bipolar()), nn.BatchNorm1d(64), Bipolar(),
    Linear(64, 10, weight=Ternary()),
)
...                                   # train as usual, then net.eval()
hwq.save(net, "model.pt", example)    # freezes, and says what that cost
"""

from __future__ import annotations

from hwq.quant.bipolar import Bipolar
from hwq.quant.conv import Conv1d, Conv2d
from hwq.quant.freeze import FreezeReport, freeze, is_unfrozen
from hwq.quant.frozen import Frozen
from hwq.quant.identity import Identity
from hwq.quant.layers import Activation, Linear
from hwq.quant.quantizer import Quantizer, make_quantizer
from hwq.quant.saturating import Saturating
from hwq.quant.ternary import Ternary
from hwq.quant.uniform import Uniform

Quantize = Activation

__all__ = [
    "Activation",
    "Bipolar",
    "Conv1d",
    "Conv2d",
    "FreezeReport",
    "Frozen",
    "Identity",
    "Linear",
    "Quantize",
    "Quantizer",
    "Saturating",
    "Ternary",
    "Uniform",
    "freeze",
    "is_unfrozen",
    "make_quantizer",
]

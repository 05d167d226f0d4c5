"""No quantization, where a quantizer is asked for."""

from __future__ import annotations

from torch import Tensor, nn

from hwq.errors import InputError
from hwq.numerics.encoding import Encoding
from hwq.quant.quantizer import Quantizer

__all__ = ["Identity"]


class Identity(Quantizer):
    """Lets real numbers pass: for float baselines, and to switch one quantizer off while searching for a fault.

    As an activation it freezes to nothing; weights without a quantizer cannot be frozen.
    """

    @property
    def encoding(self) -> Encoding:
        raise InputError("WEIGHT-UNQUANTIZED", "the weights have no quantizer", hint="Give the layer one, for example weight=Uniform(8)")

    def integers(self, x: Tensor, scale: Tensor) -> Tensor:
        return x

    def frozen(self) -> nn.Module:
        return nn.Identity()

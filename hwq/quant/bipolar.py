"""Bipolar quantizer: one bit, -1 or +1."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from hwq.errors import InputError
from hwq.numerics.encoding import Bipolar as BipolarEncoding
from hwq.quant.gradient import straight_through_sign
from hwq.quant.quantizer import Quantizer

__all__ = ["Bipolar"]


class Bipolar(Quantizer):
    """Deterministic sign, +1 where ``x >= 0`` (sign(0) = +1); clipped straight-through gradient.

    Parameters
    ----------
    scale
        ``"none"``: weights are ±1 (BinaryConnect, BNN). ``"layer"`` or ``"channel"``: weights are ±mean|w|, one mean a
        layer or an output channel (XNOR-Net, BWN). Activations are always ±1.

    Source: arXiv 1511.00363, 1602.02830; scales: arXiv 1603.05279 (the K map of activations is left out).
    """

    def __init__(self, scale: Literal["none", "layer", "channel"] = "none") -> None:
        super().__init__()
        if scale not in ("none", "layer", "channel"):
            raise InputError("QUANTIZER-OPTION", f"scale is {scale!r}, expected 'none', 'layer' or 'channel'", where="Bipolar")
        self.scale = scale

    @property
    def encoding(self) -> BipolarEncoding:
        return BipolarEncoding()

    def integers(self, x: Tensor, scale: Tensor) -> Tensor:
        # The clip of the gradient is at |x| = 1 for any scale, as in XNOR-Net.
        return straight_through_sign(x)

    def weight_scale(self, weight: Tensor) -> Tensor:
        if self.scale == "none":
            return weight.new_ones(())
        mean = per_channel(weight.abs()).mean(1) if self.scale == "channel" else weight.abs().mean()
        return mean.reshape(-1, *[1] * (weight.dim() - 1)) if self.scale == "channel" else mean

    def frozen(self) -> nn.Module:
        from hwq.quant.frozen import FrozenBipolar

        return FrozenBipolar()

    def extra_repr(self) -> str:
        return f"scale={self.scale!r}"


def per_channel(weight: Tensor) -> Tensor:
    """A weight (O, ...) as (O, elements)."""
    return weight.reshape(weight.shape[0], -1)

"""Ternary weight quantizer: -1, 0, +1 times a scale."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from hwq.errors import InputError
from hwq.numerics.encoding import Integer
from hwq.quant.bipolar import per_channel
from hwq.quant.gradient import straight_through
from hwq.quant.quantizer import Quantizer

__all__ = ["Ternary"]


class Ternary(Quantizer):
    """Ternary Weight Networks: ``t = sign(w)`` where ``|w| > 0.7 mean|w|``, else 0; scale = mean of those ``|w|``.

    Weights only; ternary activations are ``Uniform(2, narrow=True)``. The gradient with respect to the quantized
    weight is passed to the weight unchanged.

    Parameters
    ----------
    per
        ``"layer"`` or ``"channel"``: over what means are taken.
    threshold
        Factor of the mean, 0.7 in the paper.

    Source: arXiv 1605.04711.
    """

    def __init__(self, per: Literal["layer", "channel"] = "layer", threshold: float = 0.7) -> None:
        super().__init__()
        if per not in ("layer", "channel"):
            raise InputError("QUANTIZER-OPTION", f"per is {per!r}, expected 'layer' or 'channel'", where="Ternary")
        self.per = per
        self.threshold = threshold

    @property
    def encoding(self) -> Integer:
        return Integer(2, True, True)

    def _mask(self, weight: Tensor) -> Tensor:
        """1 where the weight is not zero, as (O, elements) or (1, all elements)."""
        size = self._rows(weight).abs()
        return (size > self.threshold * size.mean(1, keepdim=True)).to(weight.dtype)

    def _rows(self, weight: Tensor) -> Tensor:
        return per_channel(weight) if self.per == "channel" else weight.reshape(1, -1)

    def weight_scale(self, weight: Tensor) -> Tensor:
        mask, size = self._mask(weight.detach()), self._rows(weight.detach()).abs()
        count = mask.sum(1)
        mean = torch.where(count > 0, (size * mask).sum(1) / count.clamp(min=1), torch.ones_like(count))
        return mean.reshape(-1, *[1] * (weight.dim() - 1)) if self.per == "channel" else mean.reshape(())

    def integers(self, x: Tensor, scale: Tensor) -> Tensor:
        codes = (self._mask(x.detach()) * self._rows(x.detach()).sign()).reshape(x.shape)
        return straight_through(x / scale, codes)

    def frozen(self) -> nn.Module:
        raise InputError(
            "TERNARY-ACTIVATION",
            "Ternary takes its threshold from the whole tensor and cannot quantize activations",
            hint="Use Uniform(2, narrow=True) for ternary activations",
        )

    def extra_repr(self) -> str:
        return f"per={self.per!r}, threshold={self.threshold}"

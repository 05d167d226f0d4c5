"""Uniform k-bit quantizer: equally spaced levels, one of them zero."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Literal

import torch
from torch import Tensor, nn

from hwq.errors import InputError
from hwq.numerics.encoding import Integer
from hwq.quant.bipolar import per_channel
from hwq.quant.gradient import straight_through_round
from hwq.quant.quantizer import Quantizer

__all__ = ["Uniform"]

MAX_TRAINED_BITS = 16
MOMENTUM = 0.1
SCALES = "expected 'max', 'learned' or a number"


class Uniform(Quantizer):
    """``q = round(clip(x / s, lo, hi))``, ties to even, in this order (QONNX's Quant without a zero point).

    Gradient: 1 inside the clip, 0 outside; a learned scale gets ``q - x/s`` inside and ``q`` outside.

    Parameters
    ----------
    bits, signed, narrow
        Integers ``-2^(bits-1) .. 2^(bits-1)-1`` or ``0 .. 2^bits-1``; ``narrow`` leaves out the lowest (signed) or highest.
    scale
        ``"max"``: largest |x| becomes ``hi``; of the weights themselves, or of activations as a running mean (momentum 0.1)
        taken in train mode at every use, so that one quantizer may serve several tensors.
        ``"learned"``: a parameter, started at ``2 mean|x| / sqrt(hi)``. A number: fixed.
    per
        ``"layer"`` or ``"channel"`` (output channel; weights with ``scale="max"`` only).

    Source: the symmetric case of Jacob et al., arXiv 1712.05877; learned scale: LSQ, arXiv 1902.08153 (without its gradient factor).
    """

    def __init__(
        self,
        bits: int,
        signed: bool = True,
        narrow: bool = False,
        scale: Literal["max", "learned"] | float = "max",
        per: Literal["layer", "channel"] = "layer",
    ) -> None:
        super().__init__()
        _check_kinds(bits, scale)
        if not 1 <= bits <= MAX_TRAINED_BITS:
            raise InputError("QUANTIZER-OPTION", f"bits is {bits}, expected 1..{MAX_TRAINED_BITS}", where="Uniform")
        if bits == 1 and signed:
            raise InputError(
                "QUANTIZER-OPTION",
                "bits is 1, a signed quantizer has at least 2",
                where="Uniform",
                hint="Bipolar() has the levels -1 and +1, Uniform(1, signed=False) 0 and 1",
            )
        self._encoding = Integer(bits, signed, narrow)
        if self._encoding.hi < 1:
            raise InputError("QUANTIZER-OPTION", f"{self._encoding.name} has the single level 0", where="Uniform")
        if per not in ("layer", "channel") or (per == "channel" and scale != "max"):
            raise InputError("QUANTIZER-OPTION", f"per={per!r} does not go with scale={scale!r}", where="Uniform")
        self.per = per
        self.mode = scale if isinstance(scale, str) else "fixed"
        if self.mode not in ("max", "learned", "fixed"):
            raise InputError("QUANTIZER-OPTION", f"scale is {scale!r}, {SCALES}", where="Uniform")
        start = torch.tensor(float("nan") if isinstance(scale, str) else float(scale))
        if self.mode == "fixed" and not 0 < torch.tensor(float(scale), device="cpu") < torch.inf:
            raise InputError("QUANTIZER-OPTION", f"scale is {scale}, expected a positive number that binary32 holds", where="Uniform")
        if self.mode == "learned":
            self.step = nn.Parameter(start)
        else:
            self.register_buffer("step", start)

    @property
    def encoding(self) -> Integer:
        return self._encoding

    def integers(self, x: Tensor, scale: Tensor) -> Tensor:
        return straight_through_round(torch.clamp(x / scale, self._encoding.lo, self._encoding.hi))

    def weight_scale(self, weight: Tensor) -> Tensor:
        if self.mode != "max":
            return self.input_scale(weight)
        if self.per == "layer":
            return self._of_max(weight.detach().abs().amax())
        return self._of_max(per_channel(weight.detach().abs()).amax(1)).reshape(-1, *[1] * (weight.dim() - 1))

    def input_scale(self, x: Tensor) -> Tensor:
        if not self.step.is_meta:  # a shape without values is nothing to learn from
            if self.training and self.mode != "fixed":
                self._observe(x.detach())
            self._check_seen()
        # A copy of a running mean: a second use in the same forward moves the buffer, and backward needs this value.
        return self.step.abs() if self.mode == "learned" else self.step.clone()

    def frozen_scale(self) -> Tensor:
        self._check_seen()
        return self.step.detach().abs().to(torch.float32)

    def frozen(self) -> nn.Module:
        from hwq.quant.frozen import FrozenUniform

        return FrozenUniform(self._encoding, self.frozen_scale())

    def _observe(self, x: Tensor) -> None:
        fresh = bool(torch.isnan(self.step))
        with torch.no_grad():
            if self.mode == "learned" and fresh:
                self.step.copy_(self._positive(2 * x.abs().mean() / self._encoding.hi**0.5))
            elif self.mode == "max":
                seen = self._of_max(x.abs().amax() if self._encoding.signed else x.amax())
                self.step.copy_(seen if fresh else self.step + MOMENTUM * (seen - self.step))

    def _of_max(self, largest: Tensor) -> Tensor:
        return self._positive(largest / self._encoding.hi)

    @staticmethod
    def _positive(scale: Tensor) -> Tensor:
        return torch.where(scale > 0, scale, torch.ones_like(scale))

    def _check_seen(self) -> None:
        if bool(torch.isnan(self.step)):
            raise InputError(
                "QUANTIZER-UNTRAINED",
                f"a Uniform quantizer ({self._encoding.name}) has no scale yet",
                hint="Run the module on some data in train mode first, or give scale a number",
            )

    def extra_repr(self) -> str:
        return f"{self._encoding.name}, scale={self.mode!r}, per={self.per!r}"


def _check_kinds(bits: object, scale: object) -> None:
    if isinstance(bits, bool) or not isinstance(bits, Integral):
        raise InputError("QUANTIZER-OPTION", f"bits is {bits!r}, a whole number was expected", where="Uniform")
    if not isinstance(scale, Real | str | Tensor):
        raise InputError("QUANTIZER-OPTION", f"scale is {scale!r}, {SCALES}", where="Uniform")

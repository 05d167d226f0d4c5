"""Layers that train with quantized weights and compute on their integers."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from hwq.errors import InputError
from hwq.numerics.encoding import Encoding
from hwq.quant.quantizer import Quantizer, quantizer_of, refuse_export
from hwq.quant.saturating import saturating_matmul

__all__ = ["Accumulator", "Activation", "Linear"]


class Accumulator(Protocol):
    """What a layer asks of an accumulator: :class:`Saturating` of hwq.quant or of the Network."""

    @property
    def bits(self) -> int: ...
    @property
    def chunk(self) -> int: ...


class Linear(nn.Module):
    """Fully connected layer: ``y = (x @ integers.T) * scale + bias``.

    Parameters
    ----------
    in_features, out_features
        I and O; the weight is (O, I).
    bias
        Real bias, added after the scale.
    weight
        Quantizer of the weight, or its name (``"bipolar"``); it brings the scale, one or O of them.
    input
        Quantizer of the input, where the layer shall do it itself.
    accumulator
        None for exact sums, or ``Saturating(bits, chunk)``: the same forward in training, frozen, and in hardware.
        The integers of the input must be known: it has an ``input`` quantizer here, or it holds integers (±1, say).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        weight: Quantizer | str,
        input: Quantizer | str | None = None,
        accumulator: Accumulator | None = None,
    ) -> None:
        super().__init__()
        if in_features < 1 or out_features < 1:
            raise InputError("LAYER-SHAPE", f"Linear({in_features}, {out_features}) was asked, at least 1 of each is needed")
        self.in_features, self.out_features = in_features, out_features
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.bias = nn.Parameter(torch.zeros(out_features)) if bias else None
        self.weight_quantizer = quantizer_of(weight, "Linear(weight=)")
        self.input_quantizer = None if input is None else quantizer_of(input, "Linear(input=)")
        self.accumulator = accumulator
        bound = math.sqrt(6.0 / (in_features + out_features))
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        refuse_export(self)
        scale = self.weight_quantizer.weight_scale(self.weight)
        codes = self.weight_quantizer.integers(self.weight, scale)
        if self.accumulator is None:
            y = functional.linear(x if self.input_quantizer is None else self.input_quantizer(x), codes)
        else:
            y = self._saturating(x, codes)
        y = y * scale.reshape(-1)
        return y if self.bias is None else y + self.bias

    def _saturating(self, x: Tensor, codes: Tensor) -> Tensor:
        assert self.accumulator is not None
        bits, chunk = self.accumulator.bits, self.accumulator.chunk
        if self.input_quantizer is not None:
            step = self.input_quantizer.input_scale(x)
            return saturating_matmul(self.input_quantizer.integers(x, step), codes, bits, chunk) * step
        if not torch.equal(x.detach(), torch.round(x.detach())):
            raise InputError(
                "SATURATING-INPUT",
                "a saturating accumulator counts integers, and the input of this layer holds others",
                hint="Give the layer its input quantizer: Linear(..., input=Uniform(4), accumulator=Saturating(...))",
            )
        return saturating_matmul(x, codes, bits, chunk)

    def frozen(self) -> nn.Module:
        """The hard form: integer codes, binary32 scales, float64 arithmetic."""
        from hwq.quant.frozen import FrozenLinear

        with torch.no_grad():
            scale = self.weight_quantizer.weight_scale(self.weight).to(torch.float32)
            codes = self.weight_quantizer.integers(self.weight, scale)
        encoding = self.weight_quantizer.encoding
        _check_codes(codes, scale, encoding)
        return FrozenLinear(codes, scale.reshape(-1), self.bias, self.input_quantizer, self.accumulator, encoding)

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}, accumulator={self.accumulator}"


def _check_codes(codes: Tensor, scale: Tensor, encoding: Encoding) -> None:
    integers = codes.to(torch.int64)
    wrong = (integers != codes) | torch.from_numpy(~encoding.contains(integers.cpu().numpy()))
    if bool(wrong.any()):
        raise InputError(
            "QUANTIZER-INTEGERS", f"its quantizer gave the weight {float(codes[wrong][0]):g}, which {encoding.name} does not hold"
        )
    if not bool((torch.isfinite(scale) & (scale > 0)).all()):
        raise InputError("QUANTIZER-SCALE", f"its quantizer gave a scale of {float(scale.min()):g}, a positive number was expected")


class Activation(nn.Module):
    """Quantizes what passes: ``Activation(Bipolar())``. A quantizer in its place does the same."""

    def __init__(self, quantizer: Quantizer | str) -> None:
        super().__init__()
        self.quantizer = quantizer_of(quantizer, "Activation")

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.quantizer(x)
        return y

    def frozen(self) -> nn.Module:
        """The hard form of the quantizer."""
        return self.quantizer.frozen()

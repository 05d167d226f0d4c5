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

__all__ = ["Accumulator", "Activation", "Linear", "WeightLayer"]


class Accumulator(Protocol):
    """What a layer asks of an accumulator: :class:`Saturating` of hwq.quant or of the Network."""

    @property
    def bits(self) -> int: ...
    @property
    def chunk(self) -> int: ...


class WeightLayer(nn.Module):
    """What layers with a quantized weight share: ``weight`` (O, ...), ``bias`` (O,) or None, and their quantizers."""

    def __init__(
        self,
        shape: tuple[int, ...],
        fans: int,
        bias: bool,
        weight: Quantizer | str,
        input: Quantizer | str | None,
        accumulator: Accumulator | None,
    ) -> None:
        super().__init__()
        kind = type(self).__name__
        self.weight = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.zeros(shape[0])) if bias else None
        self.weight_quantizer = quantizer_of(weight, f"{kind}(weight=)")
        self.input_quantizer = None if input is None else quantizer_of(input, f"{kind}(input=)")
        self.accumulator = accumulator
        bound = math.sqrt(6.0 / fans)
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        refuse_export(self)
        scale = self.weight_quantizer.weight_scale(self.weight)
        codes = self.weight_quantizer.integers(self.weight, scale)
        if self.accumulator is None:
            y = self._contract(x if self.input_quantizer is None else self.input_quantizer(x), codes)
        else:
            y = self._counted(x, codes, self.accumulator)
        y = y * self._per_output(scale)
        return y if self.bias is None else y + self._per_output(self.bias)

    def _contract(self, x: Tensor, codes: Tensor) -> Tensor:
        """Exact sums of ``x`` and the integer weights."""
        raise NotImplementedError

    def _saturate(self, integers: Tensor, codes: Tensor, accumulator: Accumulator) -> Tensor:
        """Saturating sums of integers and the integer weights."""
        raise NotImplementedError

    def _per_output(self, values: Tensor) -> Tensor:
        """One value or O of them, in a shape that multiplies an output."""
        raise NotImplementedError

    def _counted(self, x: Tensor, codes: Tensor, accumulator: Accumulator) -> Tensor:
        if self.input_quantizer is not None:
            step = self.input_quantizer.input_scale(x)
            return self._saturate(self.input_quantizer.integers(x, step), codes, accumulator) * step
        if not torch.equal(x.detach(), torch.round(x.detach())):
            raise InputError(
                "SATURATING-INPUT",
                "a saturating accumulator counts integers, and the input of this layer holds others",
                hint=f"Give the layer its input quantizer: {type(self).__name__}(..., input=Uniform(4), accumulator=Saturating(...))",
            )
        return self._saturate(x, codes, accumulator)

    @torch.no_grad()
    def hard_weight(self) -> tuple[Tensor, Tensor]:
        """Integer codes (as the weight) and binary32 scales (1,) or (O,); raises :class:`InputError` where the quantizer gave others."""
        scale = self.weight_quantizer.weight_scale(self.weight).to(torch.float32)
        codes = self.weight_quantizer.integers(self.weight, scale)
        _check_codes(codes, scale, self.weight_quantizer.encoding)
        return codes, scale.reshape(-1)

    def frozen(self) -> nn.Module:
        """The hard form: integer codes, binary32 scales, float64 arithmetic."""
        raise NotImplementedError


class Linear(WeightLayer):
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
        if in_features < 1 or out_features < 1:
            raise InputError("LAYER-SHAPE", f"Linear({in_features}, {out_features}) was asked, at least 1 of each is needed")
        super().__init__((out_features, in_features), in_features + out_features, bias, weight, input, accumulator)
        self.in_features, self.out_features = in_features, out_features

    def _contract(self, x: Tensor, codes: Tensor) -> Tensor:
        return functional.linear(x, codes)

    def _saturate(self, integers: Tensor, codes: Tensor, accumulator: Accumulator) -> Tensor:
        return saturating_matmul(integers, codes, accumulator.bits, accumulator.chunk)

    def _per_output(self, values: Tensor) -> Tensor:
        return values.reshape(-1)

    def frozen(self) -> nn.Module:
        """The hard form: integer codes, binary32 scales, float64 arithmetic."""
        from hwq.quant.frozen import FrozenLinear

        codes, scale = self.hard_weight()
        return FrozenLinear(codes, scale, self.bias, self.input_quantizer, self.accumulator, self.weight_quantizer.encoding)

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

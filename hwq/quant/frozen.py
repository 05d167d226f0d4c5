"""Frozen layers: constants and float64 arithmetic, nothing left to train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

import hwq.quant.ops  # noqa: F401  (registers torch.ops.hwq)
from hwq.errors import InputError
from hwq.numerics.encoding import Encoding, Integer

if TYPE_CHECKING:
    from hwq.quant.freeze import FreezeReport
    from hwq.quant.layers import Accumulator
    from hwq.quant.quantizer import Quantizer
    from hwq.quant.window import Window

__all__ = ["Frozen", "FrozenAffine", "FrozenBipolar", "FrozenConv", "FrozenLinear", "FrozenStaircase", "FrozenUniform", "FrozenWeights"]


class FrozenBipolar(nn.Module):
    """+1 where ``x >= 0``, else -1."""

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = torch.ops.hwq.bipolar(x)
        return y


class FrozenUniform(nn.Module):
    """``round(clip(x / scale, lo, hi)) * scale``; ``scale`` holds a binary32 value in float64."""

    scale: Tensor

    def __init__(self, encoding: Integer, scale: Tensor) -> None:
        super().__init__()
        self.encoding = encoding
        self.register_buffer("scale", scale.detach().to(torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        e = self.encoding
        y: Tensor = torch.ops.hwq.quantize(x, self.scale, e.width, e.is_signed, e.narrow)
        return y


class FrozenStaircase(nn.Module):
    """Any other quantizer: its own operations in float64, recognised later by what they compute."""

    scale: Tensor

    def __init__(self, quantizer: Quantizer, scale: Tensor) -> None:
        super().__init__()
        self.quantizer = quantizer
        self.register_buffer("scale", scale.detach().to(torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.quantizer.integers(x, self.scale) * self.scale


class FrozenWeights(nn.Module):
    """``(x with codes) * scale + bias`` in float64: exact sums, then one rounding an operation.

    ``codes`` (O, ...) is int8, int16 or int32; ``scale`` and ``bias`` hold one value or O of them, in a shape that
    multiplies an output; scales are binary32 values. How sums are made is the subclass's.
    """

    codes: Tensor
    scale: Tensor
    bias: Tensor | None

    def __init__(
        self,
        codes: Tensor,
        scale: Tensor,
        bias: Tensor | None,
        input: Quantizer | None,
        accumulator: Accumulator | None,
        encoding: Encoding,
    ) -> None:
        super().__init__()
        self.encoding = encoding
        self.accumulator = accumulator
        self.input_quantizer = None if input is None else input.frozen()
        self.register_buffer("codes", codes.detach().to(_smallest_dtype(codes)))
        self.register_buffer("scale", self._per_output(scale.detach().to(torch.float64)))
        self.register_buffer("bias", None if bias is None else self._per_output(bias.detach().to(torch.float64)))
        if accumulator is not None:
            step = torch.ones(()) if input is None else input.frozen_scale()
            self.register_buffer("input_scale", step.to(torch.float64))

    def _per_output(self, values: Tensor) -> Tensor:
        return values.reshape(-1, *[1] * (self.codes.dim() - 2))

    def _sums(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        y = self._sums(x if self.input_quantizer is None else self.input_quantizer(x)) * self.scale
        return y if self.bias is None else y + self.bias


class FrozenLinear(FrozenWeights):
    """``(x @ codes.T) * scale + bias``; ``codes`` (O, I)."""

    def _sums(self, x: Tensor) -> Tensor:
        if self.accumulator is None:
            y: Tensor = torch.ops.hwq.linear(x, self.codes)
            return y
        y = torch.ops.hwq.linear_saturating(x, self.input_scale, self.codes, self.accumulator.bits, self.accumulator.chunk)
        return y


class FrozenConv(FrozenWeights):
    """``(x * codes) * scale + bias``, a convolution; ``codes`` (O, C / groups, kernel)."""

    def __init__(self, window: Window, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.window = window

    def _sums(self, x: Tensor) -> Tensor:
        w = self.window
        geometry = (w.stride, w.padding, w.dilation, w.groups)
        if self.accumulator is None:
            y: Tensor = torch.ops.hwq.conv(x, self.codes, *geometry)
            return y
        y = torch.ops.hwq.conv_saturating(x, self.input_scale, self.codes, *geometry, self.accumulator.bits, self.accumulator.chunk)
        return y


def _smallest_dtype(codes: Tensor) -> torch.dtype:
    largest = int(codes.abs().max())
    return torch.int8 if largest < 128 else torch.int16 if largest < 1 << 15 else torch.int32


class FrozenAffine(nn.Module):
    """A batch norm as one multiply and one add a channel: ``x * a + b``, channel on axis 1."""

    a: Tensor
    b: Tensor

    def __init__(self, a: Tensor, b: Tensor) -> None:
        super().__init__()
        self.register_buffer("a", a)
        self.register_buffer("b", b)

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 2:
            return x * self.a + self.b
        shape = (-1, *[1] * (x.dim() - 2))
        return x * self.a.reshape(shape) + self.b.reshape(shape)


class _Widen(TorchFunctionMode):
    """Inside a frozen module every conversion to a float format is one to float64."""

    NARROW = (torch.float32, torch.float16, torch.bfloat16)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (Tensor.float, Tensor.half, Tensor.bfloat16):
            return args[0].double()
        if func in (Tensor.to, Tensor.type):
            args, kwargs = pytree.tree_map(lambda v: torch.float64 if v in self.NARROW else v, (args, kwargs or {}), is_leaf=_is_leaf)
        return func(*args, **(kwargs or {}))


def _is_leaf(value: Any) -> bool:
    return isinstance(value, Tensor)


class Frozen(nn.Module):
    """What ``freeze`` returns: inputs are widened to float64, outputs cast back to the module's dtype once, at the end.

    ``report`` says what the freeze cost. Always in eval mode.
    """

    def __init__(self, module: nn.Module, dtype: torch.dtype, report: FreezeReport) -> None:
        super().__init__()
        self.module = module
        self.dtype = dtype
        self.report = report
        super().train(False)

    def train(self, mode: bool = True) -> Frozen:
        if mode:
            raise InputError("FROZEN-TRAIN", "a frozen module cannot be trained", hint="Train the module it was made from, freeze again")
        return self

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = pytree.tree_map(self._widen, (args, kwargs))
        with _Widen():
            result = self.module(*args, **kwargs)
        return pytree.tree_map(lambda v: v.to(self.dtype) if isinstance(v, Tensor) and v.dtype == torch.float64 else v, result)

    @staticmethod
    def _widen(value: Any) -> Any:
        return value.to(torch.float64) if isinstance(value, Tensor) and value.is_floating_point() else value

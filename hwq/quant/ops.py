"""The torch operators of frozen layers. ``torch.export`` keeps each as one node; :mod:`hwq.frontend` knows them by name.

All of them compute in the dtype of ``x``, which is float64 in a frozen module. Importing this module registers them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hwq.numerics.encoding import Integer
from hwq.quant.saturating import saturating_matmul
from hwq.quant.window import Window, convolve, convolve_saturating

__all__ = ["bipolar", "conv", "conv_saturating", "linear", "linear_saturating", "quantize"]

Ints = list[int] | tuple[int, ...]

_LIBRARY = torch.library.Library("hwq", "DEF")
_LIBRARY.define("quantize(Tensor x, Tensor scale, int bits, bool signed, bool narrow) -> Tensor")
_LIBRARY.define("bipolar(Tensor x) -> Tensor")
_LIBRARY.define("linear(Tensor x, Tensor codes) -> Tensor")
_LIBRARY.define("linear_saturating(Tensor x, Tensor input_scale, Tensor codes, int bits, int chunk) -> Tensor")
_GEOMETRY = "int[] stride, int[] padding, int[] dilation, int groups"
_LIBRARY.define(f"conv(Tensor x, Tensor codes, {_GEOMETRY}) -> Tensor")
_LIBRARY.define(f"conv_saturating(Tensor x, Tensor input_scale, Tensor codes, {_GEOMETRY}, int bits, int chunk) -> Tensor")


def quantize(x: Tensor, scale: Tensor, bits: int, signed: bool, narrow: bool) -> Tensor:
    """``round(clip(x / scale, lo, hi)) * scale``, ties to even."""
    encoding = Integer(bits, signed, narrow)
    return torch.round(torch.clamp(x / scale, encoding.lo, encoding.hi)) * scale


def bipolar(x: Tensor) -> Tensor:
    """+1 where ``x >= 0``, else -1."""
    return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)


def linear(x: Tensor, codes: Tensor) -> Tensor:
    """``x`` (..., I) times integer ``codes`` (O, I): (..., O). Exact in float64 for ``x`` = code times a binary32 scale, |sum| < 2^29."""
    return x @ codes.to(x.dtype).T


def linear_saturating(x: Tensor, input_scale: Tensor, codes: Tensor, bits: int, chunk: int) -> Tensor:
    """As :func:`linear`, the sum of ``x / input_scale`` saturating; the result is multiplied by ``input_scale``."""
    return saturating_matmul(torch.round(x / input_scale), codes.to(x.dtype), bits, chunk) * input_scale


def conv(x: Tensor, codes: Tensor, stride: Ints, padding: Ints, dilation: Ints, groups: int) -> Tensor:
    """``x`` (N, C, ...) with integer ``codes`` (O, C / groups, ...) as in :func:`linear`; ``padding`` as in ONNX, all before, all after."""
    window = _window(stride, padding, dilation, groups)
    window.check(x, codes, "hwq.conv")
    return convolve(x, codes.to(x.dtype), window)


def conv_saturating(
    x: Tensor,
    input_scale: Tensor,
    codes: Tensor,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
    bits: int,
    chunk: int,
) -> Tensor:
    """As :func:`conv`, the sum of ``x / input_scale`` saturating; the result is multiplied by ``input_scale``."""
    window = _window(stride, padding, dilation, groups)
    window.check(x, codes, "hwq.conv_saturating")
    return convolve_saturating(torch.round(x / input_scale), codes.to(x.dtype), window, bits, chunk) * input_scale


def _window(stride: Ints, padding: Ints, dilation: Ints, groups: int) -> Window:
    return Window(tuple(stride), tuple(padding), tuple(dilation), groups)


def _maps(x: Tensor, codes: Tensor, stride: Ints, padding: Ints, dilation: Ints, groups: int) -> Tensor:
    sizes = _window(stride, padding, dilation, groups).sizes(x.shape[2:], codes.shape[2:])
    return x.new_empty((x.shape[0], codes.shape[0], *sizes))


def _rows(x: Tensor, codes: Tensor) -> Tensor:
    return x.new_empty((*x.shape[:-1], codes.shape[0]))


_KERNEL = "CompositeExplicitAutograd"
_LIBRARY.impl("quantize", quantize, _KERNEL)
_LIBRARY.impl("bipolar", bipolar, _KERNEL)
_LIBRARY.impl("linear", linear, _KERNEL)
_LIBRARY.impl("linear_saturating", linear_saturating, _KERNEL)
_LIBRARY.impl("conv", conv, _KERNEL)
_LIBRARY.impl("conv_saturating", conv_saturating, _KERNEL)
torch.library.register_fake("hwq::quantize", lambda x, scale, bits, signed, narrow: torch.empty_like(x), lib=_LIBRARY)
torch.library.register_fake("hwq::bipolar", lambda x: torch.empty_like(x), lib=_LIBRARY)
torch.library.register_fake("hwq::linear", _rows, lib=_LIBRARY)
torch.library.register_fake("hwq::linear_saturating", lambda x, s, codes, bits, chunk: _rows(x, codes), lib=_LIBRARY)
torch.library.register_fake("hwq::conv", _maps, lib=_LIBRARY)
torch.library.register_fake("hwq::conv_saturating", lambda x, s, codes, *geometry: _maps(x, codes, *geometry[:4]), lib=_LIBRARY)

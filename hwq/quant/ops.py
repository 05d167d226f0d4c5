"""The torch operators of frozen layers. ``torch.export`` keeps each as one node; :mod:`hwq.frontend` knows them by name.

All of them compute in the dtype of ``x``, which is float64 in a frozen module. Importing this module registers them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hwq.numerics.encoding import Integer
from hwq.quant.saturating import saturating_matmul

__all__ = ["bipolar", "linear", "linear_saturating", "quantize"]

_LIBRARY = torch.library.Library("hwq", "DEF")
_LIBRARY.define("quantize(Tensor x, Tensor scale, int bits, bool signed, bool narrow) -> Tensor")
_LIBRARY.define("bipolar(Tensor x) -> Tensor")
_LIBRARY.define("linear(Tensor x, Tensor codes) -> Tensor")
_LIBRARY.define("linear_saturating(Tensor x, Tensor input_scale, Tensor codes, int bits, int chunk) -> Tensor")


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


def _rows(x: Tensor, codes: Tensor) -> Tensor:
    return x.new_empty((*x.shape[:-1], codes.shape[0]))


_KERNEL = "CompositeExplicitAutograd"
_LIBRARY.impl("quantize", quantize, _KERNEL)
_LIBRARY.impl("bipolar", bipolar, _KERNEL)
_LIBRARY.impl("linear", linear, _KERNEL)
_LIBRARY.impl("linear_saturating", linear_saturating, _KERNEL)
torch.library.register_fake("hwq::quantize", lambda x, scale, bits, signed, narrow: torch.empty_like(x), lib=_LIBRARY)
torch.library.register_fake("hwq::bipolar", lambda x: torch.empty_like(x), lib=_LIBRARY)
torch.library.register_fake("hwq::linear", _rows, lib=_LIBRARY)
torch.library.register_fake("hwq::linear_saturating", lambda x, s, codes, bits, chunk: _rows(x, codes), lib=_LIBRARY)

"""The compiled inner loop of packed convolutions; loaded only where it is used."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

__all__ = ["convolution_row"]


def _count_ones(typingctx: Any, word: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = builder.module.declare_intrinsic("llvm.ctpop", [ir.IntType(64)])
        return builder.call(function, args)

    return types.int64(types.uint64), build


_popcount: Any = intrinsic(_count_ones)


def _row(images: Any, packed: Any, base: Any, sizes: Any, row: int, y: Any) -> None:
    """One row of output: ``images`` (H, W, planes, words), ``packed`` (planes, taps x words, O), ``y`` (OW, O)."""
    kh, kw, sy, sx, dy, dx, scale, low = sizes
    planes, words = images.shape[2], images.shape[3]
    w_planes, taps, outputs = packed.shape
    xs = np.zeros((planes, taps + 3), np.uint64)
    counts = np.empty(outputs, np.int64)
    totals = np.empty(outputs, np.int64)
    for column in range(y.shape[0]):
        ones = 0
        for b in range(planes):
            k = 0
            for r in range(kh):
                for c in range(kw):
                    for word in range(words):
                        xs[b, k] = images[row * sy + r * dy, column * sx + c * dx, b, word]
                        ones += _popcount(xs[b, k]) << b
                        k += 1
        totals[:] = 0
        for b in range(planes):
            for c in range(w_planes):
                counts[:] = 0
                k = 0
                while k + 3 < taps:
                    x0, x1, x2, x3 = xs[b, k], xs[b, k + 1], xs[b, k + 2], xs[b, k + 3]
                    w0, w1, w2, w3 = packed[c, k], packed[c, k + 1], packed[c, k + 2], packed[c, k + 3]
                    for o in range(outputs):
                        counts[o] += _popcount(w0[o] & x0) + _popcount(w1[o] & x1) + _popcount(w2[o] & x2) + _popcount(w3[o] & x3)
                    k += 4
                while k < taps:
                    x0, w0 = xs[b, k], packed[c, k]
                    for o in range(outputs):
                        counts[o] += _popcount(w0[o] & x0)
                    k += 1
                for o in range(outputs):
                    totals[o] += counts[o] << (b + c)
        for o in range(outputs):
            y[column, o] = scale * totals[o] + low * ones + base[o]


def _compiled() -> Any:
    try:
        return njit(cache=True, nogil=True)(_row)
    except RuntimeError:  # neither the package nor the user's cache folder can be written
        return njit(nogil=True)(_row)


convolution_row = _compiled()

"""Engines of the contraction: exact for the operands at hand, chosen by their cost. All give the same integers."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.network.ops.base import Integers
from hwq.network.ops.window import Window

__all__ = ["CORES", "Matrix", "PackedWeights"]

# Below these bounds a sum of integer products is exact in the float format, whatever the order of additions.
FLOAT32_EXACT = 1 << 24
FLOAT64_EXACT = 1 << 53

WORD = 64  # bits packed together
# A popcount of packed planes does 64 products of a plane pair in the time of a few float products: it pays up to this many pairs.
MOST_PLANES = 6
# Below this many products the float engines are done before the compiled one is loaded.
LEAST_PRODUCTS = 1 << 26


# Cores that one contraction may use.
CORES: ContextVar[int] = ContextVar("cores", default=os.cpu_count() or 1)


class Matrix:
    """Weights (O, K) for products in float arithmetic that is exact for the operands at hand."""

    def __init__(self, weights: NDArray[np.int64]) -> None:
        self.weights = weights
        self.largest_row = int(np.abs(weights).sum(1).max(initial=0))
        self._transposed: dict[np.dtype[Any], NDArray[Any]] = {}

    def exact_type(self, x: Integers) -> np.dtype[Any]:
        """The fastest type in which every sum of products with ``x`` is exact."""
        bound = max(abs(int(x.min(initial=0))), abs(int(x.max(initial=0)))) * self.largest_row
        if bound < FLOAT32_EXACT:
            return np.dtype(np.float32)
        return np.dtype(np.float64 if bound < FLOAT64_EXACT else np.int64)

    def product(self, x: NDArray[Any]) -> NDArray[np.int64] | NDArray[np.int32]:
        """``x @ weights.T`` for ``x`` (P, K) in its :meth:`exact_type`."""
        if x.dtype not in self._transposed:
            self._transposed[x.dtype] = np.ascontiguousarray(self.weights.T.astype(x.dtype))
        y = x @ self._transposed[x.dtype]
        return y.astype(np.int32 if x.dtype == np.float32 else np.int64, copy=False)


class _Planes:
    """Integers as ``low + step * sum over b of 2**b * plane_b``."""

    def __init__(self, low: int, high: int, step: int) -> None:
        self.low, self.step = low, step
        self.count = max(1, ((high - low) // step).bit_length())

    @classmethod
    def of(cls, values: Integers) -> _Planes:
        low, high = int(values.min(initial=0)), int(values.max(initial=0))
        odd_only = low % 2 != 0 and high % 2 != 0 and bool((values & 1).all())
        return cls(low, high, 2 if odd_only else 1)

    def packed(self, values: Integers) -> NDArray[np.uint64]:
        """Planes (..., count, words) of ``values`` (..., C), 64 channels a word."""
        codes = ((values - self.low) // self.step if self.step > 1 or self.low else values).astype(np.uint8)
        words = -(-codes.shape[-1] // WORD)
        bits = np.zeros((*codes.shape[:-1], self.count, words * WORD // 8), np.uint8)
        for b in range(self.count):
            plane = np.packbits((codes >> b) & 1, axis=-1, bitorder="little")
            bits[..., b, : plane.shape[-1]] = plane
        return bits.view(np.uint64)


class PackedWeights:
    """Weights (O, KH, KW, I) as bit planes; convolves by popcounts.

    With x = lx + sx * sum 2^b X_b and w = lw + sw * sum 2^c W_c, both as bits, the sum of products is
    ``sx sw sum 2^(b+c) popcount(X_b & W_c) + sx lw sum 2^b popcount(X_b) + lx sum w``.
    """

    def __init__(self, weights: NDArray[np.int64]) -> None:
        o, *_, channels = weights.shape
        self.planes = _Planes.of(weights)
        self.is_wide = channels >= WORD // 2
        if self.is_wide and self.planes.count <= MOST_PLANES:
            # (planes, taps and words, O): neighbours in memory are output channels.
            bits = self.planes.packed(weights).transpose(3, 1, 2, 4, 0)
            self.bits = np.ascontiguousarray(bits.reshape(self.planes.count, -1, o))
            self.sums = weights.reshape(o, -1).sum(1)
            self.largest_row = int(np.abs(weights).reshape(o, -1).sum(1).max(initial=0))

    def pays(self, x: Integers, window: Window, products: int) -> bool:
        """Whether popcounts are the fastest engine for ``products`` products with ``x``, and exact in 32 bits."""
        if not self.is_wide or products < LEAST_PRODUCTS or self.planes.count > MOST_PLANES:
            return False
        low, high = int(x.min()), int(x.max())
        if window.is_padded:
            low, high = min(low, 0), max(high, 0)
        if self.planes.count * max(1, (high - low).bit_length()) > MOST_PLANES:
            return False
        return max(abs(low), abs(high)) * self.largest_row < 1 << 31

    def convolve(self, x: Integers, window: Window) -> NDArray[np.int32]:
        """Convolution of ``x`` (N, H, W, I): (N, OH, OW, O)."""
        top, left, bottom, right = window.padding
        if window.is_padded:
            x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
        oh, ow = Window(window.kernel, window.stride, dilation=window.dilation).size(*x.shape[1:3])
        xs, ws = _Planes.of(x), self.planes
        images, base = xs.packed(x), (xs.low * self.sums).astype(np.int32)
        y = np.empty((len(x), oh, ow, len(base)), np.int32)
        sizes = np.array([*window.kernel, *window.stride, *window.dilation, xs.step * ws.step, xs.step * ws.low], np.int64)
        row = _kernel()

        def rows(part: range) -> None:
            for place in part:
                n, r = divmod(place, oh)
                row(images[n], self.bits, base, sizes, r, y[n, r])

        _in_parallel(rows, len(x) * oh)
        return y


def _in_parallel(work: Callable[[range], None], count: int) -> None:
    cores = CORES.get()
    if cores == 1:
        work(range(count))
        return
    step = -(-count // (4 * cores))
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(work, [range(start, min(start + step, count)) for start in range(0, count, step)]))


@cache
def _kernel() -> Any:
    from hwq.network.ops.popcount import convolution_row

    return convolution_row

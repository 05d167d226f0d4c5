"""Convolution, the one contraction of the Network; a fully connected layer is a small one."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from hwq.network.ops.accumulation import Accumulation, Exact, Saturating
from hwq.network.ops.base import Integers, Shape, Unary
from hwq.network.ops.contraction import Matrix, PackedWeights
from hwq.network.ops.window import Window
from hwq.numerics.encoding import Encoding
from hwq.numerics.interval import Interval

__all__ = ["Conv"]


@dataclass(frozen=True, eq=False)
class Conv(Unary):
    """Convolution; a fully connected layer is a 1x1 kernel on a 1x1 image.

    ``y[o] = sum over kh, kw, i of weights[o, kh, kw, i] * x[...]``; zero padding is the integer 0, contributes nothing.
    Element order of the dot product: kh, kw, channel.

    Parameters
    ----------
    weights
        int64 (O, KH, KW, I / groups).
    weight_encoding
        Encoding that holds every weight.
    stride, dilation
        (vertical, horizontal).
    padding
        (top, left, bottom, right) in pixels.
    """

    kind: ClassVar[str] = "conv"
    weights: NDArray[np.int64]
    weight_encoding: Encoding
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    accumulation: Accumulation = field(default_factory=Exact)

    @property
    def mh(self) -> int:
        """Matrix height: output channels."""
        return int(self.weights.shape[0])

    @property
    def mw(self) -> int:
        """Matrix width: products of one output."""
        return int(np.prod(self.weights.shape[1:]))

    @property
    def window(self) -> Window:
        """Its sliding window."""
        return Window((self.weights.shape[1], self.weights.shape[2]), self.stride, self.padding, self.dilation)

    @property
    def is_dense(self) -> bool:
        """Whether this is a matrix product of each pixel: no window, no groups."""
        return self.weights.shape[1:3] == (1, 1) and self.stride == (1, 1) and not any(self.padding) and self.groups == 1

    @property
    def matrix(self) -> NDArray[np.int64]:
        """Weights as (MH, MW), columns in stream order."""
        return self.weights.reshape(self.mh, self.mw)

    def shape(self, x: Shape) -> Shape:
        h, w, c = x
        if c != self.weights.shape[3] * self.groups:
            raise ValueError(f"{c} input channels, the weights want {self.weights.shape[3] * self.groups}")
        return (*self.window.size(h, w), self.mh)

    def interval(self, x: Interval, shape: Shape) -> Interval:
        key = (x.lo.tobytes(), x.hi.tobytes(), x.step)
        if key not in self._intervals:
            self._intervals[key] = self._interval(x)
        return self._intervals[key]

    @cached_property
    def _intervals(self) -> dict[tuple[bytes, bytes, int], Interval]:
        """Intervals of the sums by those of the input: all weights are read once."""
        return {}

    def _interval(self, x: Interval) -> Interval:
        lo, hi = x.lo, x.hi
        padded = any(self.padding)
        if padded:
            lo, hi = np.minimum(lo, 0), np.maximum(hi, 0)
        o, kh, kw, i = self.weights.shape
        taps = self.weights.reshape(self.groups, o // self.groups, kh * kw, i)
        positive, negative = np.maximum(taps, 0).sum(2), np.minimum(taps, 0).sum(2)
        lo, hi = lo.reshape(self.groups, i, 1), hi.reshape(self.groups, i, 1)
        low = (positive @ lo + negative @ hi).reshape(o)
        high = (positive @ hi + negative @ lo).reshape(o)
        if isinstance(self.accumulation, Saturating):
            # Partial sums may leave the interval of the full sum, and clipping may stop short of it.
            sat = self.accumulation
            reach = max(int(np.abs(low).max()), int(np.abs(high).max()), self._partial_bound(x))
            return Interval(np.full(o, max(sat.lo, -reach)), np.full(o, min(sat.hi, reach)))
        every_other = x.step == 2 and self.weight_encoding.step == 2 and not padded
        return Interval(low, high, 2 if every_other else 1)

    def _partial_bound(self, x: Interval) -> int:
        """Largest possible magnitude of any partial sum, in any order."""
        magnitude = np.maximum(np.abs(x.lo), np.abs(x.hi)).reshape(self.groups, -1, 1)
        o, kh, kw, i = self.weights.shape
        taps = np.abs(self.weights).reshape(self.groups, o // self.groups, kh * kw, i).sum(2)
        return int((taps @ magnitude).max(initial=0))

    def golden(self, x: Integers) -> Integers:
        n = len(x)
        oh, ow, o = self.shape(x.shape[1:])
        if self.groups == 1 and isinstance(self.accumulation, Exact) and self._packed.pays(x, self.window, n * oh * ow * self.weights.size):
            return self._packed.convolve(x, self.window)
        dtype = max((m.exact_type(x) for m in self._matrices), key=lambda t: (t.kind == "i", t.itemsize))
        if self.is_dense:
            return self._products(x.reshape(-1, self.mw).astype(dtype), self._matrices[0]).reshape(n, oh, ow, o)
        windows = self._windows(x)
        parts = [
            self._products(windows[:, :, :, g].astype(dtype, order="C").reshape(n * oh * ow, -1), matrix)
            for g, matrix in enumerate(self._matrices)
        ]
        return np.concatenate(parts, axis=1).reshape(n, oh, ow, o) if len(parts) > 1 else parts[0].reshape(n, oh, ow, o)

    @cached_property
    def _matrices(self) -> tuple[Matrix, ...]:
        """The weights of every group."""
        rows = self.mh // self.groups
        return tuple(Matrix(self.matrix[g * rows : (g + 1) * rows]) for g in range(self.groups))

    @cached_property
    def _packed(self) -> PackedWeights:
        return PackedWeights(self.weights)

    def _windows(self, x: Integers) -> Integers:
        """All windows as (N, OH, OW, groups, KH, KW, I / groups), a view of the padded image."""
        top, left, bottom, right = self.padding
        if any(self.padding):
            x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
        reach = tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.weights.shape[1:3], strict=True))
        taps = sliding_window_view(x, reach, (1, 2))[:, :: self.stride[0], :: self.stride[1], :, :: self.dilation[0], :: self.dilation[1]]
        return taps.reshape(*taps.shape[:3], self.groups, -1, *taps.shape[4:]).transpose(0, 1, 2, 3, 5, 6, 4)

    def _products(self, columns: NDArray[Any], matrix: Matrix) -> Integers:
        if not isinstance(self.accumulation, Saturating):
            return matrix.product(columns)
        sat = self.accumulation
        acc = np.zeros((len(columns), len(matrix.weights)), np.int64)
        for k in range(0, self.mw, sat.chunk):
            acc += Matrix(matrix.weights[:, k : k + sat.chunk]).product(columns[:, k : k + sat.chunk])
            np.clip(acc, sat.lo, sat.hi, out=acc)
        return acc

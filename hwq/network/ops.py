"""The closed op set of the Network: one frozen dataclass an op, with its shape, interval and golden meaning.

Tensors are arrays of integers of shape (N, H, W, C); N exists only here, never in the Network.
Nothing else in hwq restates what an op computes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.numerics.encoding import MAX_BITS, Encoding, smallest_integer
from hwq.numerics.interval import Interval
from hwq.numerics.rounding import Rounding, shift_right

__all__ = ["Accumulation", "ArgMax", "Conv", "Exact", "Integers", "Op", "Requantize", "Saturating", "Shape", "Threshold"]

Shape = tuple[int, int, int]
Integers = NDArray[np.integer]

# Below these bounds a sum of integer products is exact in the float format, whatever the order of additions.
FLOAT32_EXACT = 1 << 24
FLOAT64_EXACT = 1 << 53


@dataclass(frozen=True)
class Exact:
    """Accumulation without loss: the accumulator holds every reachable sum."""


@dataclass(frozen=True)
class Saturating:
    """Accumulation that clips to ``bits`` bits (two's complement) after every ``chunk`` products.

    Inside a chunk of ``chunk`` consecutive products, in the order kh, kw, channel, the sum is exact; it is then
    added to the accumulator, which starts at 0 and saturates. Padding taps occupy positions. The last chunk may be short.
    Raises :class:`InputError` beyond 2..48 bits and for a chunk below 1.
    """

    bits: int
    chunk: int

    def __post_init__(self) -> None:
        if not 2 <= int(self.bits) <= MAX_BITS or int(self.chunk) < 1:
            message = f"saturating accumulation of {self.bits} bits after every {self.chunk} products was asked"
            raise InputError("ACCUMULATOR", f"{message}, 2..{MAX_BITS} bits and at least 1 product exist")

    @property
    def lo(self) -> int:
        """Smallest value of the accumulator."""
        return -(1 << (self.bits - 1))

    @property
    def hi(self) -> int:
        """Largest value of the accumulator."""
        return (1 << (self.bits - 1)) - 1


Accumulation = Exact | Saturating


@dataclass(frozen=True, eq=False)
class Op:
    """One operation on integer tensors."""

    kind: ClassVar[str]

    def shape(self, x: Shape) -> Shape:
        """Shape (H, W, C) of the output; raises ``ValueError`` where the input does not fit."""
        raise NotImplementedError

    def interval(self, x: Interval, shape: Shape) -> Interval:
        """Reachable output integers from those of the input, whose shape is ``shape``."""
        raise NotImplementedError

    def encoding(self, out: Interval) -> Encoding:
        """Encoding of the output, whose interval is ``out``."""
        return smallest_integer(*out.bounds)

    def golden(self, x: Integers) -> Integers:
        """The meaning of the op: output integers (N, H', W', C') of input integers (N, H, W, C)."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Conv(Op):
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
        top, left, bottom, right = self.padding
        kh, kw = self.weights.shape[1:3]
        oh = (h + top + bottom - self.dilation[0] * (kh - 1) - 1) // self.stride[0] + 1
        ow = (w + left + right - self.dilation[1] * (kw - 1) - 1) // self.stride[1] + 1
        if oh < 1 or ow < 1:
            raise ValueError(f"a kernel of {kh}x{kw} does not fit an image of {h}x{w}")
        return oh, ow, self.mh

    def interval(self, x: Interval, shape: Shape) -> Interval:
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
        n, _h, _w, _ = x.shape
        oh, ow, o = self.shape(x.shape[1:])
        windows = x if self.is_dense else self._windows(x, oh, ow)
        group_width = self.mw
        rows = o // self.groups
        parts = []
        for g in range(self.groups):
            columns = windows.reshape(n * oh * ow, self.groups, -1)[:, g] if self.groups > 1 else windows.reshape(-1, group_width)
            parts.append(self._matmul(columns, self.matrix[g * rows : (g + 1) * rows]))
        return np.concatenate(parts, axis=1).reshape(n, oh, ow, o) if len(parts) > 1 else parts[0].reshape(n, oh, ow, o)

    def _windows(self, x: Integers, oh: int, ow: int) -> Integers:
        """All windows as (N, OH, OW, groups, KH, KW, I / groups)."""
        top, left, bottom, right = self.padding
        kh, kw, i = self.weights.shape[1:]
        x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
        taps = [
            x[:, a * self.dilation[0] :, b * self.dilation[1] :][
                :, : (oh - 1) * self.stride[0] + 1 : self.stride[0], : (ow - 1) * self.stride[1] + 1 : self.stride[1]
            ]
            for a in range(kh)
            for b in range(kw)
        ]
        stacked = np.stack(taps, axis=3).reshape(len(x), oh, ow, kh * kw, self.groups, i)
        return np.ascontiguousarray(stacked.transpose(0, 1, 2, 4, 3, 5))

    def _matmul(self, columns: Integers, matrix: NDArray[np.int64]) -> Integers:
        if isinstance(self.accumulation, Saturating):
            sat = self.accumulation
            acc = np.zeros((len(columns), len(matrix)), np.int64)
            for k in range(0, self.mw, sat.chunk):
                acc += _exact_matmul(columns[:, k : k + sat.chunk], matrix[:, k : k + sat.chunk])
                np.clip(acc, sat.lo, sat.hi, out=acc)
            return acc
        return _exact_matmul(columns, matrix)


def _exact_matmul(x: Integers, matrix: NDArray[np.int64]) -> NDArray[np.int64] | NDArray[np.int32]:
    """``x @ matrix.T`` in the fastest arithmetic that is exact for these operands."""
    info_bound = max(abs(int(x.min(initial=0))), abs(int(x.max(initial=0))))
    bound = info_bound * int(np.abs(matrix).sum(1).max(initial=0))
    if bound < FLOAT32_EXACT:
        return (x.astype(np.float32) @ matrix.T.astype(np.float32)).astype(np.int32)
    if bound < FLOAT64_EXACT:
        return (x.astype(np.float64) @ matrix.T.astype(np.float64)).astype(np.int64)
    return x.astype(np.int64) @ matrix.T


@dataclass(frozen=True, eq=False)
class Threshold(Op):
    """A staircase: ``index = base + sum over t of steps[t] * (x >= thresholds[t])``, per channel.

    The output integer is ``out.lo + out.step * index``. All steps +1 is the increasing staircase of a quantizer,
    all -1 a decreasing one, mixed signs any function with few jumps.

    Parameters
    ----------
    thresholds
        int64 (C, K) or shared (1, K); a threshold above every reachable value never fires (padding).
    steps
        int64 (C, K) or (1, K), each +1 or -1.
    base
        int64 (C,) or (1,): index below every threshold.
    out
        Encoding of the output.
    """

    kind: ClassVar[str] = "threshold"
    thresholds: NDArray[np.int64]
    steps: NDArray[np.int64]
    base: NDArray[np.int64]
    out: Encoding

    @property
    def count(self) -> int:
        """Thresholds a channel, K."""
        return int(self.thresholds.shape[1])

    def shape(self, x: Shape) -> Shape:
        if len(self.thresholds) not in (1, x[2]):
            raise ValueError(f"{len(self.thresholds)} rows of thresholds for {x[2]} channels")
        return x

    def interval(self, x: Interval, shape: Shape) -> Interval:
        c, k = x.channels, self.count
        thresholds = np.broadcast_to(self.thresholds, (c, k))
        order = np.argsort(thresholds, axis=1, kind="stable")
        sorted_t = np.take_along_axis(thresholds, order, 1)
        steps = np.take_along_axis(np.broadcast_to(self.steps, (c, k)), order, 1)
        after = np.concatenate([np.zeros((c, 1), np.int64), np.cumsum(steps, axis=1)], axis=1)
        # Level t is reached when some x has sorted_t[t-1] <= x < sorted_t[t].
        low = np.concatenate([x.lo[:, None], np.maximum(sorted_t, x.lo[:, None])], axis=1)
        high = np.concatenate([np.minimum(sorted_t - 1, x.hi[:, None]), x.hi[:, None]], axis=1)
        low += (x.lo[:, None] - low) % x.step
        reached = low <= high
        big = np.iinfo(np.int64).max
        index_lo = np.where(reached, after, big).min(1) + self.base
        index_hi = np.where(reached, after, -big).max(1) + self.base
        return Interval(self.out.lo + self.out.step * index_lo, self.out.lo + self.out.step * index_hi, self.out.step)

    def encoding(self, out: Interval) -> Encoding:
        return self.out

    def golden(self, x: Integers) -> Integers:
        index = np.zeros(x.shape, _smallest_dtype(self.count + int(np.abs(self.base).max(initial=0))))
        index += self.base.astype(index.dtype)
        for t in range(self.count):
            fired = x >= self.thresholds[:, t]
            if (self.steps[:, t] == 1).all():
                index += fired
            else:
                index += fired * self.steps[:, t].astype(index.dtype)
        if self.out.lo == 0 and self.out.step == 1:
            return index
        wide = index.astype(_smallest_dtype(max(abs(self.out.lo), abs(self.out.hi)) * 2))
        return wide * wide.dtype.type(self.out.step) + wide.dtype.type(self.out.lo)


@dataclass(frozen=True, eq=False)
class Requantize(Op):
    """Multiply, add, shift, clip: ``clip((multiplier * x + offset) / 2**shift, low, high)``, per channel.

    Parameters
    ----------
    multiplier, offset
        int64 (C,) or (1,).
    shift
        Bits, common to all channels.
    rounding
        FLOOR (plain arithmetic shift) or HALF_EVEN.
    low, high
        Clip bounds, integers of ``out``.
    out
        Encoding of the output (step 1).
    """

    kind: ClassVar[str] = "requantize"
    multiplier: NDArray[np.int64]
    offset: NDArray[np.int64]
    shift: int
    rounding: Rounding
    low: int
    high: int
    out: Encoding

    def shape(self, x: Shape) -> Shape:
        if len(self.multiplier) not in (1, x[2]):
            raise ValueError(f"{len(self.multiplier)} multipliers for {x[2]} channels")
        return x

    def interval(self, x: Interval, shape: Shape) -> Interval:
        ends = np.stack([x.lo, x.hi]).reshape(2, 1, 1, -1)
        a, b = self.golden(ends).reshape(2, -1)
        return Interval(np.minimum(a, b).astype(np.int64), np.maximum(a, b).astype(np.int64))

    def encoding(self, out: Interval) -> Encoding:
        return self.out

    def golden(self, x: Integers) -> Integers:
        y = x.astype(np.int64) * self.multiplier + self.offset
        return np.clip(shift_right(y, self.shift, self.rounding), self.low, self.high)


@dataclass(frozen=True, eq=False)
class ArgMax(Op):
    """Index of the largest channel of each pixel, shape (H, W, 1); ties take the lowest index."""

    kind: ClassVar[str] = "argmax"

    def shape(self, x: Shape) -> Shape:
        return x[0], x[1], 1

    def interval(self, x: Interval, shape: Shape) -> Interval:
        return Interval(np.zeros(1, np.int64), np.full(1, shape[2] - 1, np.int64))

    def golden(self, x: Integers) -> Integers:
        return x.argmax(axis=3, keepdims=True)


def _smallest_dtype(magnitude: int) -> np.dtype[np.signedinteger]:
    for dtype in (np.int8, np.int16, np.int32):
        if magnitude <= np.iinfo(dtype).max:
            return np.dtype(dtype)
    return np.dtype(np.int64)

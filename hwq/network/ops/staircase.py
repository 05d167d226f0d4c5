"""Staircases: maps of single integers, per channel, by thresholds, by multiply and shift, or by table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hwq.network.ops.base import Integers, Shape, Unary
from hwq.numerics.encoding import Encoding
from hwq.numerics.interval import Interval
from hwq.numerics.rounding import Rounding, shift_right

__all__ = ["Lookup", "Requantize", "Threshold"]


@dataclass(frozen=True, eq=False)
class Threshold(Unary):
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

    def encoding(self, out: Interval, x: Encoding) -> Encoding:
        return self.out

    def golden(self, x: Integers) -> Integers:
        index = np.zeros(x.shape, _smallest_dtype(self.count + int(np.abs(self.base).max(initial=0))))
        index += self.base.astype(index.dtype)
        thresholds = self._comparable(x.dtype)
        for t in range(self.count):
            fired = x >= thresholds[:, t]
            if (self.steps[:, t] == 1).all():
                index += fired
            else:
                index += fired * self.steps[:, t].astype(index.dtype)
        if self.out.lo == 0 and self.out.step == 1:
            return index
        wide = index.astype(_smallest_dtype(max(abs(self.out.lo), abs(self.out.hi)) * 2))
        return wide * wide.dtype.type(self.out.step) + wide.dtype.type(self.out.lo)

    def _comparable(self, dtype: np.dtype[np.integer]) -> Integers:
        """The thresholds in the type of the input, where none lies outside it: comparing unlike types is slow."""
        info = np.iinfo(dtype)
        fits = self.count == 0 or (self.thresholds.min() >= info.min and self.thresholds.max() <= info.max)
        return self.thresholds.astype(dtype) if fits else self.thresholds


@dataclass(frozen=True, eq=False)
class Requantize(Unary):
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

    def encoding(self, out: Interval, x: Encoding) -> Encoding:
        return self.out

    def golden(self, x: Integers) -> Integers:
        y = x.astype(np.int64) * self.multiplier + self.offset
        return np.clip(shift_right(y, self.shift, self.rounding), self.low, self.high)


@dataclass(frozen=True, eq=False)
class Lookup(Unary):
    """A table: ``y = table[channel, (x - lo) // step]``, shared by all channels where it has one row.

    Parameters
    ----------
    table
        int64 (C, K) or shared (1, K): the output integer of every input integer.
    lo, step
        The input integers are ``lo, lo + step, ..., lo + step * (K - 1)``.
    out
        Encoding of the output.
    """

    kind: ClassVar[str] = "lookup"
    table: NDArray[np.int64]
    lo: int
    step: int
    out: Encoding

    def shape(self, x: Shape) -> Shape:
        if len(self.table) not in (1, x[2]):
            raise ValueError(f"{len(self.table)} tables for {x[2]} channels")
        return x

    def interval(self, x: Interval, shape: Shape) -> Interval:
        table = np.broadcast_to(self.table, (x.channels, self.table.shape[1]))
        index = np.arange(self.table.shape[1])
        used = (index >= (x.lo[:, None] - self.lo) // self.step) & (index <= (x.hi[:, None] - self.lo) // self.step)
        big = np.iinfo(np.int64).max
        return Interval(np.where(used, table, big).min(1), np.where(used, table, -big).max(1), self.out.step)

    def encoding(self, out: Interval, x: Encoding) -> Encoding:
        return self.out

    def golden(self, x: Integers) -> Integers:
        index = (x.astype(np.int64) - self.lo) // self.step
        if len(self.table) == 1:
            return np.asarray(self.table[0][index])
        return self.table[np.arange(len(self.table)), index]


def _smallest_dtype(magnitude: int) -> np.dtype[np.signedinteger]:
    for dtype in (np.int8, np.int16, np.int32):
        if magnitude <= np.iinfo(dtype).max:
            return np.dtype(dtype)
    return np.dtype(np.int64)

"""Pools: the largest, the smallest or the sum of each channel in a sliding window."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import numpy as np

from hwq.network.ops.base import Integers, Shape, Unary
from hwq.network.ops.window import Window
from hwq.numerics.encoding import Encoding, smallest_integer
from hwq.numerics.interval import Interval

__all__ = ["Pool"]


@dataclass(frozen=True, eq=False)
class Pool(Unary):
    """``y[c] = max``, ``min`` or ``sum`` of the taps of channel c in the window; taps outside the image do not count.

    The mean is a sum whose divisor lies in what follows; where the divisor varies at the borders, :class:`BorderAffine` levels it.
    Every window of a max or min pool must hold a pixel of the image.
    """

    kind: ClassVar[str] = "pool"
    mode: str
    window: Window

    def shape(self, x: Shape) -> Shape:
        if self.mode not in ("max", "min", "sum"):
            raise ValueError(f"{self.mode!r} is no pool, expected max, min or sum")
        size = self.window.size(*x[:2])
        if self.mode != "sum" and self._fewest(x) < 1:
            raise ValueError("some windows lie in the padding alone")
        return (*size, x[2])

    def _fewest(self, x: Shape) -> int:
        return int(self.window.valid_rows(x[0]).min() * self.window.valid_columns(x[1]).min())

    def interval(self, x: Interval, shape: Shape) -> Interval:
        if self.mode != "sum":
            return x
        few = self._fewest(shape)
        many = int(self.window.valid_rows(shape[0]).max() * self.window.valid_columns(shape[1]).max())
        low, high = np.minimum(x.lo * few, x.lo * many), np.maximum(x.hi * few, x.hi * many)
        return Interval(low, high, x.step if few == many else 1)

    def encoding(self, out: Interval, x: Encoding) -> Encoding:
        return smallest_integer(*out.bounds) if self.mode == "sum" else x

    def golden(self, x: Integers) -> Integers:
        if self.mode == "sum":
            return reduce(np.add, (t.astype(np.int64) for t in self.window.taps(x)))
        outside = np.iinfo(x.dtype).min if self.mode == "max" else np.iinfo(x.dtype).max
        return reduce(np.maximum if self.mode == "max" else np.minimum, self.window.taps(x, outside))

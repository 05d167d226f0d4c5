"""Ops that move integers and compute nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwq.network.ops.base import Integers, Shape, Unary
from hwq.numerics.encoding import Encoding, smallest_integer
from hwq.numerics.interval import Interval

__all__ = ["Flatten", "Pad", "Upsample"]


@dataclass(frozen=True, eq=False)
class Flatten(Unary):
    """(H, W, C) as one pixel of H * W * C channels, in stream order: row, column, channel."""

    kind: ClassVar[str] = "flatten"

    def shape(self, x: Shape) -> Shape:
        return 1, 1, x[0] * x[1] * x[2]

    def interval(self, x: Interval, shape: Shape) -> Interval:
        pixels = shape[0] * shape[1]
        return Interval(np.tile(x.lo, pixels), np.tile(x.hi, pixels), x.step)

    def encoding(self, out: Interval, x: Encoding) -> Encoding:
        return x

    def golden(self, x: Integers) -> Integers:
        return x.reshape(len(x), 1, 1, -1)


@dataclass(frozen=True, eq=False)
class Pad(Unary):
    """Pixels of the integer ``fill`` around the image: ``padding`` is (top, left, bottom, right)."""

    kind: ClassVar[str] = "pad"
    padding: tuple[int, int, int, int]
    fill: int = 0

    def shape(self, x: Shape) -> Shape:
        top, left, bottom, right = self.padding
        if min(self.padding) < 0:
            raise ValueError(f"padding of {self.padding}, expected 0 or more")
        return x[0] + top + bottom, x[1] + left + right, x[2]

    def interval(self, x: Interval, shape: Shape) -> Interval:
        odd = ((x.lo - self.fill) % 2 != 0).any()
        return Interval(np.minimum(x.lo, self.fill), np.maximum(x.hi, self.fill), 1 if odd else x.step)

    def encoding(self, out: Interval, x: Encoding) -> Encoding:
        return x if x.contains(self.fill).all() else smallest_integer(min(x.lo, self.fill), max(x.hi, self.fill))

    def golden(self, x: Integers) -> Integers:
        top, left, bottom, right = self.padding
        return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=self.fill)


@dataclass(frozen=True, eq=False)
class Upsample(Unary):
    """Every pixel ``factor`` = (vertical, horizontal) times: nearest neighbour, or a 1x1 image spread over a larger one."""

    kind: ClassVar[str] = "upsample"
    factor: tuple[int, int]

    def shape(self, x: Shape) -> Shape:
        if min(self.factor) < 1:
            raise ValueError(f"a factor of {self.factor}, expected 1 or more")
        return x[0] * self.factor[0], x[1] * self.factor[1], x[2]

    def interval(self, x: Interval, shape: Shape) -> Interval:
        return x

    def encoding(self, out: Interval, x: Encoding) -> Encoding:
        return x

    def golden(self, x: Integers) -> Integers:
        return x.repeat(self.factor[0], axis=1).repeat(self.factor[1], axis=2)

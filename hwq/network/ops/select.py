"""Selection among the channels of a pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwq.network.ops.base import Integers, Shape, Unary
from hwq.numerics.interval import Interval

__all__ = ["ArgMax", "TopK"]


@dataclass(frozen=True, eq=False)
class ArgMax(Unary):
    """Index of the largest channel of each pixel, shape (H, W, 1); ties take the lowest index."""

    kind: ClassVar[str] = "argmax"

    def shape(self, x: Shape) -> Shape:
        return x[0], x[1], 1

    def interval(self, x: Interval, shape: Shape) -> Interval:
        return Interval(np.zeros(1, np.int64), np.full(1, shape[2] - 1, np.int64))

    def golden(self, x: Integers) -> Integers:
        return x.argmax(axis=3, keepdims=True)


@dataclass(frozen=True, eq=False)
class TopK(Unary):
    """Indices of the ``k`` largest channels of each pixel, largest first, shape (H, W, k); ties take the lowest index."""

    kind: ClassVar[str] = "topk"
    k: int

    def shape(self, x: Shape) -> Shape:
        if not 1 <= self.k <= x[2]:
            raise ValueError(f"the {self.k} largest of {x[2]} channels were asked")
        return x[0], x[1], self.k

    def interval(self, x: Interval, shape: Shape) -> Interval:
        return Interval(np.zeros(self.k, np.int64), np.full(self.k, shape[2] - 1, np.int64))

    def golden(self, x: Integers) -> Integers:
        return np.argsort(-x.astype(np.int64), axis=3, kind="stable")[..., : self.k]

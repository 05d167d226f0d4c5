"""What depends on the place in the image: constants of border classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hwq.network.ops.base import Integers, Shape, Unary
from hwq.numerics.interval import Interval

__all__ = ["BorderAffine"]


@dataclass(frozen=True, eq=False)
class BorderAffine(Unary):
    """``y[h, w, c] = scale[a, b] * x[h, w, c] + offset[a, b, c]`` with a = rows[h], b = columns[w].

    Rows and columns of pixels whose windows lie alike with respect to the border share a class. This carries what zero padding
    leaves behind where real zero is no integer of the grid, and levels the divisor of means that do not count padding.

    Parameters
    ----------
    rows, columns
        int64 (H,), (W,): class of every row and column, counted from 0.
    scale
        int64 (A, B).
    offset
        int64 (A, B, C) or shared (A, B, 1).
    """

    kind: ClassVar[str] = "border_affine"
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    scale: NDArray[np.int64]
    offset: NDArray[np.int64]

    def shape(self, x: Shape) -> Shape:
        if (len(self.rows), len(self.columns)) != x[:2] or self.offset.shape[2] not in (1, x[2]):
            raise ValueError(f"classes of {len(self.rows)}x{len(self.columns)} pixels for an image of shape {x}")
        return x

    def interval(self, x: Interval, shape: Shape) -> Interval:
        scale = self.scale[..., None]
        ends = np.stack([scale * x.lo + self.offset, scale * x.hi + self.offset])
        return Interval(ends.min((0, 1, 2)), ends.max((0, 1, 2)))

    def golden(self, x: Integers) -> Integers:
        place = self.rows[:, None], self.columns[None, :]
        return x.astype(np.int64) * self.scale[place][..., None] + self.offset[place]

"""What a row of an unrolled layer gives: a comparison, a code of a staircase, or the sum itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwq.numerics.encoding import Encoding

__all__ = ["Comparison", "Integers", "RowOutput", "Staircase"]

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class RowOutput:
    """Maps the row's sum of products (an integer) to an output code."""

    @property
    def bits(self) -> int:
        """Width of the code in bits."""
        raise NotImplementedError

    def codes(self, sums: Ints) -> Ints:
        """Codes (0 .. 2**bits - 1) of ``sums``, any shape."""
        raise NotImplementedError


@dataclass(frozen=True)
class Comparison(RowOutput):
    """One bit: ``sum >= threshold``, or where ``falling`` its complement ``sum < threshold`` (the code of a binary or bipolar output)."""

    threshold: int
    falling: bool = False

    @property
    def bits(self) -> int:
        return 1

    def codes(self, sums: Ints) -> Ints:
        return (np.asarray(sums) >= self.threshold).astype(np.int64) ^ int(self.falling)


@dataclass(frozen=True)
class Staircase(RowOutput):
    """The code of ``start + sum over t of steps[t] * (sum >= points[t])`` in ``encoding``: one channel of
    :class:`hwq.numerics.staircase.Staircase`.

    Parameters
    ----------
    points
        Integers, ascending; a change by n appears n times.
    steps
        +1 or -1 for each point.
    start
        Integer below the first point.
    encoding
        Of the output; every integer reached has a code.
    """

    points: tuple[int, ...]
    steps: tuple[int, ...]
    start: int
    encoding: Encoding

    @property
    def bits(self) -> int:
        return self.encoding.bits

    def codes(self, sums: Ints) -> Ints:
        sums = np.asarray(sums)
        values = np.full(sums.shape, self.start, np.int64)
        for point, step in zip(self.points, self.steps, strict=True):
            values += step * (sums >= point)
        return self.encoding.encode(values)


@dataclass(frozen=True)
class Integers(RowOutput):
    """The sum of products plus ``bias``, as a code of ``encoding`` (which holds every reachable sum)."""

    encoding: Encoding
    bias: int = 0

    @property
    def bits(self) -> int:
        return self.encoding.bits

    def codes(self, sums: Ints) -> Ints:
        return self.encoding.encode(np.asarray(sums, np.int64) + self.bias)

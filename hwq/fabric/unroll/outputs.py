"""What a row of an unrolled layer gives: a comparison, a code of a staircase, or the sum itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwq.numerics import staircase
from hwq.numerics.encoding import Bipolar, Encoding, Integer, smallest_integer

__all__ = ["Comparison", "Integers", "RowOutput", "Staircase", "expected_codes", "integers_of", "rows_of_staircase"]

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


def rows_of_staircase(function: staircase.Staircase, encoding: Encoding) -> tuple[RowOutput, ...]:
    """Row outputs of a layer whose codes are given by ``function`` (one channel a row, its integers the sums of products).

    A function of one jump into a one-bit code is a :class:`Comparison`.
    """
    rows: list[RowOutput] = []
    for used, start, points, steps in zip(function.used, function.start, function.points, function.steps, strict=True):
        row = Staircase(tuple(map(int, points[used])), tuple(map(int, steps[used])), int(start), encoding)
        one = encoding.bits == 1 and len(row.points) == 1
        rows.append(Comparison(row.points[0], falling=row.steps[0] * encoding.step < 0) if one and _is_bit(encoding, row) else row)
    return tuple(rows)


def expected_codes(weights: Ints, x: Encoding, outputs: Sequence[RowOutput], codes: Ints) -> Ints:
    """Output codes (rows, n) of input codes (columns, n): the layer's meaning, by a matrix product."""
    sums = np.asarray(weights, np.int64) @ x.decode(codes)
    return np.stack([o.codes(s) for o, s in zip(outputs, sums, strict=True)])


def integers_of(lo: int, hi: int) -> Integers:
    """The sum itself in the narrowest encoding that holds ``lo`` to ``hi``."""
    return Integers(smallest_integer(lo, hi))


def _is_bit(encoding: Encoding, row: Staircase) -> bool:
    """Whether the one step goes between codes 0 and 1 as they are."""
    return isinstance(encoding, Bipolar | Integer) and {row.start, row.start + row.steps[0]} == {0, 1}

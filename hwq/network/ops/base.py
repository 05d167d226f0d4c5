"""What an op of the Network is. Tensors are arrays of integers (N, H, W, C); N exists only here, never in the Network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hwq.numerics.encoding import Encoding, smallest_integer
from hwq.numerics.interval import Interval

__all__ = ["Integers", "Op", "Shape", "Unary"]

Shape = tuple[int, int, int]
Integers = NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Op:
    """One operation on integer tensors: its rules for shapes, intervals and encodings, and its golden meaning."""

    kind: ClassVar[str]

    def shapes(self, xs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Shapes (H, W, C) of the outputs; raises ``ValueError`` where the inputs do not fit."""
        raise NotImplementedError

    def intervals(self, xs: tuple[Interval, ...], shapes: tuple[Shape, ...]) -> tuple[Interval, ...]:
        """Reachable output integers from those of the inputs, whose shapes are ``shapes``."""
        raise NotImplementedError

    def encodings(self, outs: tuple[Interval, ...], xs: tuple[Encoding, ...]) -> tuple[Encoding, ...]:
        """Encodings of the outputs, whose intervals are ``outs``, from those of the inputs."""
        return tuple(smallest_integer(*out.bounds) for out in outs)

    def run(self, *xs: Integers) -> tuple[Integers, ...]:
        """The meaning of the op: output integers of input integers, each (N, H, W, C)."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Unary(Op):
    """An op of one input and one output."""

    def shape(self, x: Shape) -> Shape:
        """Shape (H, W, C) of the output; raises ``ValueError`` where the input does not fit."""
        raise NotImplementedError

    def interval(self, x: Interval, shape: Shape) -> Interval:
        """Reachable output integers from those of the input, whose shape is ``shape``."""
        raise NotImplementedError

    def encoding(self, out: Interval, x: Encoding) -> Encoding:
        """Encoding of the output, whose interval is ``out``, from that of the input."""
        return smallest_integer(*out.bounds)

    def golden(self, x: Integers) -> Integers:
        """The meaning of the op: output integers (N, H', W', C') of input integers (N, H, W, C)."""
        raise NotImplementedError

    def shapes(self, xs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        (x,) = _one(xs)
        return (self.shape(x),)

    def intervals(self, xs: tuple[Interval, ...], shapes: tuple[Shape, ...]) -> tuple[Interval, ...]:
        return (self.interval(xs[0], shapes[0]),)

    def encodings(self, outs: tuple[Interval, ...], xs: tuple[Encoding, ...]) -> tuple[Encoding, ...]:
        return (self.encoding(outs[0], xs[0]),)

    def run(self, *xs: Integers) -> tuple[Integers, ...]:
        return (self.golden(xs[0]),)


def _one(xs: tuple[Shape, ...]) -> tuple[Shape, ...]:
    if len(xs) != 1:
        raise ValueError(f"{len(xs)} inputs, expected one")
    return xs

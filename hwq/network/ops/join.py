"""Ops that join several tensors of one shape, pixel by pixel, or take one apart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from itertools import pairwise, product
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hwq.network.ops.base import Integers, Op, Shape
from hwq.numerics.encoding import Encoding, smallest_integer
from hwq.numerics.interval import Interval

__all__ = ["Add", "Concat", "Mul", "Split"]


def _same_image(xs: tuple[Shape, ...]) -> None:
    if len({x[:2] for x in xs}) != 1:
        raise ValueError("images of unlike size: " + ", ".join(f"{h}x{w}" for h, w, _ in xs))


def _same_shape(xs: tuple[Shape, ...]) -> None:
    if len(set(xs)) != 1 or len(xs) < 2:
        raise ValueError("unlike shapes: " + ", ".join(map(str, xs)))


@dataclass(frozen=True, eq=False)
class Add(Op):
    """``y = sum over i of coefficients[i] * x_i``, two tensors or more of one shape; no broadcasting.

    Parameters
    ----------
    coefficients
        int64 (inputs, C) or shared (inputs, 1).
    """

    kind: ClassVar[str] = "add"
    coefficients: NDArray[np.int64]

    def shapes(self, xs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        _same_shape(xs)
        if self.coefficients.shape not in ((len(xs), 1), (len(xs), xs[0][2])):
            raise ValueError(f"coefficients of shape {self.coefficients.shape} for {len(xs)} inputs of {xs[0][2]} channels")
        return xs[:1]

    def intervals(self, xs: tuple[Interval, ...], shapes: tuple[Shape, ...]) -> tuple[Interval, ...]:
        ends = [(c * x.lo, c * x.hi) for c, x in zip(self.coefficients, xs, strict=True)]
        step = 2 if all(((c * x.step) % 2 == 0).all() for c, x in zip(self.coefficients, xs, strict=True)) else 1
        return (Interval(sum(np.minimum(a, b) for a, b in ends), sum(np.maximum(a, b) for a, b in ends), step),)

    def run(self, *xs: Integers) -> tuple[Integers, ...]:
        bound = sum(
            int(np.abs(c).max()) * max(int(x.max(initial=0)), -int(x.min(initial=0))) for c, x in zip(self.coefficients, xs, strict=True)
        )
        dtype = np.dtype(np.int32 if bound < 1 << 31 else np.int64)
        return (
            reduce(np.add, (_weighed(c.astype(dtype), x.astype(dtype, copy=False)) for c, x in zip(self.coefficients, xs, strict=True))),
        )


def _weighed(coefficients: NDArray[np.integer], x: Integers) -> Integers:
    return x if (coefficients == 1).all() else coefficients * x


@dataclass(frozen=True, eq=False)
class Mul(Op):
    """``y = x_0 * x_1``, element by element; both of one shape (an :class:`Upsample` spreads a 1x1 gate over its image)."""

    kind: ClassVar[str] = "mul"

    def shapes(self, xs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        _same_shape(xs)
        if len(xs) != 2:
            raise ValueError(f"{len(xs)} inputs, expected two")
        return xs[:1]

    def intervals(self, xs: tuple[Interval, ...], shapes: tuple[Shape, ...]) -> tuple[Interval, ...]:
        a, b = xs
        corners = np.stack([p * q for p, q in product((a.lo, a.hi), (b.lo, b.hi))])
        return (Interval(corners.min(0), corners.max(0)),)

    def run(self, *xs: Integers) -> tuple[Integers, ...]:
        return (xs[0].astype(np.int64) * xs[1],)


@dataclass(frozen=True, eq=False)
class Concat(Op):
    """The channels of several images of one size, one tensor after the other."""

    kind: ClassVar[str] = "concat"

    def shapes(self, xs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        _same_image(xs)
        return ((*xs[0][:2], sum(x[2] for x in xs)),)

    def intervals(self, xs: tuple[Interval, ...], shapes: tuple[Shape, ...]) -> tuple[Interval, ...]:
        step = 2 if all(x.step == 2 for x in xs) and len({int(x.lo[0]) % 2 for x in xs}) == 1 else 1
        return (Interval(np.concatenate([x.lo for x in xs]), np.concatenate([x.hi for x in xs]), step),)

    def encodings(self, outs: tuple[Interval, ...], xs: tuple[Encoding, ...]) -> tuple[Encoding, ...]:
        return (xs[0] if len(set(xs)) == 1 else smallest_integer(min(x.lo for x in xs), max(x.hi for x in xs)),)

    def run(self, *xs: Integers) -> tuple[Integers, ...]:
        return (np.concatenate(xs, axis=3),)


@dataclass(frozen=True, eq=False)
class Split(Op):
    """Consecutive ranges of channels, ``sizes`` of them, one output each; an output named "" is dropped."""

    kind: ClassVar[str] = "split"
    sizes: tuple[int, ...]

    @property
    def ranges(self) -> tuple[slice, ...]:
        """The channels of each output."""
        ends = np.cumsum((0, *self.sizes)).tolist()
        return tuple(slice(a, b) for a, b in pairwise(ends))

    def shapes(self, xs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        ((h, w, c),) = xs
        if sum(self.sizes) != c or min(self.sizes, default=0) < 1:
            raise ValueError(f"{c} channels do not fall into {self.sizes}")
        return tuple((h, w, size) for size in self.sizes)

    def intervals(self, xs: tuple[Interval, ...], shapes: tuple[Shape, ...]) -> tuple[Interval, ...]:
        return tuple(Interval(xs[0].lo[r], xs[0].hi[r], xs[0].step) for r in self.ranges)

    def encodings(self, outs: tuple[Interval, ...], xs: tuple[Encoding, ...]) -> tuple[Encoding, ...]:
        return xs * len(outs)

    def run(self, *xs: Integers) -> tuple[Integers, ...]:
        return tuple(xs[0][..., r] for r in self.ranges)

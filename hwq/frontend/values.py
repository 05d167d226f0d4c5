"""What a tensor of the source graph is while the graph is executed symbolically."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.frontend.expression import Expr
from hwq.frontend.layout import Layout
from hwq.network.host import HostStep
from hwq.network.ops import Pool, Shape, Upsample
from hwq.numerics.interval import Interval

__all__ = ["Constant", "HostValue", "Integers", "Layout", "Leaf", "Moved", "Padded", "Pending", "Stacked", "Summed", "Unknown", "Value"]

Real = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Constant:
    """A known array. ``scales`` are the quantization steps that took part in making it, each broadcastable to its shape."""

    array: NDArray[Any]
    scales: tuple[NDArray[Any], ...] = ()


@dataclass(frozen=True, eq=False)
class Leaf:
    """A tensor (H, W, C) that pending functions start from.

    Parameters
    ----------
    tensor
        The Network's name of an integer tensor; None where its integers are not decided yet: a model input, or ``made``.
    shape
        (H, W, C).
    interval
        Reachable integers of each channel; None for a model input and a sum of real numbers.
    source
        Position among the model's inputs, -1 for all others.
    made
        How the tensor comes about, where it waits for what follows it: pools, joins and padding are built on codes.
    """

    tensor: str | None
    shape: Shape
    interval: Interval | None = None
    source: int = -1
    made: Moved | Padded | Stacked | Summed | None = None

    @property
    def channels(self) -> int:
        """Number of channels C."""
        return self.shape[2]

    @property
    def pixels(self) -> int:
        """Number of pixels H * W."""
        return self.shape[0] * self.shape[1]

    @property
    def integral(self) -> bool:
        """Whether pending functions start from integers."""
        if isinstance(self.made, Moved | Padded):
            return self.made.inner.integral
        return not isinstance(self.made, Summed) and (self.tensor is not None or self.made is not None)

    @property
    def ends(self) -> tuple[Real, Real]:
        """Smallest and largest value that pending functions start from, (C,) each."""
        if isinstance(self.made, Summed):
            return self.made.ends
        if isinstance(self.made, Stacked):
            parts = [b.leaf.ends for b in self.made.branches]
            return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
        if self.interval is None:
            assert isinstance(self.made, Moved)
            return self.made.inner.ends
        return self.interval.lo.astype(np.float64), self.interval.hi.astype(np.float64)


@dataclass(frozen=True, eq=False)
class Moved:
    """A pool of largest values, or an upsampling, of ``inner``.

    ``rising`` (C,) says of a pool in which channels it takes the largest value of ``inner`` (else the smallest);
    it commutes with every monotone function, so it is built on the codes of the next quantizer.
    """

    inner: Leaf
    op: Pool | Upsample
    name: str
    rising: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class Padded:
    """``inner`` with pixels around it that stand for the integer 0: ``padding`` is (top, left, bottom, right)."""

    inner: Leaf
    padding: tuple[int, int, int, int]
    name: str


@dataclass(frozen=True, eq=False)
class Stacked:
    """Channels of several tensors, one after the other; the pending function on top starts with ``stack``."""

    branches: tuple[Pending, ...]
    name: str


@dataclass(frozen=True, eq=False)
class Integers:
    """An integer tensor that stands for real numbers: ``real = integer * scale + offset``, () or (C,) each.

    ``rest`` is the same as a pending function in the graph's own order of operations.
    """

    leaf: Leaf
    scale: Real
    offset: Real
    rest: Expr


@dataclass(frozen=True, eq=False)
class Summed:
    """The real sum of integer tensors on different grids, one operand after the other in binary64.

    ``of_concat``: they are what a layer makes of the parts of a concatenation.
    """

    operands: tuple[Integers, ...]
    name: str
    of_concat: bool = False

    @property
    def ends(self) -> tuple[Real, Real]:
        """Bounds of the sum, (C,) each."""
        low = high = np.zeros(self.operands[0].leaf.channels)
        for o in self.operands:
            assert o.leaf.interval is not None
            first, last = (e * o.scale + o.offset for e in (o.leaf.interval.lo, o.leaf.interval.hi))
            low, high = low + np.minimum(first, last), high + np.maximum(first, last)
        return low, high


@dataclass(frozen=True, eq=False)
class Pending:
    """An integer tensor (or a model input) and the function that makes the source's tensor of it."""

    leaf: Leaf
    expr: Expr
    layout: Layout

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the source's tensor, batch 1 included."""
        return self.layout.shape

    def with_expr(self, expr: Expr) -> Pending:
        """The same leaf and layout under another function."""
        return Pending(self.leaf, expr, self.layout)


@dataclass(frozen=True, eq=False)
class HostValue:
    """A tensor that only the host computes: steps behind a pending tensor."""

    origin: Pending
    steps: tuple[HostStep, ...]
    shape: tuple[int, ...]
    dtype: str | None = None
    name: str = ""


@dataclass(frozen=True)
class Unknown:
    """Stands for a tensor behind a problem that was already reported, so that the search for problems goes on."""

    shape: tuple[int, ...] | None = None


Value = Constant | Pending | HostValue | Unknown

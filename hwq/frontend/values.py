"""What a tensor of the source graph is while the graph is executed symbolically."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.frontend.expression import Expr
from hwq.network.host import HostStep
from hwq.numerics.interval import Interval

__all__ = ["Constant", "HostValue", "Layout", "Leaf", "Pending", "Unknown", "Value"]


@dataclass(frozen=True, eq=False)
class Constant:
    """A known array. ``scales`` are the quantization steps that took part in making it, each broadcastable to its shape."""

    array: NDArray[Any]
    scales: tuple[NDArray[Any], ...] = ()


@dataclass(frozen=True, eq=False)
class Leaf:
    """A tensor of C elements that pending functions start from.

    ``tensor`` is the Network's name of an integer tensor; None marks a model input whose integers are not decided yet,
    ``source`` is then its position among the inputs.
    """

    tensor: str | None
    channels: int
    interval: Interval | None = None
    source: int = -1


@dataclass(frozen=True, eq=False)
class Layout:
    """Which element of the leaf stands where in the source's tensor.

    Parameters
    ----------
    base
        Shape in which the leaf's elements are in order, batch 1 included.
    index
        int64, of the tensor's shape: position in the leaf.
    moves
        Reshapes and transposes from ``base`` to the tensor's shape.
    """

    base: tuple[int, ...]
    index: NDArray[np.int64]
    moves: tuple[HostStep, ...] = ()

    @classmethod
    def of(cls, shape: tuple[int, ...]) -> Layout:
        """Elements in the leaf's own order."""
        return cls(shape, np.arange(prod(shape)).reshape(shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's shape, batch 1 included."""
        return self.index.shape

    @property
    def in_order(self) -> bool:
        """Whether the elements are still in the leaf's order."""
        flat = self.index.reshape(-1)
        return bool((flat == np.arange(flat.size)).all())

    def reshaped(self, shape: tuple[int, ...]) -> Layout:
        """The same elements in another shape."""
        return replace(self, index=self.index.reshape(shape), moves=(*self.moves, HostStep("reshape", None, {"shape": list(shape[1:])})))

    def transposed(self, perm: tuple[int, ...]) -> Layout:
        """The same elements, axes permuted."""
        if perm == tuple(range(len(perm))):
            return self
        return replace(self, index=self.index.transpose(perm), moves=(*self.moves, HostStep("transpose", None, {"perm": list(perm)})))

    def to_leaf(self, operand: NDArray[Any]) -> NDArray[np.float64] | None:
        """A constant operand in the leaf's order, (C,) or (); None where numpy would not broadcast it to the tensor's shape."""
        value = np.asarray(operand, dtype=np.float64)
        if value.size == 1 and value.ndim <= len(self.shape):
            return value.reshape(())
        try:
            spread = np.broadcast_to(value, self.shape)
        except ValueError:
            return None
        out = np.empty(self.index.size)
        out[self.index.reshape(-1)] = spread.reshape(-1)
        return out

    def host_steps(self) -> tuple[HostStep, ...]:
        """From (N, 1, 1, C) to the tensor's shape."""
        if self.in_order:
            return (HostStep("reshape", None, {"shape": list(self.shape[1:])}),)
        return (HostStep("reshape", None, {"shape": list(self.base[1:])}), *self.moves)


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

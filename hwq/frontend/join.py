"""Sums of integer tensors: on one grid where their scales have a small common measure, else by the join prover."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.frontend.expression import composed, leaf
from hwq.frontend.join_proof import proven_sum
from hwq.frontend.layout import Layout
from hwq.frontend.residual import requantized
from hwq.frontend.trace import trace_entry
from hwq.frontend.values import Integers, Leaf, Pending, Summed
from hwq.network.ops import Add
from hwq.numerics.encoding import MAX_BITS
from hwq.numerics.grid import common_grid

if TYPE_CHECKING:
    from hwq.frontend.builder import Builder

__all__ = ["added", "realised_sum", "scales_of"]

Real = NDArray[np.float64]
MAX_COEFFICIENT = 255  # of an addition on one grid


def added(builder: Builder, operands: Sequence[Integers], layout: Layout, name: str, tensor: str, of_concat: bool = False) -> Pending:
    """The sum of integer tensors of one shape: integers at once where the scales allow it, else pending until a quantizer follows.

    ``of_concat``: of what a layer makes of the parts of a concatenation.
    """
    grid = common_grid(scales_of(operands), MAX_COEFFICIENT)
    if grid is None:
        return Pending(Leaf(None, operands[0].leaf.shape, made=Summed(tuple(operands), name, of_concat)), leaf(), layout)
    return on_grid(builder, operands, grid, layout, name, tensor)


def on_grid(
    builder: Builder, operands: Sequence[Integers], grid: tuple[NDArray[np.int64], Real], layout: Layout | None, name: str, tensor: str
) -> Pending:
    """The sum as one integer tensor: coefficients are the scales' multiples of the unit."""
    coefficients, unit = grid
    op = Add(compact(coefficients))
    _check_width(op, operands, name)
    emitted, made = builder.emit(name, op, [o.leaf for o in operands], tensor)
    channels = made.channels
    scale = _one(unit)
    offset = _one(np.broadcast_to(np.sum([np.broadcast_to(o.offset, (channels,)) for o in operands], axis=0), (channels,)))
    builder.notes[emitted] = {"op": "add", **cost(coefficients), "form": "one grid"}
    if layout is not None:
        builder.trace[made.tensor or ""] = trace_entry(tensor, scale, offset, layout)
    expr = leaf().then("mul", scale, name=name).then("add", offset, name=name)
    return Pending(made, expr, layout or Layout.of((1, *made.shape)))


def scales_of(operands: Sequence[Integers]) -> Real:
    """Scales (n, C) of the operands."""
    return np.stack([np.broadcast_to(o.scale, (o.leaf.channels,)) for o in operands])


def compact(coefficients: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n, 1) where all channels agree."""
    return coefficients[:, :1].copy() if (coefficients == coefficients[:, :1]).all() else coefficients


def cost(coefficients: NDArray[np.int64]) -> dict[str, Any]:
    """Bits of the coefficients, for the notes."""
    return {"coefficient_bits": [int(v).bit_length() for v in np.abs(coefficients).max(1)]}


def realised_sum(builder: Builder, pending: Pending, made: Summed, tensor: str) -> Integers:
    """The integers that a quantizer makes of a sum without a common grid."""
    try:
        return proven_sum(builder, pending, made, tensor)
    except InputError:
        if builder.options.residual is None:
            raise
    operands = [requantized(builder, o, k, made.name) for k, o in enumerate(made.operands)]
    grid = common_grid(scales_of(operands), MAX_COEFFICIENT)
    assert grid is not None
    summed = on_grid(builder, operands, grid, None, made.name, f"{tensor}.sum")
    return builder.plain_integers(Pending(summed.leaf, composed(pending.expr, summed.expr), pending.layout), made.name, tensor)


def _check_width(op: Add, operands: Sequence[Integers], name: str) -> None:
    reach = [np.maximum(np.abs(o.leaf.interval.lo), np.abs(o.leaf.interval.hi)) for o in operands if o.leaf.interval is not None]
    bound = int(sum((np.abs(c) * r).max() for c, r in zip(op.coefficients, reach, strict=True)))
    if bound.bit_length() + 1 > MAX_BITS:
        message = f"the sum needs {bound.bit_length() + 1} bits, at most {MAX_BITS} are built"
        raise InputError("ACCUMULATOR-WIDTH", message, where=name, hint="Quantize the branches")


def _one(value: Real) -> Real:
    return np.asarray(value[0]) if (value == value[0]).all() else np.asarray(value)

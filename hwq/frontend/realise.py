"""Tensors that waited for what follows them: pools, upsampling, concatenation, padding and sums, built on codes where that is exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.frontend.expression import Expr, composed, evaluate, leaf, restricted
from hwq.frontend.join import realised_sum
from hwq.frontend.values import Integers, Leaf, Moved, Padded, Pending, Stacked, Summed
from hwq.network.ops import Concat, Pad, Pool, Requantize, Threshold, Upsample
from hwq.numerics.prover import FEW_THRESHOLDS
from hwq.numerics.rounding import Rounding

if TYPE_CHECKING:
    from hwq.frontend.builder import Builder

__all__ = ["concatenated", "direction", "moved", "realised"]

Real = NDArray[np.float64]
Flags = NDArray[np.bool_]


def realised(builder: Builder, pending: Pending, fallback: str, tensor: str) -> Integers:
    """The integers behind a pending function whose tensor is not built yet."""
    made = pending.leaf.made
    if isinstance(made, Stacked):
        parts = [builder.plain_integers(p, fallback, f"{tensor}.{k}") for k, p in enumerate(branches(pending))]
        return concatenated(builder, parts, made.name, tensor)
    if isinstance(made, Summed):
        return realised_sum(builder, pending, made, tensor)
    if isinstance(made, Padded):
        return _padded(builder, pending, made, fallback, tensor)
    assert isinstance(made, Moved)
    return _moved(builder, pending, made, fallback, tensor)


def moved(name: str, x: Pending, op: Pool | Upsample, leaf_shape: tuple[int, int, int]) -> Leaf:
    """A pool or upsampling of ``x`` that waits for the next quantizer; a pool needs a monotone function on ``x``."""
    rising = None
    if isinstance(op, Pool):
        rising = direction(x.leaf, x.expr) >= 0
    return Leaf(None, leaf_shape, x.leaf.interval, made=Moved(x.leaf, op, name, rising))


def branches(pending: Pending) -> list[Pending]:
    """The pending function of each tensor of a concatenation."""
    stacked = pending.leaf.made
    assert isinstance(stacked, Stacked)
    made, start = [], 0
    for b in stacked.branches:
        here = slice(start, start + b.leaf.channels)
        made.append(Pending(b.leaf, restricted(pending.expr, here), b.layout))
        start = here.stop
    return made


def direction(source: Leaf, expr: Expr) -> NDArray[np.int64]:
    """(C,): +1 where a monotone function rises over the reachable values, -1 where it falls, 0 where it is constant."""
    low, high = source.ends
    values = evaluate(expr, np.stack([low, high], axis=1))
    return np.sign(values[:, 1] - values[:, 0]).astype(np.int64)


def concatenated(builder: Builder, parts: Sequence[Integers], name: str, tensor: str) -> Integers:
    """One tensor of the channels of several; scale and offset are per channel where they differ."""
    if len(parts) == 1:
        return parts[0]
    _, made = builder.emit(name, Concat(), [p.leaf for p in parts], tensor)
    scale, offset = (_spread([getattr(p, key) for p in parts], parts) for key in ("scale", "offset"))
    return Integers(made, scale, offset, leaf().then("mul", scale).then("add", offset))


def _spread(values: Sequence[Real], parts: Sequence[Integers]) -> Real:
    spread = np.concatenate([np.broadcast_to(v, (p.leaf.channels,)) for v, p in zip(values, parts, strict=True)])
    return np.asarray(spread[0]) if (spread == spread[0]).all() else spread


def _moved(builder: Builder, pending: Pending, made: Moved, fallback: str, tensor: str) -> Integers:
    op = made.op
    if isinstance(op, Pool) and not pending.expr.is_monotone:
        return _moved_first(builder, pending, made, fallback, tensor)
    before = builder.plain_integers(Pending(made.inner, pending.expr, pending.layout), fallback, f"{tensor}.before")
    if isinstance(op, Upsample):
        after = builder.cached(op, before.leaf, lambda: builder.emit(made.name, op, (before.leaf,), tensor)[1])
        return replace(before, leaf=after)
    assert made.rising is not None
    falls = direction(made.inner, pending.expr) * np.sign(before.scale).astype(np.int64)
    largest = np.where(falls == 0, True, made.rising == (falls > 0))
    if not largest[falls != 0].any():
        largest[:] = False
    pooled = builder.cached((op, largest.tobytes()), before.leaf, lambda: _pool(builder, made, before.leaf, largest, tensor))
    return replace(before, leaf=pooled)


def _moved_first(builder: Builder, pending: Pending, made: Moved, fallback: str, tensor: str) -> Integers:
    """The pool on the integers in front, where the function behind it is not monotone."""
    if (made.inner.made is not None and not made.inner.integral) or isinstance(made.inner.made, Stacked):
        raise InputError(
            "POOL-FUNCTION",
            "a function that both rises and falls follows a pool of joined tensors",
            where=made.name,
            hint="Put the activation and its quantizer in front of the pool",
        )
    before = builder.plain_integers(Pending(made.inner, leaf(), pending.layout), fallback, f"{tensor}.before")
    assert made.rising is not None
    flags = made.rising
    pooled = builder.cached((made.op, flags.tobytes()), before.leaf, lambda: _pool(builder, made, before.leaf, flags, f"{tensor}.pool"))
    return builder.plain_integers(Pending(pooled, composed(pending.expr, before.rest), pending.layout), fallback, tensor)


def _pool(builder: Builder, made: Moved, source: Leaf, largest: Flags, tensor: str) -> Leaf:
    """Largest values where ``largest``, smallest in the other channels: those are mirrored on the way in and out."""
    assert isinstance(made.op, Pool)
    assert source.interval is not None
    if not largest.any():
        return builder.emit(made.name, replace(made.op, mode="min"), (source,), tensor)[1]
    if largest.all():
        return builder.emit(made.name, replace(made.op, mode="max"), (source,), tensor)[1]
    mirror = _mirror(builder, source, ~largest)
    _, turned = builder.emit(f"{made.name}.mirror", mirror, (source,), f"{tensor}.mirror")
    _, pooled = builder.emit(made.name, replace(made.op, mode="max"), (turned,), f"{tensor}.pool")
    return builder.emit(f"{made.name}.back", mirror, (pooled,), tensor)[1]


def _mirror(builder: Builder, source: Leaf, flags: Flags) -> Requantize | Threshold:
    """``lo + hi - x`` in the flagged channels: within the same encoding."""
    out = builder.encodings[source.tensor or ""]
    levels = (out.hi - out.lo) // out.step
    if levels <= FEW_THRESHOLDS:
        points = np.broadcast_to(out.lo + out.step * np.arange(1, levels + 1), (len(flags), levels)).copy()
        return Threshold(points, np.where(flags[:, None], -1, np.ones_like(points)), np.where(flags, levels, 0), out)
    sign = np.where(flags, -1, 1)
    return Requantize(sign, np.where(flags, out.lo + out.hi, 0), 0, Rounding.FLOOR, out.lo, out.hi, out)


def _padded(builder: Builder, pending: Pending, made: Padded, fallback: str, tensor: str) -> Integers:
    inner = builder.plain_integers(Pending(made.inner, leaf(), pending.layout), fallback, f"{tensor}.before")
    padded = builder.cached(made.padding, inner.leaf, lambda: builder.emit(made.name, Pad(made.padding), (inner.leaf,), f"{tensor}.pad")[1])
    return builder.plain_integers(Pending(padded, composed(pending.expr, inner.rest), pending.layout), fallback, tensor)

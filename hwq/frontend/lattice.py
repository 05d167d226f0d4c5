"""Weights by value: integers times a scale that reproduce every weight bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.numerics.encoding import Bipolar, Encoding, Integer, smallest_integer

__all__ = ["Lattice", "encoding_of", "fit_lattice"]

MAX_STATED = (1 << 15) - 1  # levels believed where the graph states the scale
MAX_FOUND = 127  # levels searched where it does not
MAX_DISTINCT = 256
ULPS = 3


@dataclass(frozen=True, eq=False)
class Lattice:
    """``values[k, o] = integers[k, o] * scale[o]`` in the values' own float format.

    ``integers`` is int64 (K, O), ``scale`` of shape () or (O,), in the values' dtype; ``stated`` says whether the graph names it.
    """

    integers: NDArray[np.int64]
    scale: NDArray[Any]
    stated: bool


def fit_lattice(values: NDArray[Any], scales: Sequence[NDArray[Any]] = (), *, reduce: bool = True) -> Lattice | None:
    """The grid of a (K, O) matrix: a scale for all, or one a column; None where there is none.

    Order: the scales the graph states; 1, if ``reduce`` is False; one scale found by value; one a column found by value.
    A found scale is the largest one whose integers stay within 127.
    """
    values = values if values.dtype.kind == "f" else values.astype(np.float64)
    stated = [*scales, *([] if reduce else [np.ones(())])]
    for scale in stated:
        lattice = _try_stated(values, scale)
        if lattice is not None:
            return lattice
    one = _find(values.reshape(-1))
    if one is not None:
        return _lattice(values, np.asarray(one), stated=False)
    columns = [_find(values[:, o]) for o in range(values.shape[1])]
    if any(c is None for c in columns):
        return _try_stated(values, np.ones(()))
    return _lattice(values, np.asarray(columns, dtype=values.dtype), stated=False)


def encoding_of(integers: NDArray[np.int64]) -> Encoding:
    """Encoding for weights: bipolar where only -1 and +1 occur, else signed, narrow where the most negative code is unused."""
    if integers.size and (np.abs(integers) == 1).all():
        return Bipolar()
    lo, hi = int(integers.min(initial=0)), int(integers.max(initial=0))
    width = max(2, smallest_integer(min(lo, -1), hi).bits)
    return Integer(width, True, narrow=lo > -(1 << (width - 1)))


def _try_stated(values: NDArray[Any], scale: NDArray[Any]) -> Lattice | None:
    try:
        spread = np.broadcast_to(np.asarray(scale).astype(values.dtype), values.shape)
    except ValueError:
        return None
    if not (spread == spread[:1]).all() or not (spread > 0).all() or not np.isfinite(spread).all():
        return None
    column = spread[0] if spread.size else np.ones(values.shape[1], values.dtype)
    lattice = _lattice(values, column if column.size and (column != column[0]).any() else column[0], stated=True)
    return lattice if lattice is not None and np.abs(lattice.integers).max(initial=0) <= MAX_STATED else None


def _lattice(values: NDArray[Any], scale: NDArray[Any], *, stated: bool) -> Lattice | None:
    with np.errstate(all="ignore"):
        integers = np.rint(values / scale)
        same = (integers * scale).astype(values.dtype) == values
    return Lattice(integers.astype(np.int64), np.asarray(scale), stated) if same.all() else None


def _find(values: NDArray[Any]) -> Any | None:
    """The largest scale that takes integers of at most 127 to all ``values``, within 3 ulp of the smallest one's fractions."""
    magnitudes = np.unique(np.abs(values))
    magnitudes = magnitudes[magnitudes > 0]
    one = values.dtype.type(1)
    if not len(magnitudes):
        return one
    if len(magnitudes) > MAX_DISTINCT or magnitudes[-1] > (MAX_FOUND + 0.5) * magnitudes[0]:
        return None
    nearby = [(magnitudes[0] / np.arange(1, MAX_FOUND + 1, dtype=values.dtype)).astype(values.dtype)]
    for toward in (0, np.inf):
        moved = nearby[0]
        for _ in range(ULPS):
            moved = np.nextafter(moved, values.dtype.type(toward))
            nearby.append(moved)
    candidates = np.stack(nearby, axis=1).reshape(-1)
    with np.errstate(all="ignore"):
        integers = np.rint(magnitudes / candidates[:, None])
        good = ((integers * candidates[:, None]).astype(values.dtype) == magnitudes).all(1) & (integers[:, -1] <= MAX_FOUND)
    return candidates[int(np.argmax(good))] if good.any() else None

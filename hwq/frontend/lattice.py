"""Weights by value: integers times a scale that reproduce every weight bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.numerics.encoding import Bipolar, Encoding, Integer, smallest_integer

__all__ = ["Lattice", "encoding_of", "fit_lattice", "why_no_lattice"]

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


def why_no_lattice(values: NDArray[Any], scales: Sequence[NDArray[Any]] = ()) -> tuple[str, str]:
    """Message and hint for a matrix that :func:`fit_lattice` refuses."""
    levels = np.unique(values if values.dtype.kind == "f" else values.astype(np.float64))
    limit = MAX_STATED.bit_length() + 1
    for scale in (*scales, np.ones(())):
        with np.errstate(all="ignore"):
            largest = np.abs(np.rint(values / scale)).max(initial=0)
            whole = bool((np.rint(values / scale) * scale == values).all())
        if whole and largest > MAX_STATED:
            return (
                f"its weights are integers up to {largest:g}, at most {MAX_STATED} ({limit} bits) is built",
                "Quantize them to fewer bits",
            )
    if _nearly_even(levels):
        return (
            f"its weights take {len(levels)} values that are evenly spaced only up to float rounding, no integers times a scale",
            "Let the weight quantizer compute integers * scale as its last operation, as a Quant node does",
        )
    return (
        f"an unquantized layer: its weights take {len(levels)} different values that are no integers times a scale",
        "Give the layer a weight quantizer (hwq.quant, Brevitas, QONNX Quant, QCDQ)",
    )


def _nearly_even(levels: NDArray[Any]) -> bool:
    """Whether 3 to 256 values lie on one grid (of half their smallest distance) up to float rounding."""
    if not 3 <= len(levels) <= MAX_DISTINCT:
        return False
    places = levels.astype(np.float64) / (np.diff(levels.astype(np.float64)).min() / 2)
    return bool(np.abs(places).max() <= 4 * MAX_FOUND and np.abs(places - np.rint(places)).max() < 1e-3)


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

"""Rounding modes; the mode is a field of whatever rounds, never a habit."""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import NDArray

__all__ = ["Rounding", "round_float", "shift_right"]


class Rounding(Enum):
    """How a real number becomes an integer. QONNX's names differ: its HALF_UP is our HALF_AWAY, its UP is our AWAY."""

    HALF_EVEN = "half_even"
    HALF_AWAY = "half_away"
    HALF_TOWARD_ZERO = "half_toward_zero"
    HALF_UP = "half_up"
    FLOOR = "floor"
    CEIL = "ceil"
    TOWARD_ZERO = "toward_zero"
    AWAY = "away"


def round_float(x: NDArray[np.float64], mode: Rounding) -> NDArray[np.float64]:
    """``x`` rounded to integers in binary64; exact for every input, ties by ``mode``."""
    if mode is Rounding.HALF_EVEN:
        return np.rint(x)
    if mode is Rounding.FLOOR:
        return np.floor(x)
    if mode is Rounding.CEIL:
        return np.ceil(x)
    if mode is Rounding.TOWARD_ZERO:
        return np.trunc(x)
    if mode is Rounding.AWAY:
        return np.copysign(np.ceil(np.abs(x)), x)
    toward_zero = np.trunc(x)
    fraction = np.abs(x - toward_zero)  # exact, unlike x - floor(x) for small negative x
    tie = fraction == 0.5
    if mode is Rounding.HALF_UP:
        outward = tie & (x > 0)
    elif mode is Rounding.HALF_AWAY:
        outward = tie
    else:
        outward = np.zeros_like(tie)
    return np.where((fraction > 0.5) | outward, toward_zero + np.sign(x), toward_zero)


def shift_right(x: NDArray[np.int64], shift: int, mode: Rounding) -> NDArray[np.int64]:
    """``x / 2**shift`` rounded to integers: FLOOR (the plain arithmetic shift) or HALF_EVEN.

    Raises ``ValueError`` for other modes: hardware knows only these two.
    """
    if mode is Rounding.FLOOR or shift == 0:
        return x >> shift
    if mode is Rounding.HALF_EVEN:
        return (x + ((1 << (shift - 1)) - 1) + ((x >> shift) & 1)) >> shift
    raise ValueError(f"a shift rounds by floor or half_even, not {mode.value}")

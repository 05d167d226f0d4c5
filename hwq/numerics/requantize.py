"""Fit of one multiply, add and shift to a monotone staircase: ``clip((M * x + B) >> shift, low, high)``.

The rule ``code(x) >= k  <=>  x >= t_k`` gives for each jump two integer inequalities in M and B,
``M * t_k + B >= k * 2**s`` and ``M * p_k + B < k * 2**s`` where p_k is the reachable integer before t_k; rounding half to
even moves the right-hand sides by ``-2**(s-1)`` and, for odd k, by one. B exists exactly where the largest lower bound does
not exceed the smallest upper one, so M may be any integer strictly inside a slope window that pairs of jumps give.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwq.numerics.rounding import Rounding
from hwq.numerics.staircase import Staircase

__all__ = ["MultiplyShift", "fit_multiply_shift"]

Ints = NDArray[np.int64]
MAX_SHIFT = 60
PRODUCT_BITS = 62
NEWTON_STEPS = 100
SLACK = 2.0**-36  # the window comes from binary64; what it lets through is checked in integers


@dataclass(frozen=True, eq=False)
class MultiplyShift:
    """``clip((multiplier * x + offset) / 2**shift, low, high)``: int64 (C,) each, one shift, FLOOR or HALF_EVEN."""

    multiplier: Ints
    offset: Ints
    shift: int
    rounding: Rounding
    low: int
    high: int


@dataclass(frozen=True, eq=False)
class _Constraints:
    """Rows (C, R): at ``t`` the code is at least ``k`` (lower), at ``p`` it is below ``k`` (upper), where valid."""

    t: Ints
    t_level: Ints
    t_valid: NDArray[np.bool_]
    p: Ints
    p_level: Ints
    p_valid: NDArray[np.bool_]


def fit_multiply_shift(stairs: Staircase, low: int, high: int) -> MultiplyShift | None:
    """The smallest common shift with a multiplier and an offset a channel, codes clipped to ``low..high``; None where none exists.

    Falling channels get a negative multiplier. FLOOR is tried first, then HALF_EVEN. The result equals the staircase at
    both sides of every jump and at both ends, hence, both being monotone, everywhere.
    """
    direction = stairs.direction
    if not direction.all():
        return None
    rows = _constraints(stairs, direction, low, high)
    for rounding in (Rounding.FLOOR, Rounding.HALF_EVEN):
        fit = _fit(rows, direction, rounding, low, high)
        if fit is not None:
            return fit
    return None


def _constraints(stairs: Staircase, direction: Ints, low: int, high: int) -> _Constraints:
    """Constraints in the variable ``y = direction * x``, in which every channel rises."""
    reach, used = stairs.reach, stairs.used
    falls = (direction < 0)[:, None]
    top = reach.lo + (reach.hi - reach.lo) // reach.step * reach.step
    last = stairs.start + (stairs.steps * used).sum(1)
    count = used.sum(1)[:, None]
    rank = np.arange(stairs.points.shape[1])[None, :]
    # A falling channel passes its jumps in reverse: the one of rank r brings level last + count - r.
    level = np.where(falls, last[:, None] + count - rank, stairs.start[:, None] + rank + 1)
    before = stairs.points - reach.step
    t = np.where(falls, -before, stairs.points)
    p = np.where(falls, -stairs.points, before)
    least, most = np.minimum(stairs.start, last)[:, None], np.maximum(stairs.start, last)[:, None]
    y_low, y_high = np.where(falls[:, 0], -top, reach.lo)[:, None], np.where(falls[:, 0], -reach.lo, top)[:, None]
    return _Constraints(
        np.hstack([t, y_low]),
        np.hstack([level, least]),
        np.hstack([used, least > low]),
        np.hstack([p, y_high]),
        np.hstack([level, most + 1]),
        np.hstack([used, most < high]),
    )


def _window(rows: _Constraints) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Open window (C,), (C,) of the slope M / 2**shift, up to the rounding of binary64.

    ``gap(m) = max(t_level - m * t) - min(p_level - m * p)`` is convex and piecewise linear in m and must be negative:
    Newton's steps from outside reach each end of the window monotonically.
    """
    levels = np.where(rows.t_valid, rows.t_level, 0), np.where(rows.p_valid, rows.p_level, 0)
    steepest = 4.0 + sum(np.abs(v).max(1) for v in levels)
    low = _newton(rows, np.zeros(len(rows.t)), 1)
    high = _newton(rows, steepest, -1)
    return low, np.where(high == steepest, np.inf, high)


def _newton(rows: _Constraints, slope: NDArray[np.float64], direction: int) -> NDArray[np.float64]:
    """The first slope from ``slope`` on, upwards (1) or downwards (-1), where the gap is closed; infinite where there is none."""
    channel = np.arange(len(slope))
    for _ in range(NEWTON_STEPS):
        i = np.where(rows.t_valid, rows.t_level - slope[:, None] * rows.t, -np.inf).argmax(1)
        j = np.where(rows.p_valid, rows.p_level - slope[:, None] * rows.p, np.inf).argmin(1)
        constrained = rows.t_valid[channel, i] & rows.p_valid[channel, j]
        rise = (rows.t_level[channel, i] - rows.p_level[channel, j]).astype(np.float64)
        run = (rows.t[channel, i] - rows.p[channel, j]).astype(np.float64)
        with np.errstate(all="ignore"):
            open_gap = constrained & (rise - slope * run > 0)
            moved = np.where(run * direction > 0, rise / run, np.inf * direction)
        moved = np.where(open_gap, np.maximum(slope, moved) if direction > 0 else np.minimum(slope, moved), slope)
        if (moved == slope).all():
            break
        slope = np.where(np.isfinite(moved), moved, slope * 0 + direction * 1e300)
    return slope


def _fit(rows: _Constraints, direction: Ints, rounding: Rounding, low: int, high: int) -> MultiplyShift | None:
    even = rounding is Rounding.HALF_EVEN
    window_low, window_high = _window(rows)
    if (window_low > window_high * (1 + SLACK)).any():
        return None
    magnitude = int(max(np.abs(rows.t).max(), np.abs(rows.p).max(), 1))
    level = int(max(np.abs(rows.t_level).max(), np.abs(rows.p_level).max(), 1))
    waiting = np.arange(len(direction))  # a channel that has a multiplier at one shift has one at every larger shift
    for shift in range(1 if even else 0, min(MAX_SHIFT, PRODUCT_BITS - level.bit_length())):
        if (int(np.ceil(window_low.max() * float(1 << shift)) + 2) * magnitude).bit_length() + 1 > PRODUCT_BITS:
            return None
        waiting = waiting[~_fit_channels(rows, waiting, window_low, window_high, shift, even)[0]]
        if not len(waiting):
            _, multiplier, offset = _fit_channels(rows, np.arange(len(direction)), window_low, window_high, shift, even)
            return MultiplyShift(multiplier * direction, offset, shift, rounding, low, high)
    return None


def _fit_channels(
    rows: _Constraints, channels: Ints, window_low: NDArray[np.float64], window_high: NDArray[np.float64], shift: int, even: bool
) -> tuple[NDArray[np.bool_], Ints, Ints]:
    """Which of ``channels`` have a multiplier at this shift, the multipliers and the offsets."""
    scale = float(1 << shift)
    low, high = window_low[channels] * scale, window_high[channels] * scale
    done = np.zeros(len(channels), bool)
    multiplier, offset = np.zeros(len(channels), np.int64), np.zeros(len(channels), np.int64)
    for candidate in _candidates(low, high).T:
        near = (candidate >= low * (1 - SLACK)) & (candidate <= high * (1 + SLACK)) & ~done
        if near.any():
            good, fitted = _offsets(rows, channels[near], candidate[near], shift, even)
            place = np.flatnonzero(near)[good]
            multiplier[place], offset[place] = candidate[place], fitted[good]
            done[place] = True
    return done, multiplier, offset


def _candidates(low: NDArray[np.float64], high: NDArray[np.float64]) -> Ints:
    """(C, n) integers worth trying as M, the smallest first."""
    high = np.where(np.isfinite(high), high, np.floor(low) + 2)
    least = np.floor(low)
    stack = np.stack([least, least + 1, least + 2, np.ceil(high) - 1, np.round((low + high) / 2)], axis=1)
    return np.sort(np.maximum(stack, 0), axis=1).astype(np.int64)


def _offsets(rows: _Constraints, channels: Ints, multiplier: Ints, shift: int, even: bool) -> tuple[NDArray[np.bool_], Ints]:
    """Which multipliers have an offset between its largest lower and smallest upper bound, and that offset."""
    half = (1 << shift) >> 1 if even else 0
    far = np.int64(np.iinfo(np.int64).max)
    m = multiplier[:, None]
    t_level, p_level = rows.t_level[channels], rows.p_level[channels]
    target_t = (t_level << shift) - half + (t_level & 1 if even else 0)
    target_p = (p_level << shift) - half + (p_level & 1 if even else 0) - 1
    least = np.where(rows.t_valid[channels], target_t - m * rows.t[channels], -far).max(1)
    most = np.where(rows.p_valid[channels], target_p - m * rows.p[channels], far).min(1)
    return least <= most, _between(least, most)


def _between(least: Ints, most: Ints) -> Ints:
    """An offset from ``least`` to ``most``: 0 where allowed, else the one nearest to it."""
    return np.where(least > 0, least, np.where(most < 0, most, 0))

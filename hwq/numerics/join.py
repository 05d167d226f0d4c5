"""The join prover: integer coefficients with which a quantized sum of real multiples of integers becomes exact.

``code(x_1, ..., x_n)`` is a quantizer of ``sum of s_i * x_i`` and never falls along ``s``. For every combination of all operands
but the widest, the places where the code reaches each level along the widest are found by bisection; between two of them nothing
happens, so a form that separates both sides of every such place equals the code on *all* reachable combinations.
With coefficients M_i near multiples of s_i, either each level k has a threshold, ``max S below < min S at or above``, or one
offset serves all: ``k * 2**shift - S_min(k) <= B < k * 2**shift - S_max(k)``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from hwq.numerics.interval import Interval
from hwq.numerics.prover import FEW_THRESHOLDS, Thresholds
from hwq.numerics.requantize import MultiplyShift
from hwq.numerics.rounding import Rounding

__all__ = ["MAX_POINTS", "JoinProof", "JoinTooWide", "prove_join"]

Ints = NDArray[np.int64]
Real = NDArray[np.float64]
JoinCodes = Callable[[tuple[Ints, ...]], Ints]

MAX_POINTS = 1 << 25  # breakpoints of all channels
MAX_COEFFICIENT_BITS = 30
FAR = np.int64(1 << 60)


class JoinTooWide(ValueError):
    """The combinations to be checked are more than :data:`MAX_POINTS`; ``points`` says how many."""

    def __init__(self, points: int) -> None:
        super().__init__(f"{points} breakpoints, at most {MAX_POINTS} are checked")
        self.points = points


@dataclass(frozen=True)
class JoinProof:
    """``S = sum of coefficients[i] * x_i`` and the staircase on S that equals the code; thresholds count from the lowest code.

    ``coefficients`` is int64 (n, C); ``checked`` counts the breakpoints at which both sides were separated.
    """

    coefficients: Ints
    form: Thresholds | MultiplyShift
    checked: int

    @property
    def bits(self) -> int:
        """Bits of the largest coefficient."""
        return int(np.abs(self.coefficients).max()).bit_length()


@dataclass(frozen=True, eq=False)
class _Breaks:
    """Both sides of every level's breakpoint: the enumerated operands (n - 1)(C, P), the widest one's (C, P, K) below and above."""

    others: list[Ints]
    below: Ints
    above: Ints
    has_below: NDArray[np.bool_]
    has_above: NDArray[np.bool_]
    levels: Ints


def prove_join(
    codes: JoinCodes, reaches: Sequence[Interval], slopes: Real, gain: Real, low: int, high: int, *, few: int = FEW_THRESHOLDS
) -> JoinProof | None:
    """Coefficients and staircase for ``codes``, values ``low..high``; None where none exist within 30 bits.

    Parameters
    ----------
    codes
        Maps integers (C, N) of every operand to codes (C, N).
    reaches
        Reachable integers of each operand, C channels.
    slopes
        (n, C): the code never falls along them; only their ratios count for thresholds.
    gain
        (C,): codes per unit of ``sum of slopes * x``, for the form with one multiply and shift.

    Raises :class:`JoinTooWide` where the combinations are too many.
    """
    widest = int(np.argmax([int(_counts(r).max()) for r in reaches]))
    order = [k for k in range(len(reaches)) if k != widest] + [widest]
    breaks = _breaks(codes, reaches, slopes, order, low, high)
    ordered = slopes[order]
    found = _by_thresholds(breaks, ordered) if high - low <= few else _by_shift(breaks, ordered * gain, low, high)
    if found is None and high - low > few:
        found = _by_thresholds(breaks, ordered)
    if found is None:
        return None
    coefficients = np.empty_like(found[0])
    coefficients[order] = found[0]
    return JoinProof(coefficients, found[1], int(breaks.has_above.sum() + breaks.has_below.sum()))


def _counts(reach: Interval) -> Ints:
    return (reach.hi - reach.lo) // reach.step + 1


def _breaks(codes: JoinCodes, reaches: Sequence[Interval], slopes: Real, order: list[int], low: int, high: int) -> _Breaks:
    channels = reaches[0].channels
    sizes = [int(_counts(reaches[k]).max()) for k in order[:-1]]
    points = prod(sizes) * max(1, high - low) * channels
    if points > MAX_POINTS:
        raise JoinTooWide(points)
    grids = np.meshgrid(*(np.arange(n) for n in sizes), indexing="ij")
    others = []
    for k, grid in zip(order[:-1], grids, strict=True):
        r = reaches[k]
        others.append(np.minimum(r.lo[:, None] + r.step * grid.reshape(-1), (r.lo + r.step * (_counts(r) - 1))[:, None]))
    wide = reaches[order[-1]]
    count = _counts(wide)[:, None, None]
    falls = (slopes[order[-1]] < 0)[:, None, None]
    start = np.where(falls, wide.lo[:, None, None] + wide.step * (count - 1), wide.lo[:, None, None])
    step = np.where(falls, -wide.step, wide.step)
    levels = np.arange(low + 1, high + 1)
    shape = (channels, len(others[0][0]) if others else 1, len(levels))
    before, after = np.full(shape, -1, np.int64), np.broadcast_to(count, shape).copy()
    spread = [np.broadcast_to(o[:, :, None], shape).reshape(channels, -1) for o in others]
    while (after - before > 1).any():
        middle = np.clip((before + after) >> 1, 0, count - 1)
        at = (start + step * middle).reshape(channels, -1)
        values: list[Ints] = [at] * len(order)
        for k, s in zip(order, [*spread, at], strict=True):
            values[k] = s
        reached = codes(tuple(values)).reshape(shape) >= levels
        open_ = after - before > 1
        after, before = np.where(open_ & reached, middle, after), np.where(open_ & ~reached, middle, before)
    return _Breaks(others, start + step * before, start + step * after, before >= 0, after < count, levels)


def _sides(breaks: _Breaks, coefficients: Ints, channels: Ints) -> tuple[Ints, Ints]:
    """For each level the largest sum below it and the smallest at or above it, (C, K) each."""
    rest = sum((m[:, None] * o[channels] for m, o in zip(coefficients[:-1], breaks.others, strict=True)), np.zeros((1, 1), np.int64))
    wide = coefficients[-1][:, None, None]
    above = np.where(breaks.has_above[channels], rest[:, :, None] + wide * breaks.above[channels], FAR).min(1)
    below = np.where(breaks.has_below[channels], rest[:, :, None] + wide * breaks.below[channels], -FAR).max(1)
    return below, above


def _rounded(slopes: Real, choice: Sequence[Callable[[Real], Real]]) -> Ints:
    """Integer coefficients (n, C), every operand rounded its own way."""
    return np.stack([f(s) for f, s in zip(choice, slopes, strict=True)]).astype(np.int64)


def _by_thresholds(breaks: _Breaks, slopes: Real) -> tuple[Ints, Thresholds] | None:
    """The fewest bits a channel with which all levels are separated."""
    scale = np.abs(slopes).max(0)
    unit = slopes / np.where(scale > 0, scale, 1.0)
    channels = slopes.shape[1]
    best = np.zeros(slopes.shape, np.int64)
    points = np.zeros((channels, len(breaks.levels)), np.int64)
    waiting = np.arange(channels)
    for bits in range(MAX_COEFFICIENT_BITS + 1):
        for choice in product((np.floor, np.ceil), repeat=len(slopes)):
            candidate = _rounded(unit[:, waiting] * float(1 << bits), choice)
            below, above = _sides(breaks, candidate, waiting)
            good = (below < above).all(1)
            place = waiting[good]
            best[:, place], points[place] = candidate[:, good], above[good]
            waiting = waiting[~good]
            if not len(waiting):
                return best, Thresholds(points, np.ones_like(points), np.zeros(channels, np.int64))
    return None


def _by_shift(breaks: _Breaks, slopes: Real, low: int, high: int) -> tuple[Ints, MultiplyShift] | None:
    """The smallest common shift; channels that are done earlier are scaled up to it."""
    channels = slopes.shape[1]
    best, offset, done = np.zeros(slopes.shape, np.int64), np.zeros(channels, np.int64), np.zeros(channels, np.int64)
    waiting = np.arange(channels)
    last = int(MAX_COEFFICIENT_BITS - np.ceil(np.log2(max(1e-9, float(np.abs(slopes).max())))))
    for shift in range(max(1, last)):
        for choice in product((np.floor, np.ceil), repeat=len(slopes)):
            candidate = _rounded(slopes[:, waiting] * float(1 << shift), choice)
            below, above = _sides(breaks, candidate, waiting)
            target = breaks.levels << shift
            least, most = (target - above).max(1), (target - 1 - below).min(1)
            good = least <= most
            place = waiting[good]
            best[:, place], done[place] = candidate[:, good], shift
            offset[place] = np.where(least > 0, least, np.where(most < 0, most, 0))[good]
            waiting = waiting[~good]
            if not len(waiting):
                up = shift - done
                return best << up, MultiplyShift(np.ones(1, np.int64), offset << up, shift, Rounding.FLOOR, low, high)
    return None

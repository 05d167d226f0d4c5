"""Staircases: exact piecewise-constant functions of one integer, per channel, as the jumps between reachable integers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.numerics.interval import Interval

__all__ = ["MAX_LEVELS", "MAX_POINTS", "Staircase", "by_bisection", "by_enumeration"]

Ints = NDArray[np.int64]
Codes = Callable[[Ints], Ints]

MAX_LEVELS = 1 << 16  # thresholds of one channel
MAX_POINTS = 1 << 24  # integers of one channel that are evaluated one by one
MAX_TOTAL = 1 << 30  # the same over all channels
MAX_JUMPS = 1 << 25  # thresholds of all channels
BLOCK = 1 << 20


@dataclass(frozen=True, eq=False)
class Staircase:
    """``code(x) = start + sum over t of steps[t] * (x >= points[t])`` for the reachable integers x of each channel.

    Parameters
    ----------
    reach
        Reachable integers, C channels.
    start
        int64 (C,): code of the smallest reachable integer.
    points
        int64 (C, K): reachable integers where the code changes, ascending; a change by n appears n times.
        Unused places hold the integer behind the largest reachable one.
    steps
        int64 (C, K): +1 or -1.
    """

    reach: Interval
    start: Ints
    points: Ints
    steps: Ints

    @property
    def used(self) -> NDArray[np.bool_]:
        """(C, K): which places hold a jump."""
        return self.points <= self.reach.hi[:, None]

    @property
    def range(self) -> tuple[int, int]:
        """Smallest and largest code over all channels and reachable integers."""
        after = self.start[:, None] + np.cumsum(self.steps * self.used, axis=1)
        return int(min(self.start.min(), after.min(initial=self.start[0]))), int(max(self.start.max(), after.max(initial=self.start[0])))

    @property
    def direction(self) -> Ints:
        """(C,): +1 where the codes rise or stay constant, -1 where they only fall, 0 where they do both."""
        up, down = ((self.steps > 0) & self.used).any(1), ((self.steps < 0) & self.used).any(1)
        return np.where(up & down, 0, np.where(down, -1, 1))

    def codes(self, x: Ints) -> Ints:
        """Codes (C, N) of integers ``x`` (C, N)."""
        out = np.repeat(self.start[:, None], x.shape[1], axis=1)
        for t in range(self.points.shape[1]):
            out += self.steps[:, t, None] * (x >= self.points[:, t, None])
        return out


def by_bisection(codes: Codes, reach: Interval) -> Staircase:
    """The staircase of a function that is monotone in each channel (rising or falling), by bisection for each level.

    ``codes`` maps integers (C, N) to codes (C, N). Raises :class:`InputError` beyond :data:`MAX_LEVELS` levels.
    """
    count = (reach.hi - reach.lo) // reach.step  # largest index of a reachable integer
    first, last = codes(reach.lo[:, None])[:, 0], codes((reach.lo + reach.step * count)[:, None])[:, 0]
    sign = np.where(last >= first, 1, -1)
    levels = np.abs(last - first)
    width = _width(levels)
    rank = np.arange(1, width + 1)[None, :]
    wanted = rank <= levels[:, None]
    low = np.zeros((reach.channels, width), np.int64)  # code(low) has not reached the level, code(high) has
    high = np.repeat(count[:, None], width, axis=1)
    while (wanted & (high - low > 1)).any():
        middle = (low + high) >> 1
        reached = (codes(reach.lo[:, None] + reach.step * middle) - first[:, None]) * sign[:, None] >= rank
        high, low = np.where(reached, middle, high), np.where(reached, low, middle)
    points = np.where(wanted, reach.lo[:, None] + reach.step * high, (reach.hi + reach.step)[:, None])
    return Staircase(reach, first, points, np.repeat(sign[:, None], width, axis=1))


def by_enumeration(codes: Codes, reach: Interval) -> Staircase:
    """The staircase of any function, by evaluating every reachable integer.

    Raises :class:`InputError` where a channel has more than :data:`MAX_POINTS` integers or :data:`MAX_LEVELS` jumps.
    """
    count = int(((reach.hi - reach.lo) // reach.step).max()) + 1
    if count > MAX_POINTS or count * reach.channels > MAX_TOTAL:
        raise InputError(
            "RANGE", f"a function that is not known to be monotone has {count} reachable integers, at most {MAX_POINTS} are tried"
        )
    start = codes(reach.lo[:, None])[:, 0]
    found: list[tuple[Ints, Ints, Ints]] = []
    before = start[:, None]
    for begin in range(1, count, max(1, BLOCK // reach.channels)):
        index = np.arange(begin, min(count, begin + max(1, BLOCK // reach.channels)))
        x = np.minimum(reach.lo[:, None] + reach.step * index, reach.hi[:, None])
        now = codes(x)
        delta = np.diff(now, axis=1, prepend=before)
        channel, place = np.nonzero(delta)
        found.append((channel, x[channel, place], delta[channel, place]))
        before = now[:, -1:]
    return _pack(reach, start, found)


def _pack(reach: Interval, start: Ints, found: list[tuple[Ints, Ints, Ints]]) -> Staircase:
    channel, point, delta = (np.concatenate([f[i] for f in found]) if found else np.zeros(0, np.int64) for i in range(3))
    total = np.bincount(channel, np.abs(delta), reach.channels).astype(np.int64)
    width = _width(total)
    points = np.repeat((reach.hi + reach.step)[:, None], width, axis=1)
    steps = np.ones((reach.channels, width), np.int64)
    for c in range(reach.channels):
        mine = channel == c
        times = np.abs(delta[mine])
        points[c, : total[c]] = np.repeat(point[mine], times)
        steps[c, : total[c]] = np.repeat(np.sign(delta[mine]), times)
    return Staircase(reach, start, points, steps)


def _width(levels: Ints) -> int:
    """Places for the jumps of all channels, at least one."""
    width = int(levels.max(initial=0))
    if width > MAX_LEVELS or width * len(levels) > MAX_JUMPS:
        raise InputError(
            "LEVELS",
            f"the codes change by {width} in all in one of {len(levels)} channels, more than thresholds can follow",
            hint="Quantize to fewer bits",
        )
    return max(1, width)

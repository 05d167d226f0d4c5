"""Schedules: which counters reduce a heap of given column heights, stage by stage, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwq.fabric.counters import counter, given, luts_beside

__all__ = ["Placed", "Schedule", "Stage", "after", "levelled", "price_of", "priced", "stage_luts"]


@dataclass(frozen=True)
class Placed:
    """``times`` counters of a kind (its name) whose lowest column is ``column``."""

    kind: str
    column: int
    times: int


Stage = tuple[Placed, ...]


@dataclass(frozen=True)
class Schedule:
    """Stages of counters from ``heights``, and what they cost.

    ``left``: heights after them; ``luts``: LUT sites; ``positions``: those in carry chains; ``halves``: CARRY8 halves (chains of up to
    four positions share a CARRY8 two and two, longer ones fill whole ones); ``flops``: flip-flops; ``latency``: cycles.
    """

    heights: tuple[int, ...]
    stages: tuple[Stage, ...]
    left: tuple[int, ...]
    luts: int
    positions: int
    halves: int
    flops: int
    latency: int


def after(heights: Sequence[int], stage: Stage, width: int) -> tuple[int, ...]:
    """Heights after a stage: bits no counter takes pass on. Counters that find fewer bits than they take give fewer."""
    waiting = [*heights, *[0] * (width - len(heights))]
    made = [0] * (width + 70)
    for placed in stage:
        kind = counter(placed.kind)
        for filled, times in _fillings(waiting, placed):
            for k, bits in enumerate(given(kind, filled)):
                made[placed.column + k] += times * bits
    return tuple(w + m for w, m in zip(waiting, made, strict=False))


def _fillings(waiting: list[int], placed: Placed) -> list[tuple[tuple[int, ...], int]]:
    """Takes the bits of the counters out of ``waiting``; (bits by column, how many counters)."""
    takes = counter(placed.kind).takes[: len(waiting) - placed.column]
    full = min(placed.times, *(waiting[placed.column + k] // t for k, t in enumerate(takes) if t))
    found = [(takes, full)]
    for k, t in enumerate(takes):
        waiting[placed.column + k] -= full * t
    for _ in range(placed.times - full):
        filled = tuple(min(t, waiting[placed.column + k]) for k, t in enumerate(takes))
        for k, t in enumerate(filled):
            waiting[placed.column + k] -= t
        found.append((filled, 1))
    return found


def levelled(heights: Sequence[int], rows: int | tuple[int, int]) -> bool:
    """Whether ``rows`` rows hold the heap: the lowest column of ``rows`` bits may have one more, for the carry input.

    Or ``rows`` gives the most bits of column 0 and of the others.
    """
    if isinstance(rows, tuple):
        return heights[0] <= rows[0] and all(h <= rows[1] for h in heights[1:])
    high = [k for k, h in enumerate(heights) if h >= rows]
    extra = int(rows > 1)
    return not high or (heights[high[0]] <= rows + extra and all(heights[k] <= rows for k in high[1:]))


def priced(heights: Sequence[int], stages: Sequence[Stage], width: int, every: int) -> Schedule:
    """The schedule of the stages, with flip-flops after every ``every`` stages and the last (0: none)."""
    now, luts, positions, halves, flops, latency = tuple(heights), 0, 0, 0, 0, 0
    for k, stage in enumerate(stages, 1):
        kept = every > 0 and (k % every == 0 or k == len(stages))
        luts += stage_luts(stage, width, kept)
        for placed in stage:
            chain = _size(placed, width)[1]
            positions += placed.times * chain
            halves += placed.times * (1 if 0 < chain <= 4 else 2 * -(-chain // 8))
        now = after(now, stage, width)
        if kept:
            latency, flops = latency + 1, flops + sum(now)
    return Schedule(tuple(heights), tuple(stages), now, luts, positions, halves, flops, latency)


def price_of(schedule: Schedule, goal: str) -> tuple[float, ...]:
    """What a goal makes least: ``luts`` (CARRY8 and flip-flops at what little they cost), ``levels`` before LUTs, or ``slices``: CLBs of
    eight LUTs and one CARRY8 before LUTs.
    """
    luts = schedule.luts + schedule.halves / 16 + schedule.flops / 40
    if goal == "levels":
        return len(schedule.stages), luts
    slices = max(-(-schedule.luts // 8), -(-schedule.halves // 2))
    return (slices, luts) if goal == "slices" else (luts, len(schedule.stages))


def stage_luts(stage: Stage, width: int, kept: bool) -> int:
    """LUT sites of a stage with flip-flops behind it or not."""
    return sum(p.times * (own + (0 if kept else shared)) for p in stage for own, _, shared in (_size(p, width),))


def _size(placed: Placed, width: int) -> tuple[int, int, int]:
    """(LUT sites, carry positions, outputs that share a way out) of one counter, columns beyond ``width`` left out."""
    kind = counter(placed.kind)
    if not kind.positions:
        return kind.luts, 0, 0
    inside = min(kind.positions, width - placed.column)
    return inside + luts_beside(kind, width - placed.column), inside, (placed.column + inside < width) + kind.spare

"""Schedules by search: bounded by counts, never by time."""

from __future__ import annotations

from hwq.fabric.counters import counter
from hwq.fabric.heap_schedule import Placed, Schedule, Stage, adder, after, levelled, priced

__all__ = ["scheduled"]

_KINDS = ("666", "664", "662", "646", "66", "64", "62", "6", "46", "44", "42", "4", "fa")


def scheduled(heights: tuple[int, ...], width: int, every: int, goal: str, rows: int) -> Schedule:
    """Stages that leave at most ``rows`` rows; for one row the last stage is an adder."""
    stages: list[Stage] = []
    now = (*heights, *[0] * (width - len(heights)))
    while not levelled(now, max(rows, 2)):
        stage = _greedy(now, width, bool(every), max(rows, 2))
        stages.append(stage)
        now = after(now, stage, width)
    if rows == 1 and adder(now, width):
        stages.append(adder(now, width))
    return priced(heights, stages, width, every)


def _greedy(heights: tuple[int, ...], width: int, registered: bool, rows: int) -> Stage:
    """Full counters, the most bits removed a site first, lowest column first."""
    waiting = list(heights)
    placed: list[Placed] = []
    for name in sorted(_KINDS, key=lambda n: -_rate(n, registered)):
        kind = counter(name)
        for column in range(width):
            fit = [waiting[column + k] // t if column + k < width else 0 for k, t in enumerate(kind.takes) if t]
            times = min(fit)
            if times and waiting[column] > rows:
                placed.append(Placed(name, column, times))
                for k, t in enumerate(kind.takes):
                    if t:
                        waiting[column + k] -= times * t
    return tuple(placed)


def _rate(name: str, registered: bool) -> float:
    kind = counter(name)
    return kind.removes / (kind.luts + (kind.positions > 0 and not registered))

"""Depths of buffers and FIFOs: the least with which a dataflow keeps the interval its laws promise."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np

from hwq.plan.dataflow import Dataflow, Mvu, Unit, ceil_div
from hwq.plan.law import bottleneck
from hwq.plan.token_network import Channel, Part, TokenNetwork, TokenRun, buffer_name

__all__ = ["keeps_interval", "least_depths", "start_depths"]

GROWTHS = 8  # doublings of all depths before giving up on the interval


def start_depths(dataflow: Dataflow) -> dict[str, int]:
    """Depths that normally suffice, by channel: two vectors a Reader, the credit round trip an Egress."""
    depths = {}
    for unit in dataflow.units:
        if not hasattr(unit, "depth"):
            continue
        depths[unit.name] = max(2, _round_trip(unit))
        if isinstance(unit, Mvu):
            depths[buffer_name(unit.name)] = 2 * unit.sf
    return depths


def _round_trip(unit: Unit) -> int:
    """Words under way between a credit's spending and its return: ceil((L + 2) / cycles a word)."""
    return ceil_div(getattr(unit, "latency", 0) + 2, getattr(unit, "sf", 1))


def keeps_interval(tokens: TokenNetwork, cycles: int) -> bool:
    """Whether frames offered every ``cycles`` cycles flow through without ever falling behind.

    With a paced source every event of a frame comes ``cycles`` or more after that of the frame before. Once all come exactly
    so for as long as the channels remember, they always will; a circuit slower than ``cycles`` never gets there.
    """
    memory = tokens.memory
    patience = memory + 4 + sum(1 + c.depth // c.words for c in tokens.channels)
    for frames in (memory + 4, min(patience, 16 * (memory + 4))):
        run = tokens.run(frames, pace=cycles)
        if run.deadlock:
            return False
        if all((b[-memory:] - b[-memory - 1 : -1] == cycles).all() for b in run.takes.values()):
            return True
        if any(_is_slower(run, part, memory, cycles) for part in tokens.parts):
            return False
    return False


def _is_slower(run: TokenRun, part: Part, memory: int, cycles: int) -> bool:
    """Whether ``part`` has settled at an interval above ``cycles``."""
    takes = np.concatenate([run.takes[name][-memory - 1 :] for name in part.channels], axis=1)
    difference = np.diff(takes, axis=0)
    return bool(difference[0, 0] > cycles and (difference == difference[0, 0]).all())


def least_depths(
    dataflow: Dataflow,
    fixed: Mapping[str, int],
    sizable: Collection[str],
    progress: Callable[[str, float | None], None] | None = None,
) -> dict[str, int]:
    """Depths of the channels ``sizable``, ``fixed`` ones honoured: none can shrink by one without losing the interval.

    More depth never delays anything, so one pass of bisections suffices; the order chooses among the minima: widest first.
    """
    _, cycles = bottleneck(dataflow)
    tokens = TokenNetwork(dataflow)
    free = [c for c in tokens.channels if c.name in sizable and c.name not in fixed]
    start = {n: d for n, d in start_depths(dataflow).items() if n in sizable} | dict(fixed)
    depths = _grow(tokens, start, free, cycles)
    if depths is None:
        return start
    # Python's sort is stable: equal widths keep the order of the dataflow.
    for k, channel in enumerate(sorted(free, key=lambda c: -c.width)):
        if progress:
            progress(f"sizing {channel.name}", k / len(free))
        depths[channel.name] = _least(tokens, depths, channel, cycles)
    return depths


def _grow(tokens: TokenNetwork, start: Mapping[str, int], free: list[Channel], cycles: int) -> dict[str, int] | None:
    depths = dict(start)
    for _ in range(GROWTHS):
        if keeps_interval(tokens.with_depths(depths), cycles):
            return depths
        if not free:
            return None
        depths |= {c.name: 2 * depths[c.name] for c in free}
    return None


def _least(tokens: TokenNetwork, depths: Mapping[str, int], channel: Channel, cycles: int) -> int:
    low, high = channel.minimum, depths[channel.name]
    while low < high:
        middle = (low + high) // 2
        if keeps_interval(tokens.with_depths({**depths, channel.name: middle}), cycles):
            high = middle
        else:
            low = middle + 1
    return high

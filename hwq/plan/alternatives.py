"""What another style, or none, would come to: worth a line where a plan is larger or slower than need be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hwq.network.graph import Network
from hwq.network.ops import Conv
from hwq.plan.device import Device
from hwq.plan.goal import Goal
from hwq.plan.planner import outlook

__all__ = ["Alternative", "better_styles"]

MOST_WEIGHTS = 1 << 20  # of networks that are priced again
GAIN = 0.95  # of the LUTs; less is within the error
FASTER = 2


@dataclass(frozen=True)
class Alternative:
    """Style ``style`` for all layers (None: that of each left to the planner): ``cycles`` a frame, ``lut`` LUTs, about."""

    style: str | None
    cycles: int
    lut: float


def better_styles(
    network: Network, device: Device, goal: Goal, clock_mhz: float, style: str | None, cycles: int, lut: float
) -> list[Alternative]:
    """Styles better than a plan of ``cycles`` cycles a frame and ``lut`` LUTs that was made in ``style``.

    Better is as fast with fewer LUTs; with a goal, fast enough with fewer LUTs; without one, twice as fast too. From counts: no circuit is
    made. Empty for goals of latency and for networks of more than :data:`MOST_WEIGHTS` weights.
    """
    if sum(n.op.weights.size for n in network.nodes if isinstance(n.op, Conv)) > MOST_WEIGHTS:
        return []
    found = _alternatives(network, device, goal, clock_mhz, ("unrolled", "constant") if style is None else (None,))
    return [a for a in found if _is_better(a, goal, cycles, lut)]


def _alternatives(network: Network, device: Device, goal: Goal, clock_mhz: float, styles: tuple[str | None, ...]) -> Iterator[Alternative]:
    for style in styles:
        found = outlook(network, device, goal, clock_mhz=clock_mhz, style=style, unroll=style is None)
        if found:
            yield Alternative(style, *found)


def _is_better(a: Alternative, goal: Goal, cycles: int, lut: float) -> bool:
    smaller = a.lut < GAIN * lut
    if goal.fps is not None:
        return smaller
    return (smaller and a.cycles <= cycles) or a.cycles * FASTER <= cycles

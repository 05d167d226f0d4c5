"""Which stage of a pipeline every cell stands in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hwq.fabric.levels import depth
from hwq.fabric.netlist import Chain, Lut, Netlist

__all__ = ["StagePlan", "assigned"]

#: Stage of a signal, and its level there.
Place = tuple[int, int]


@dataclass(frozen=True)
class StagePlan:
    """Stage by cell, and how many stages there are."""

    stage_of_cell: tuple[int, ...]
    stages: int


def assigned(netlist: Netlist, levels_per_stage: int | None, stages: int | None) -> StagePlan:
    """As soon as possible. A carry chain is never cut: all of it waits for its latest input, and so does what reads its early outputs."""
    deepest = depth(netlist)
    assert (levels_per_stage is None) != (stages is None), "levels a stage or stages"
    every = levels_per_stage or max(1, -(-deepest // (stages or 1)))
    plan = _placed(netlist, every)
    while stages is not None and plan.stages > stages:
        every += 1
        plan = _placed(netlist, every)
    return StagePlan(plan.stage_of_cell, stages or plan.stages)


def _placed(netlist: Netlist, every: int) -> StagePlan:
    places: dict[int, Place] = {0: (0, 0)}
    places.update((b >> 1, (0, 0)) for bits in netlist.inputs.values() for b in bits)
    found = []
    for cell in netlist.cells:
        if isinstance(cell, Lut):
            stage, level = _latest(places[p >> 1] for p in cell.pins)
            stage, level = (stage, level + 1) if level < every else (stage + 1, 1)
            for output in (cell.o6, cell.o5):
                if output is not None:
                    places[output >> 1] = stage, level
        else:
            assert isinstance(cell, Chain), "slices bring their own registers"
            stage = max(places[b >> 1][0] for b in (*cell.s, *cell.di, cell.ci))
            level = _here(places[cell.ci >> 1], stage)
            for s, di, o, co in zip(cell.s, cell.di, cell.o, cell.co, strict=True):
                level = max(level, _here(places[s >> 1], stage), _here(places[di >> 1], stage))
                places[o >> 1] = places[co >> 1] = stage, level
        found.append(stage)
    return StagePlan(tuple(found), max(found, default=0) + 1)


def _latest(places: Iterable[Place]) -> Place:
    return max(places, default=(0, 0))


def _here(place: Place, stage: int) -> int:
    """Level in ``stage`` of a signal that may come from a flip-flop."""
    return place[1] if place[0] == stage else 0

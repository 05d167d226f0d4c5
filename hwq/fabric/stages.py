"""Which stage of a pipeline every cell stands in."""

from __future__ import annotations

from dataclasses import dataclass

from hwq.fabric.levels import depth, levels
from hwq.fabric.netlist import Chain, Dsp, Lut, Netlist

__all__ = ["StagePlan", "assigned"]


@dataclass(frozen=True)
class StagePlan:
    """Stage by cell, and how many stages there are."""

    stage_of_cell: tuple[int, ...]
    stages: int


def assigned(netlist: Netlist, levels_per_stage: int | None, stages: int | None) -> StagePlan:
    """As soon as possible."""
    deepest = depth(netlist)
    assert (levels_per_stage is None) != (stages is None), "levels a stage or stages"
    if levels_per_stage is None:
        levels_per_stage = -(-deepest // (stages or 1))
    count = stages or max(1, -(-deepest // levels_per_stage))
    found = levels(netlist)
    stage = [0] * len(netlist.cells)
    for k, cell in enumerate(netlist.cells):
        stage[k] = max(0, max(found[b >> 1] for b in _made(cell)) - 1) // levels_per_stage
    return StagePlan(tuple(stage), count)


def _made(cell: Lut | Chain | Dsp) -> list[int]:
    if isinstance(cell, Lut):
        return [cell.o6] if cell.o5 is None else [cell.o6, cell.o5]
    assert isinstance(cell, Chain)
    return [*cell.o, *cell.co]

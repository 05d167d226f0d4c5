"""Which stage of a pipeline every cell stands in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hwq.fabric.levels import depth
from hwq.fabric.netlist import Chain, Lut, Netlist, essential

__all__ = ["StagePlan", "assigned"]

#: Stage of a signal, and its level there.
Place = tuple[int, int]


@dataclass(frozen=True)
class StagePlan:
    """Stage by cell, and how many stages there are."""

    stage_of_cell: tuple[int, ...]
    stages: int


def assigned(netlist: Netlist, levels_per_stage: int | None, stages: int | None) -> StagePlan:
    """As soon as possible. A carry chain is never cut: all of it waits for its latest input, and so does what reads its early outputs.

    LUTs that only serve a chain stand in its stage, for they share its sites.
    """
    deepest = depth(netlist)
    assert (levels_per_stage is None) != (stages is None), "levels a stage or stages"
    every = levels_per_stage or max(1, -(-deepest // (stages or 1)))
    plan = _Placing(netlist, every).plan()
    while stages is not None and plan.stages > stages:
        every += 1
        plan = _Placing(netlist, every).plan()
    return StagePlan(plan.stage_of_cell, stages or plan.stages)


class _Placing:
    """One pass over the cells, ``every`` levels a stage."""

    def __init__(self, netlist: Netlist, every: int) -> None:
        self.netlist, self.every = netlist, every
        self.places: dict[int, Place] = {b >> 1: (0, 0) for bits in ((0,), *netlist.inputs.values()) for b in bits}
        self.found = [0] * len(netlist.cells)
        self.served = _served(netlist)

    def plan(self) -> StagePlan:
        for k, cell in enumerate(self.netlist.cells):
            if isinstance(cell, Lut):
                self._lut(k, cell)
            else:
                assert isinstance(cell, Chain), "slices bring their own registers"
                self._chain(k, cell)
        return StagePlan(tuple(self.found), max(self.found, default=0) + 1)

    def _lut(self, k: int, lut: Lut, stage: int | None = None) -> None:
        """In the stage of the latest pin, or the next if that is full; or in a given one."""
        if stage is None:
            at, level = max((self.places[p >> 1] for p in lut.pins), default=(0, 0))
            stage = at + (level >= self.every)
        self.found[k] = stage
        self.places[lut.o6 >> 1] = stage, 1 + self._level(lut.pins, stage)
        if lut.o5 is not None:
            self.places[lut.o5 >> 1] = stage, 1 + self._level(essential(lut.init & 0xFFFFFFFF, lut.pins[:5])[1], stage)

    def _chain(self, k: int, chain: Chain) -> None:
        """With the LUTs that serve it, or after them if they are too deep for a stage (a majority passed on)."""
        pins = (*chain.s, *chain.di, chain.ci)
        stage = max(self.places[b >> 1][0] for b in pins)
        if any(self._settled(k, chain, s, together=True) for s in (stage, stage + 1)):
            return
        for lut in self.served[k]:
            self._lut(lut, self._lut_at(lut))
        stage = max(self.places[b >> 1][0] for b in pins)
        assert self._settled(k, chain, stage, together=False)

    def _lut_at(self, k: int) -> Lut:
        cell = self.netlist.cells[k]
        assert isinstance(cell, Lut)
        return cell

    def _settled(self, k: int, chain: Chain, stage: int, together: bool) -> bool:
        """Whether a chain, and the LUTs that serve it, have room in a stage; they are placed there."""
        for lut in self.served[k] if together else ():
            self._lut(lut, self._lut_at(lut), stage)
        level = self._level((chain.ci,), stage)
        for s, di, o, co in zip(chain.s, chain.di, chain.o, chain.co, strict=True):
            level = max(level, self._level((s, di), stage))
            self.places[o >> 1] = self.places[co >> 1] = stage, level
        self.found[k] = stage
        return level <= self.every

    def _level(self, pins: Iterable[int], stage: int) -> int:
        """The highest level in ``stage`` of signals that may come from flip-flops."""
        return max((level for at, level in (self.places[p >> 1] for p in pins) if at == stage), default=0)


def _served(netlist: Netlist) -> dict[int, list[int]]:
    """LUTs by chain whose outputs nothing but the chain and such LUTs read, in the netlist's order."""
    maker = {o >> 1: k for k, c in enumerate(netlist.cells) if isinstance(c, Lut) for o in (c.o6, c.o5) if o is not None}
    readers: dict[int, set[int]] = {}
    for k, cell in enumerate(netlist.cells):
        for pin in cell.pins if isinstance(cell, Lut) else (*cell.s, *cell.di, cell.ci) if isinstance(cell, Chain) else ():
            readers.setdefault(pin >> 1, set()).add(k)
    for bits in netlist.outputs.values():
        for bit in bits:
            readers.setdefault(bit >> 1, set()).add(-1)
    made: dict[int, set[int]] = {}
    for signal, k in maker.items():
        made.setdefault(k, set()).update(readers.get(signal, ()))
    found: dict[int, list[int]] = {}
    for k, cell in enumerate(netlist.cells):
        if isinstance(cell, Chain):
            luts = {maker[s >> 1] for s in cell.s if s >> 1 in maker}
            while any(not made[j] <= {k, *luts} for j in luts):
                luts = {j for j in luts if made[j] <= {k, *luts}}
            found[k] = sorted(luts)
    return found

"""Complements out of the outputs of a circuit, into the truth tables behind them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from hwq.fabric.netlist import FALSE, TRUE, Chain, Dsp, Lut, Netlist, inverted

__all__ = ["plain_outputs"]


def plain_outputs(netlist: Netlist) -> Netlist:
    """The same circuit with as few inverted output bits as truth tables can absorb; each would cost an inverter at the port.

    A LUT's output is complemented, through the flip-flops behind it, where all its readers can take that: LUTs and outputs, no
    carry pins. Flip-flops hold the complement then: those of free-running pipelines, whose start has no meaning.
    """
    circuit = _Readers(netlist)
    flips: set[int] = set()
    for bits in netlist.outputs.values():
        for bit in bits:
            if inverted(bit) and bit != TRUE and bit >> 1 not in flips:
                group = circuit.together(bit >> 1)
                if group and group.isdisjoint(flips) and circuit.gain(group) > 0:
                    flips |= group
    return _flipped(netlist, flips) if flips else netlist


class _Readers:
    """Who drives and who reads every signal."""

    def __init__(self, netlist: Netlist) -> None:
        self.netlist = netlist
        self.made: dict[int, Lut] = {}
        self.luts: dict[int, list[Lut]] = defaultdict(list)
        self.fixed: set[int] = {b >> 1 for bits in netlist.inputs.values() for b in bits}
        for cell in netlist.cells:
            if isinstance(cell, Lut):
                self.made.update((b >> 1, cell) for b in (cell.o6, cell.o5) if b is not None)
                for pin in cell.pins:
                    self.luts[pin >> 1].append(cell)
            else:
                self.fixed.update(b >> 1 for b in _pins(cell))
        self.fixed.update(b >> 1 for f in netlist.flops for b in (f.enable, f.reset))
        self.fixed.update(f.q >> 1 for f in netlist.flops if (f.enable, f.reset) != (TRUE, FALSE))
        self.held = {f.q >> 1: f.d >> 1 for f in netlist.flops}
        self.next: dict[int, list[int]] = defaultdict(list)
        for q, d in self.held.items():
            self.next[d].append(q)

    def together(self, signal: int) -> set[int]:
        """Signals that must be complemented with ``signal``: its line of flip-flops; empty if one of them cannot."""
        found: set[int] = set()
        open_ = [signal]
        while open_:
            here = open_.pop()
            if here in found:
                continue
            found.add(here)
            open_ += self.next[here] + ([self.held[here]] if here in self.held else [])
            if here in self.fixed or not self._can(here):
                return set()
        return found

    def gain(self, group: set[int]) -> int:
        """Output bits that become plain, less those that become inverted."""
        return sum((1 if inverted(b) else -1) for bits in self.netlist.outputs.values() for b in bits if b >> 1 in group)

    def _can(self, signal: int) -> bool:
        lut = self.made.get(signal)
        if lut is None and signal not in self.held:
            return False
        if lut is not None and lut.o5 is not None and lut.pins[5] != TRUE:
            return False
        return not any(reader.o5 is not None and reader.pins[5] >> 1 == signal for reader in self.luts[signal])


def _pins(cell: Chain | Dsp) -> list[int]:
    if isinstance(cell, Chain):
        return [*cell.s, *cell.di, cell.ci, *cell.o, *cell.co]
    return [b for _, bits in (*cell.inputs, *cell.outputs) for b in bits]


def _flipped(netlist: Netlist, flips: set[int]) -> Netlist:
    cells = [_lut(cell, flips) if isinstance(cell, Lut) else cell for cell in netlist.cells]
    outputs = {name: tuple(b ^ (b >> 1 in flips) for b in bits) for name, bits in netlist.outputs.items()}
    return Netlist(netlist.name, dict(netlist.inputs), outputs, cells, list(netlist.flops), netlist.signals)


def _lut(lut: Lut, flips: set[int]) -> Lut:
    """The LUT with complemented pins and outputs absorbed."""
    size = 1 << len(lut.pins)
    swap = sum(1 << k for k, pin in enumerate(lut.pins) if pin >> 1 in flips)
    init = sum((lut.init >> (i ^ swap) & 1) << i for i in range(size)) if swap else lut.init
    if lut.o5 is None:
        return replace(lut, init=init ^ ((1 << size) - 1 if lut.o6 >> 1 in flips else 0))
    low, high = (1 << 32) - 1, ((1 << 32) - 1) << 32
    return replace(lut, init=init ^ (high if lut.o6 >> 1 in flips else 0) ^ (low if lut.o5 >> 1 in flips else 0))

"""Loads of a signal in a netlist: pins of cells and flip-flops that it drives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from hwq.fabric.netlist import TRUE, Chain, Lut, Netlist

__all__ = ["fanout"]


def fanout(netlist: Netlist) -> int:
    """The most pins that an input or a cell's output drives; output ports count as one load each, the clock as none."""
    loads = Counter(bit >> 1 for bit in _read(netlist) if bit > TRUE)
    return max(loads.values(), default=0)


def _read(netlist: Netlist) -> Iterator[int]:
    for cell in netlist.cells:
        if isinstance(cell, Lut):
            yield from cell.pins
        elif isinstance(cell, Chain):
            yield from (*cell.s, *cell.di, cell.ci)
        else:
            yield from (bit for _, bits in cell.inputs for bit in bits)
    for flop in netlist.flops:
        yield from (flop.d, flop.enable, flop.reset)
    for bits in netlist.outputs.values():
        yield from bits

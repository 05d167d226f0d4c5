"""Loads of a signal in a netlist: pins of cells and flip-flops that it drives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from hwq.fabric.netlist import TRUE, Chain, Lut, Netlist

__all__ = ["fanout", "loads"]


def fanout(netlist: Netlist) -> int:
    """The most pins that an input or a cell's output drives; output ports count as one load each, the clock as none."""
    found = Counter(bit >> 1 for bit in loads(netlist) if bit > TRUE)
    return max(found.values(), default=0)


def loads(netlist: Netlist) -> Iterator[int]:
    """The literal at every pin of a cell, flip-flop or output."""
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

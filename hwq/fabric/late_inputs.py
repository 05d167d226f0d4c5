"""Delays at the inputs of a circuit taken out: what comes late from elsewhere needs none."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from hwq.fabric.netlist import FALSE, TRUE, Chain, Dsp, Flop, Lut, Netlist

__all__ = ["late_inputs"]


def late_inputs(netlist: Netlist, ports: Collection[str]) -> Netlist:
    """The circuit without the flip-flops that only delay the bits of ``ports``: these inputs come as many cycles later.

    A bit is followed through plain flip-flops as long as one of them is all that reads it. The caller knows how many there are.
    """
    moved: dict[int, int] = {}
    for port in ports:
        for bit in netlist.inputs[port]:
            end = _end(netlist, bit)
            if end != bit:
                moved[bit >> 1] = end >> 1
    gone = {signal for first, last in moved.items() for signal in _between(netlist, first, last)}
    inputs = {name: tuple(2 * moved.get(b >> 1, b >> 1) for b in bits) for name, bits in netlist.inputs.items()}
    return replace(netlist, inputs=inputs, flops=[f for f in netlist.flops if f.q >> 1 not in gone])


def _end(netlist: Netlist, bit: int) -> int:
    while (flop := _only_reader(netlist, bit)) is not None:
        bit = flop.q
    return bit


def _between(netlist: Netlist, first: int, last: int) -> list[int]:
    """Signals of the flip-flops behind ``first`` up to ``last``."""
    found = []
    while first != last:
        flop = _only_reader(netlist, 2 * first)
        assert flop is not None
        first = flop.q >> 1
        found.append(first)
    return found


def _only_reader(netlist: Netlist, bit: int) -> Flop | None:
    """The plain flip-flop that is all that reads ``bit``, or None."""
    readers = [f for f in netlist.flops if bit >> 1 in (f.d >> 1, f.enable >> 1, f.reset >> 1)]
    elsewhere = any(bit >> 1 in {p >> 1 for p in _pins(cell)} for cell in netlist.cells)
    leaves = any(bit >> 1 == b >> 1 for bits in netlist.outputs.values() for b in bits)
    if len(readers) != 1 or elsewhere or leaves:
        return None
    flop = readers[0]
    return flop if (flop.d, flop.enable, flop.reset) == (bit, TRUE, FALSE) else None


def _pins(cell: Lut | Chain | Dsp) -> tuple[int, ...]:
    if isinstance(cell, Lut):
        return cell.pins
    if isinstance(cell, Chain):
        return (*cell.s, *cell.di, cell.ci)
    return tuple(b for _, bits in cell.inputs for b in bits)

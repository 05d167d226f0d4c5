"""Logic levels of a netlist: LUTs (and the carry chains behind them) between flip-flops."""

from __future__ import annotations

from hwq.fabric.netlist import Chain, Dsp, Lut, Netlist
from hwq.fabric.slices import combinational_ports

__all__ = ["depth", "levels"]


def levels(netlist: Netlist) -> list[int]:
    """Level of every signal (by signal number): inputs and flip-flops 0, a LUT one more than its latest pin that matters.

    A carry chain and a slice add none of their own: a chain's outputs stand at the latest S, DI or CI below them, a slice's at the
    latest input that reaches them without a register.
    """
    found = [0] * netlist.signals
    for cell in netlist.cells:
        if isinstance(cell, Lut):
            found[cell.o6 >> 1] = 1 + max(found[p >> 1] for p in cell.pins)
            if cell.o5 is not None:
                matter = [p for k, p in enumerate(cell.pins[:5]) if _matters(cell.init & 0xFFFFFFFF, k)]
                found[cell.o5 >> 1] = 1 + max((found[p >> 1] for p in matter), default=0)
        elif isinstance(cell, Chain):
            late = found[cell.ci >> 1]
            for s, di, o, co in zip(cell.s, cell.di, cell.o, cell.co, strict=True):
                late = max(late, found[s >> 1], found[di >> 1])
                found[o >> 1] = found[co >> 1] = late
        else:
            passing = combinational_ports(cell)
            late = max((found[b >> 1] for port, bits in cell.inputs if port in passing for b in bits), default=0)
            for _, bits in cell.outputs:
                for b in bits:
                    found[b >> 1] = late
    return found


def depth(netlist: Netlist) -> int:
    """The most levels between an input, flip-flop or slice and an output, flip-flop or slice."""
    found = levels(netlist)
    ends = [b for bits in netlist.outputs.values() for b in bits] + [b for f in netlist.flops for b in (f.d, f.enable, f.reset)]
    ends += [b for cell in netlist.cells if isinstance(cell, Dsp) for _, bits in cell.inputs for b in bits]
    return max((found[b >> 1] for b in ends), default=0)


def _matters(table: int, k: int) -> bool:
    """Whether a function of five bits depends on bit ``k``."""
    return any((table >> i ^ table >> (i ^ (1 << k))) & 1 for i in range(32))

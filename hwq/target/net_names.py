"""Names of the nets of a netlist that tell where they stand: in which cycle, in which chain, behind which port."""

from __future__ import annotations

from collections.abc import Iterable

from hwq.fabric.netlist import Chain, Dsp, Lut, Netlist

__all__ = ["CONTROL", "net_names", "stages"]

#: Inputs that come later than the operands: they say nothing about the cycle of what they meet.
CONTROL = ("valid", "first")


def stages(netlist: Netlist) -> dict[int, int]:
    """Cycles from the operands to each signal, by its number: registers on the shortest way from any input but :data:`CONTROL`.

    In a pipeline every way is as long; an accumulator counts once. Signals behind arithmetic slices have none.
    """
    found = {bit >> 1: 0 for port, bits in netlist.inputs.items() if port not in CONTROL for bit in bits}
    moved = True
    while moved:
        for cell in netlist.cells:
            for inputs, output in _arcs(cell):
                _lower(found, output, inputs, 0)
        moved = False
        for flop in netlist.flops:
            moved |= _lower(found, flop.q >> 1, (flop.d,), 1)
    return found


def _arcs(cell: Lut | Chain | Dsp) -> Iterable[tuple[tuple[int, ...], int]]:
    """Inputs and output of every function of a cell, a carry position the inputs of its own and the carry."""
    if isinstance(cell, Lut):
        yield cell.pins, cell.o6 >> 1
        if cell.o5 is not None:
            yield cell.pins[:5], cell.o5 >> 1
    elif isinstance(cell, Chain):
        carry = cell.ci
        for s, di, o, co in zip(cell.s, cell.di, cell.o, cell.co, strict=True):
            yield (s, carry), o >> 1
            yield (s, di, carry), co >> 1
            carry = co


def _lower(found: dict[int, int], signal: int, inputs: tuple[int, ...], cycles: int) -> bool:
    least = min((found[bit >> 1] for bit in inputs if bit >> 1 in found), default=None)
    if least is None or found.get(signal, least + cycles + 1) <= least + cycles:
        return False
    found[signal] = least + cycles
    return True


def net_names(netlist: Netlist) -> dict[int, str]:
    """Names by signal number, the inputs and the constant included.

    ``s2_...``: what it is of operands two cycles ago. ``total_3``: the register of bit 3 of output ``total``; ``r45``: another
    register; ``sum6_3``, ``carry6_3``: O and CO of position 3 of chain 6; ``n45``: a LUT.
    """
    names = {signal: f"n{signal}" for signal in range(netlist.signals)}
    names |= {flop.q >> 1: f"r{flop.q >> 1}" for flop in netlist.flops}
    registers = {flop.q for flop in netlist.flops}
    for port, bits in netlist.outputs.items():
        names |= {bit >> 1: f"{port}_{k}" for k, bit in enumerate(bits) if bit in registers}
    for number, cell in enumerate(c for c in netlist.cells if isinstance(c, Chain)):
        names |= {bit >> 1: f"{kind}{number}_{k}" for kind, own in (("sum", cell.o), ("carry", cell.co)) for k, bit in enumerate(own)}
    if netlist.flops:
        names |= {signal: f"s{stage}_{names[signal]}" for signal, stage in stages(netlist).items()}
    names[0] = "1'b0"
    for port, bits in netlist.inputs.items():
        names |= {bit >> 1: f"{port}[{k}]" if len(bits) > 1 else port for k, bit in enumerate(bits)}
    return names

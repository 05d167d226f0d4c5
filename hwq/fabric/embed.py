"""A circuit as a part of another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hwq.fabric.netlist import FALSE, TRUE, Chain, Dsp, Flop, Lut, Netlist, inverted

__all__ = ["delayed", "embed"]


def embed(netlist: Netlist, part: Netlist, inputs: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """Copies ``part`` into ``netlist``, its ports joined to ``inputs`` (plain signals or constants); its outputs by port."""
    own = {FALSE: FALSE}
    for name, bits in part.inputs.items():
        for bit, given in zip(bits, inputs[name], strict=True):
            assert not inverted(given) or given == TRUE, f"a complement enters {name}"
            own[bit] = given

    def new(bit: int) -> int:
        own[bit] = netlist.signal()
        return own[bit]

    def here(bit: int) -> int:
        return own[bit & ~1] ^ (bit & 1)

    flops = [(f, new(f.q)) for f in part.flops]
    for cell in part.cells:
        if isinstance(cell, Lut):
            pins = tuple(here(p) for p in cell.pins)
            netlist.cells.append(Lut(cell.init, pins, new(cell.o6), None if cell.o5 is None else new(cell.o5)))
        elif isinstance(cell, Chain):
            s, di = (tuple(here(p) for p in pins) for pins in (cell.s, cell.di))
            netlist.cells.append(Chain(s, di, here(cell.ci), tuple(new(b) for b in cell.o), tuple(new(b) for b in cell.co)))
        else:
            ports = tuple((port, tuple(here(b) for b in bits)) for port, bits in cell.inputs)
            made = tuple((port, tuple(new(b) for b in bits)) for port, bits in cell.outputs)
            netlist.cells.append(Dsp(cell.model, cell.parameters, ports, made))
    netlist.flops.extend(Flop(here(f.d), q, here(f.enable), here(f.reset)) for f, q in flops)
    return {name: [here(b) for b in bits] for name, bits in part.outputs.items()}


def delayed(netlist: Netlist, bits: Sequence[int], cycles: int) -> list[int]:
    """The bits ``cycles`` later, through flip-flops."""
    found = list(bits)
    for _ in range(cycles):
        found = [netlist.flop(b) for b in found]
    return found

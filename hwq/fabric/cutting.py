"""A combinational circuit cut at given stages."""

from __future__ import annotations

from collections.abc import Sequence

from hwq.fabric.netlist import Chain, Lut, Netlist

__all__ = ["cut"]


def cut(netlist: Netlist, stage_of_cell: Sequence[int], stages: int, first: int = 0) -> Netlist:
    """The circuit with every cell in its stage and outputs after ``stages`` stages; ``first``: flip-flop ranks at the inputs."""
    made = Netlist(netlist.name)
    lines: dict[int, list[int]] = {0: [0]}
    born = {0: 0}

    def at(bit: int, stage: int) -> int:
        """The literal as it stands in a stage: behind as many flip-flops as stages have passed since it was made."""
        if bit <= 1:
            return bit
        line = lines[bit >> 1]
        assert stage >= born[bit >> 1], "a cell stands before what it reads"
        while len(line) <= stage - born[bit >> 1]:
            line.append(made.flop(line[-1]))
        return line[stage - born[bit >> 1]] ^ (bit & 1)

    def new(bit: int, stage: int) -> int:
        lines[bit >> 1], born[bit >> 1] = [made.signal()], stage
        return lines[bit >> 1][0]

    for name, bits in netlist.inputs.items():
        for bit, own in zip(bits, made.input(name, len(bits)), strict=True):
            lines[bit >> 1], born[bit >> 1] = [own], -first
    for cell, stage in zip(netlist.cells, stage_of_cell, strict=True):
        if isinstance(cell, Lut):
            pins = tuple(at(p, stage) for p in cell.pins)
            made.cells.append(Lut(cell.init, pins, new(cell.o6, stage), None if cell.o5 is None else new(cell.o5, stage)))
        else:
            assert isinstance(cell, Chain), "slices bring their own registers"
            s, di = (tuple(at(p, stage) for p in pins) for pins in (cell.s, cell.di))
            o, co = (tuple(new(p, stage) for p in pins) for pins in (cell.o, cell.co))
            made.cells.append(Chain(s, di, at(cell.ci, stage), o, co))
    for name, bits in netlist.outputs.items():
        made.output(name, [at(b, stages) for b in bits])
    return made

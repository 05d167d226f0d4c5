"""Netlists as SMT terms: what their outputs are in all cycles after the latency, the operands held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import z3

from hwq.fabric.netlist import Chain, Dsp, Lut, Netlist


def outputs_of(netlist: Netlist, inputs: Mapping[str, z3.BitVecRef]) -> dict[str, z3.BitVecRef]:
    """Outputs as functions of the inputs, flip-flops as wires: the meaning of a feed-forward circuit. Slices: products and sums."""
    known: dict[int, z3.BoolRef] = {0: z3.BoolVal(False)}
    for name, bits in netlist.inputs.items():
        for k, bit in enumerate(bits):
            known[bit] = z3.Extract(k, k, inputs[name]) == 1

    def at(literal: int) -> z3.BoolRef:
        value = known[literal & ~1]
        return z3.Not(value) if literal & 1 else value

    # Cells and flip-flops in an order in which every operand is known.
    waiting: list[object] = [*netlist.cells, *netlist.flops]
    while waiting:
        later = []
        for cell in waiting:
            if all(b & ~1 in known for b in _read(cell)):
                _evaluate(cell, known, at)
            else:
                later.append(cell)
        assert len(later) < len(waiting), "a loop"
        waiting = later
    return {name: _word([at(b) for b in bits]) for name, bits in netlist.outputs.items()}


def _read(cell) -> list[int]:
    if isinstance(cell, Lut):
        return list(cell.pins)
    if isinstance(cell, Chain):
        return [*cell.s, *cell.di, cell.ci]
    if isinstance(cell, Dsp):
        return [b for _, bits in cell.inputs for b in bits]
    return [cell.d, cell.enable, cell.reset]


def _evaluate(cell, known: dict[int, z3.BoolRef], at) -> None:
    if isinstance(cell, Lut):
        known[cell.o6] = _table(cell.init, [at(p) for p in cell.pins])
        if cell.o5 is not None:
            known[cell.o5] = _table(cell.init & 0xFFFFFFFF, [at(p) for p in cell.pins[:5]])
    elif isinstance(cell, Chain):
        carry = at(cell.ci)
        for s, di, o, co in zip(cell.s, cell.di, cell.o, cell.co, strict=True):
            known[o] = z3.Xor(at(s), carry)
            carry = known[co] = z3.If(at(s), carry, at(di))
    elif isinstance(cell, Dsp):
        use, ports = dict(cell.parameters), {name: _word([at(b) for b in bits]) for name, bits in cell.inputs}
        assert use["USE_MULT"] == "MULTIPLY"
        assert use["W"] == use["SUBTRACT"] == use["PREADD"] == 0
        product = z3.SignExt(21, z3.Extract(26, 0, ports["a"])) * z3.SignExt(30, ports["b"])
        z = {0: z3.BitVecVal(0, 48), 1: ports["pcin"], 3: ports["c"], 4: ports["pcin"] >> 17}[use["Z"]]
        for _, bits in cell.outputs:
            for k, bit in enumerate(bits):
                known[bit] = z3.Extract(k, k, z + product) == 1
    else:
        assert cell.enable == 1
        assert cell.reset == 0
        known[cell.q] = at(cell.d)


def _table(init: int, pins: Sequence[z3.BoolRef]) -> z3.BoolRef:
    if not pins:
        return z3.BoolVal(bool(init & 1))
    half = 1 << (len(pins) - 1)
    low, high = init & ((1 << half) - 1), init >> half & ((1 << half) - 1)
    if low == high:
        return _table(low, pins[:-1])
    if low ^ high == (1 << half) - 1:
        return z3.Xor(pins[-1], _table(low, pins[:-1]))
    return z3.If(pins[-1], _table(high, pins[:-1]), _table(low, pins[:-1]))


def _word(bits: Sequence[z3.BoolRef]) -> z3.BitVecRef:
    word = [z3.If(b, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1)) for b in reversed(bits)]
    return z3.Concat(*word) if len(word) > 1 else word[0]

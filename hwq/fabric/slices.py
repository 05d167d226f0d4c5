"""What the arithmetic slices of a netlist compute, by model: their outputs in a cycle, and their registers after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.fabric.dsp48e2 import MODEL
from hwq.fabric.netlist import Dsp

__all__ = ["State", "combinational_ports", "evaluate_slice", "initial_state", "port_cycles"]

#: Values of a slice's registers, by name, one a stimulus.
State = dict[str, NDArray]

REGISTERS = ("a1", "a2", "b1", "b2", "c1", "d1", "ad1", "m1", "p1", "restart1")
WORD = (1 << 48) - 1


def initial_state(cell: Dsp, stimuli: int) -> State:
    """All registers at 0."""
    assert cell.model == MODEL, cell.model
    return {name: np.zeros(stimuli, np.int64) for name in REGISTERS}


def evaluate_slice(cell: Dsp, inputs: Mapping[str, NDArray], state: State) -> tuple[dict[str, NDArray], State]:
    """Outputs of a slice in this cycle and its registers in the next, from its inputs (unsigned numbers by port) and registers.

    The meaning of :class:`hwq.fabric.dsp48e2.Slice48`.
    """
    assert cell.model == MODEL, cell.model
    use = dict(cell.parameters)
    after = dict(state)
    a, after["a1"], after["a2"] = _delayed(use["A_REGS"], inputs["a"], state, "a")
    b, after["b1"], after["b2"] = _delayed(use["B_REGS"], inputs["b"], state, "b")
    c, d, again = (
        state[q] if use[reg] else inputs[port]
        for port, q, reg in (("c", "c1", "C_REG"), ("d", "d1", "D_REG"), ("restart", "restart1", "CONTROL_REG"))
    )
    after |= {"c1": inputs["c"], "d1": inputs["d"], "restart1": inputs["restart"]}
    after["ad1"] = (a, d + a, d - a)[int(use["PREADD"])] & ((1 << 27) - 1)
    after["m1"] = _signed(state["ad1"] if use["AD_REG"] else after["ad1"], 27) * _signed(b, 18)
    product = state["m1"] if use["M_REG"] else after["m1"]
    xy = product & WORD if use["USE_MULT"] == "MULTIPLY" else (a << 18) | b
    total = _alu(use, xy, inputs["pcin"], c, state["p1"], again.astype(bool))
    after["p1"] = np.where(inputs["ce"].astype(bool), total, state["p1"])
    p = state["p1"] if use["P_REG"] else total
    return {"p": p, "pcout": p}, after


def _alu(use: dict[str, Any], xy: NDArray, pcin: NDArray, c: NDArray, last: NDArray, again: NDArray) -> NDArray:
    nothing = np.zeros_like(last)
    kept = np.where(again, nothing, last)
    z = {0: nothing, 1: pcin, 2: kept, 3: c, 4: (_signed(pcin, 48) >> 17) & WORD}[use["Z"]]
    w = {0: nothing, 1: kept, 3: c, 4: np.where(again, c, last)}[use["W"]]
    lanes = {"ONE48": 1, "TWO24": 2, "FOUR12": 4}[use["USE_SIMD"]]
    size = 48 // lanes
    mask = (1 << size) - 1
    total = nothing
    for at in range(0, 48, size):
        terms = (xy >> at & mask) + (w >> at & mask)
        field = (z >> at & mask) - terms if use["SUBTRACT"] else (z >> at & mask) + terms
        total = total | (field & mask) << at
    return total


def _delayed(stages: int | str, value: NDArray, state: State, name: str) -> tuple[NDArray, NDArray, NDArray]:
    first, second = state[f"{name}1"], state[f"{name}2"]
    return (value, first, second)[int(stages)], value, first


def _signed(value: NDArray, bits: int) -> NDArray:
    return ((value & ((1 << bits) - 1)) ^ (1 << (bits - 1))) - (1 << (bits - 1))


def combinational_ports(cell: Dsp) -> frozenset[str]:
    """Input ports from which a path without a register leads to the outputs."""
    return frozenset(port for port, cycles in port_cycles(cell).items() if not cycles)


def port_cycles(cell: Dsp) -> dict[str, int]:
    """Registers between each input port that is read and the outputs; the way from ``p`` back to itself not counted."""
    use = {name: int(value) for name, value in cell.parameters if isinstance(value, int)}
    last = use["P_REG"]
    product = use["M_REG"] + last
    multiplied = use["AD_REG"] + product
    found = {"a": use["A_REGS"] + multiplied, "b": use["B_REGS"] + product, "c": use["C_REG"] + last, "restart": use["CONTROL_REG"] + last}
    found |= {"d": use["D_REG"] + multiplied} if use["PREADD"] else {}
    found |= {"pcin": last} if use["Z"] in (1, 4) else {}
    return found | ({"ce": last} if last else {})

"""A netlist's meaning: bit-parallel evaluation with numpy, cycle by cycle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hwq.fabric.netlist import Chain, Dsp, Lut, Netlist
from hwq.fabric.slices import State, evaluate_slice, initial_state

__all__ = ["Simulator", "evaluate"]

Bits = NDArray[np.bool_]


class Simulator:
    """Runs ``netlist`` for many independent stimuli at once.

    Ports are integers of any width, one a stimulus (object or int64 arrays of shape (n,)); flip-flops start at 0.
    """

    def __init__(self, netlist: Netlist, stimuli: int) -> None:
        self.netlist, self.stimuli = netlist, stimuli
        self._values: list[Bits] = [np.zeros(stimuli, bool)] * netlist.signals
        self._slices: dict[int, State] = {k: initial_state(c, stimuli) for k, c in enumerate(netlist.cells) if isinstance(c, Dsp)}

    def bit(self, literal: int) -> Bits:
        """Values of a literal in the cycle last evaluated."""
        value = self._values[literal >> 1]
        return ~value if literal & 1 else value

    def cycle(self, inputs: Mapping[str, Sequence[int] | NDArray]) -> dict[str, NDArray]:
        """Outputs in this cycle, with ``inputs`` applied; then the clock ticks."""
        for name, bits in self.netlist.inputs.items():
            values = np.asarray(inputs[name])
            for k, bit in enumerate(bits):
                self._values[bit >> 1] = ((values >> k) & 1).astype(bool)
        slices_after = {}
        for k, cell in enumerate(self.netlist.cells):
            if isinstance(cell, Dsp):
                slices_after[k] = self._slice(cell, self._slices[k])
            else:
                self._evaluate(cell)
        found = {name: _number([self.bit(b) for b in bits], self.stimuli) for name, bits in self.netlist.outputs.items()}
        after = [(f.q, np.where(self.bit(f.enable), self.bit(f.d), self.bit(f.q)) & ~self.bit(f.reset)) for f in self.netlist.flops]
        for q, value in after:
            self._values[q >> 1] = value
        self._slices = slices_after
        return found

    def _evaluate(self, cell: Lut | Chain) -> None:
        if isinstance(cell, Lut):
            self._lut(cell)
        else:
            carry = self.bit(cell.ci)
            for s, di, o, co in zip(cell.s, cell.di, cell.o, cell.co, strict=True):
                select = self.bit(s)
                self._values[o >> 1] = select ^ carry
                carry = np.where(select, carry, self.bit(di))
                self._values[co >> 1] = carry

    def _slice(self, cell: Dsp, state: State) -> State:
        ports = {name: _number([self.bit(b) for b in bits], self.stimuli) for name, bits in cell.inputs}
        results, after = evaluate_slice(cell, ports, state)
        for name, bits in cell.outputs:
            for k, bit in enumerate(bits):
                self._values[bit >> 1] = ((results[name] >> k) & 1).astype(bool)
        return after

    def _lut(self, lut: Lut) -> None:
        index = np.zeros(self.stimuli, np.uint8)
        for k, pin in enumerate(lut.pins):
            index |= self.bit(pin).astype(np.uint8) << k
        table = np.array([(lut.init >> i) & 1 for i in range(64)], bool)
        self._values[lut.o6 >> 1] = table[index]
        if lut.o5 is not None:
            self._values[lut.o5 >> 1] = table[index & 31]


def evaluate(netlist: Netlist, inputs: Mapping[str, Sequence[int] | NDArray], cycles: int = 0) -> dict[str, NDArray]:
    """Outputs after ``cycles`` clock ticks with constant ``inputs``."""
    simulator = Simulator(netlist, len(next(iter(inputs.values()))))
    for _ in range(cycles):
        simulator.cycle(inputs)
    return simulator.cycle(inputs)


def _number(bits: Sequence[Bits], stimuli: int) -> NDArray:
    if len(bits) <= 62:
        return sum((b.astype(np.int64) << k for k, b in enumerate(bits)), np.zeros(stimuli, np.int64))
    return sum((b.astype(object) * (1 << k) for k, b in enumerate(bits)), np.zeros(stimuli, object))

"""The saturating accumulator by induction: from any state one step is what the Network says."""

from __future__ import annotations

import numpy as np
import pytest
import z3

from hwq.fabric.levels import depth
from hwq.fabric.netlist import Chain, Lut, Netlist
from hwq.fabric.saturation import clipped, saturating_accumulator
from hwq.fabric.simulate import Simulator, evaluate
from hwq.fabric.sites import sites_of
from hwq.network.ops import Saturating
from tests.fabric.prover import Circuit, Unproven, always, symbols


def word(formulas: list[z3.BoolRef], width: int) -> z3.BitVecRef:
    """Two's complement number of formulas, sign-extended."""
    bits = [z3.If(f, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1)) for f in formulas]
    return z3.SignExt(width - len(bits), z3.Concat(*reversed(bits)) if len(bits) > 1 else bits[0])


def circuit_of(bits: int, addend: int) -> Netlist:
    netlist = Netlist()
    step, (valid,), (first,) = netlist.input("addend", addend), netlist.input("valid", 1), netlist.input("first", 1)
    netlist.output("total", saturating_accumulator(netlist, step, bits, valid, first))
    return netlist


def prove(netlist: Netlist, bits: int) -> None:
    """Whatever the registers hold, the next total is the clipped sum of this one and the addend; it is in range at all times."""
    sat, wide = Saturating(bits, 1), max(bits, len(netlist.inputs["addend"])) + 3
    circuit = Circuit(netlist)
    known = symbols([*(b for port in netlist.inputs.values() for b in port), *(f.q for f in netlist.flops)])
    (valid,), (first,) = netlist.inputs["valid"], netlist.inputs["first"]
    total = netlist.outputs["total"]
    now = circuit.meaning(known, [*total, *(f.d for f in netlist.flops)])
    after = {f.q >> 1: z3.If(known[valid >> 1], now[f.d], known[f.q >> 1]) for f in netlist.flops}
    assert all(f.enable == valid for f in netlist.flops)
    then = circuit.meaning({**known, **after}, total)
    before, result = word([now[b] for b in total], wide), word([then[b] for b in total], wide)
    added = z3.If(known[first >> 1], z3.BitVecVal(0, wide), before) + word([known[b >> 1] for b in netlist.inputs["addend"]], wide)
    expected = z3.If(added > sat.hi, z3.BitVecVal(sat.hi, wide), z3.If(added < sat.lo, z3.BitVecVal(sat.lo, wide), added))
    always(z3.And(result == z3.If(known[valid >> 1], expected, before), before >= sat.lo, before <= sat.hi))


@pytest.mark.parametrize(("bits", "addend"), [(2, 1), (4, 3), (8, 8), (12, 5), (5, 7), (4, 12), (3, 20)])
def test_a_step_from_any_state_clips_the_sum(bits: int, addend: int) -> None:
    prove(circuit_of(bits, addend), bits)


def test_a_planted_bug_is_caught() -> None:
    netlist = circuit_of(6, 6)
    at = next(k for k, cell in enumerate(netlist.cells) if isinstance(cell, Lut))
    lut = netlist.cells[at]
    # One wrong entry of the first position: where the register has overflown.
    netlist.cells[at] = Lut(lut.init ^ 1 << 45, lut.pins, lut.o6, lut.o5)
    with pytest.raises(Unproven):
        prove(netlist, 6)


def test_it_starts_at_0() -> None:
    simulator = Simulator(circuit_of(5, 4), 1)
    assert simulator.cycle({"addend": [3], "valid": [0], "first": [0]})["total"][0] == 0


def test_the_loop_is_one_carry_chain() -> None:
    netlist = circuit_of(12, 9)
    assert [len(c.s) for c in netlist.cells if isinstance(c, Chain)] == [13]
    # A position a bit and one more; behind the register two bits of the total a LUT, but for its sign.
    assert sites_of(netlist).luts <= 13 + 6
    assert depth(netlist) == 1


@pytest.mark.parametrize(("wide", "bits"), [(5, 4), (9, 4), (8, 2), (10, 3)])
def test_numbers_of_any_width_are_clipped(wide: int, bits: int) -> None:
    netlist = Netlist()
    netlist.output("y", clipped(netlist, netlist.input("x", wide), bits))
    codes = np.arange(1 << wide)
    values = (codes ^ (1 << (wide - 1))) - (1 << (wide - 1))
    expected = np.clip(values, -(1 << (bits - 1)), (1 << (bits - 1)) - 1) % (1 << bits)
    np.testing.assert_array_equal(evaluate(netlist, {"x": codes})["y"], expected)

"""Statements of arithmetic slices: the numbers that numpy evaluates, in every use of their registers and operands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hwq.fabric.dsp48e2 import WIDTHS, Slice48
from hwq.fabric.lane_array import dsp_accumulator_netlist
from hwq.fabric.netlist import Netlist
from hwq.fabric.simulate import Simulator
from hwq.gateware.fabric_part import NetlistPart
from tests.gateware.stream import simulate

USES = [
    Slice48(),
    Slice48(a_regs=2, b_regs=0, c_reg=0, w=3, m_reg=0, subtract=1),
    Slice48(preadd=1, d_reg=0, ad_reg=1, z=2),
    Slice48(preadd=2, ad_reg=0, z=1, w=1, control_reg=1),
    Slice48(multiply=0, m_reg=0, z=4, w=4),
    Slice48(multiply=0, m_reg=0, lanes=4, z=2, w=3, control_reg=1),
    Slice48(multiply=0, m_reg=0, lanes=2, z=3, w=1, subtract=1),
    Slice48(a_regs=0, b_regs=0, d_reg=0, m_reg=0, p_reg=0, z=4, w=3),
]


def whole(use: Slice48) -> Netlist:
    """A slice with all its ports."""
    netlist = Netlist()
    made = use.build(netlist, **{name: netlist.input(name, width) for name, width in WIDTHS.items()})
    netlist.output("p", made.p)
    netlist.output("pcout", made.pcout)
    return netlist


def mismatches(netlist: Netlist, part: NetlistPart, cycles: int) -> int:
    """Cycles in which statements and evaluation of a netlist differ, under random inputs."""
    rng, simulator, wrong = np.random.default_rng(cycles), Simulator(netlist, 1), []

    async def bench(ctx: Any) -> None:
        for _ in range(cycles):
            inputs = {port: int(rng.integers(0, 1 << 60)) % (1 << len(bits)) for port, bits in netlist.inputs.items()}
            for port, value in inputs.items():
                ctx.set(getattr(part, port), value)
            expected = simulator.cycle({port: np.array([value]) for port, value in inputs.items()})
            wrong.append(any(ctx.get(getattr(part, port)) != int(values[0]) for port, values in expected.items()))
            await ctx.tick()

    simulate(part, bench)
    return sum(wrong)


@pytest.mark.parametrize("use", USES)
def test_a_slice_in_statements_is_the_slice_that_is_evaluated(use: Slice48) -> None:
    assert not mismatches(whole(use), NetlistPart(whole(use)), 40)


def test_another_use_is_another_slice() -> None:
    use = USES[5]
    for other in (replace(use, lanes=2), replace(use, control_reg=0), replace(use, c_reg=0)):
        assert mismatches(whole(use), NetlistPart(whole(other)), 40)


def test_slices_among_other_cells() -> None:
    netlist = dsp_accumulator_netlist(5, 12)
    assert not mismatches(netlist, NetlistPart(netlist), 60)

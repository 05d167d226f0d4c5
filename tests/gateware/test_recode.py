"""Codes from outside."""

from __future__ import annotations

import pytest
from amaranth.hdl import Const, Module, Signal
from amaranth.sim import Simulator

from hwq.gateware.recode import legal_code
from hwq.numerics.encoding import Bipolar, Encoding, Integer


@pytest.mark.parametrize(
    ("encoding", "illegal", "becomes"),
    [
        (Integer(2, True, True), 0b10, 0),
        (Integer(4, True, True), 0b1000, 0),
        (Integer(8, True, True), 0b10000000, 0),
        (Integer(2, False, True), 0b11, 0b10),
        (Integer(3, False, True), 0b111, 0b110),
        (Integer(1, False, True), 1, 0),
        (Integer(3, True), None, None),
        (Integer(2, False), None, None),
        (Bipolar(), None, None),
    ],
    ids=str,
)
def test_a_code_that_stands_for_nothing_becomes_one_that_does(encoding: Encoding, illegal, becomes):
    m = Module()
    codes = [Signal(encoding.bits, name=f"y{c}") for c in range(1 << encoding.bits)]
    m.d.comb += [y.eq(legal_code(Const(c, encoding.bits), encoding)) for c, y in enumerate(codes)]

    async def bench(ctx):
        await ctx.delay(1e-9)
        assert [ctx.get(y) for y in codes] == [becomes if c == illegal else c for c in range(1 << encoding.bits)]

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()

"""Pruning: nothing that an output needs goes, nothing else stays."""

from __future__ import annotations

import numpy as np
import pytest

from hwq.fabric.counters import count, counter
from hwq.fabric.netlist import Chain, Lut, Netlist
from hwq.fabric.prune import prune
from hwq.fabric.simulate import evaluate
from tests.fabric.test_pipeline import tangle


@pytest.mark.parametrize("seed", range(8))
def test_a_pruned_circuit_computes_the_same(seed):
    netlist = tangle(seed)
    small = prune(netlist)
    x = {"x": np.arange(1 << 12)}
    for name, expected in evaluate(netlist, x).items():
        np.testing.assert_array_equal(evaluate(small, x)[name], expected)
    assert len(small.cells) <= len(netlist.cells)
    assert prune(small) == small


def test_half_a_lut_becomes_a_plain_one_of_the_pins_that_matter():
    netlist = Netlist()
    a, b, c = netlist.input("x", 3)
    _, low = netlist.lut2(lambda p, q, r: p ^ q ^ r, lambda p, q, r: p & q, a, b, c)
    netlist.output("y", [low])
    assert prune(netlist).cells == [Lut(0b1000, (a, b), low & ~1)] or prune(netlist).cells == [Lut(0b0111, (a, b), low & ~1)]


def test_a_chain_ends_at_its_last_position_read():
    netlist = Netlist()
    outputs = count(netlist, counter("2222"), [[b] * 1 for b in netlist.input("x", 4)])
    netlist.output("y", outputs[0])
    chains = [c for c in prune(netlist).cells if isinstance(c, Chain)]
    assert all(len(c.s) == 1 for c in chains)


def test_flip_flops_and_what_drives_them_go_with_what_they_feed():
    netlist = Netlist()
    a, b = netlist.input("x", 2)
    kept, dropped = netlist.flop(netlist.lut(lambda p, q: p & q, a, b)), netlist.flop(netlist.lut(lambda p, q: p | q, a, b))
    netlist.flop(dropped)
    (loop,) = netlist.register(1)
    netlist.close([loop], [netlist.lut(lambda p, q: p ^ q, loop, kept)])
    netlist.output("y", [loop])
    small = prune(netlist)
    assert len(small.cells) == 2
    assert {f.q for f in small.flops} == {kept, loop}
    assert small.signals == netlist.signals


def test_a_pin_that_matters_to_no_output_is_tied():
    netlist = Netlist()
    a, b, c, d = netlist.input("x", 4)
    idle = netlist.lut(0b1000, c, d)
    s, di = netlist.position(lambda p, q, r: p ^ q, lambda p, q, r: p, a, b, idle)
    o, co = netlist.chain([s], [di])
    netlist.output("y", [o[0], co[0]])
    small = prune(netlist)
    assert len(small.cells) == 2
    assert all(p <= 1 or p in small.inputs["x"] for cell in small.cells if isinstance(cell, Lut) for p in cell.pins)

"""Loads of a bit: every pin that reads it, complements too."""

from __future__ import annotations

from hwq.fabric.fanout import fanout
from hwq.fabric.netlist import Netlist


def test_the_most_read_bit_counts_its_pins_flip_flops_and_ports() -> None:
    netlist = Netlist()
    a, b, c = netlist.input("x", 3)
    both = netlist.lut(lambda p, q: p & q, a, b)
    odd = netlist.lut(lambda p, q: p ^ q, a, c)
    netlist.output("y", [both, odd, netlist.flop(a), a ^ 1])
    # Two LUTs, a flip-flop, a port.
    assert fanout(netlist) == 4


def test_carry_chains_load_select_data_and_carry_in() -> None:
    netlist = Netlist()
    a, b = netlist.input("x", 2)
    sums, _ = netlist.chain([a, a], [b, a], a)
    netlist.output("y", sums)
    assert fanout(netlist) == 4


def test_a_circuit_of_constants_loads_nothing() -> None:
    netlist = Netlist()
    netlist.output("y", [0, 1])
    assert fanout(netlist) == 0

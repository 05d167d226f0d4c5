"""Circuits with counters moved from carry chains into LUTs: the same numbers, and fewer CLBs."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

import hwq.fabric.carry_balance as carry_balance
from hwq.fabric.carry_balance import balanced
from hwq.fabric.counters import count, counter
from hwq.fabric.levels import depth
from hwq.fabric.netlist import Chain, Lut, Netlist
from hwq.fabric.simulate import evaluate
from hwq.fabric.sites import sites_of


def pipelined(counters, bits, seed=0):
    """Counters of ``bits`` bits, some complemented, of an input port each, behind flip-flops: (netlist, signs)."""
    netlist, rng, signs = Netlist(), random.Random(seed), []
    for k in range(counters):
        signs.append([rng.randint(0, 1) for _ in range(bits)])
        x = netlist.input(f"x{k}", bits)
        made = count(netlist, counter("6"), [[b ^ s for b, s in zip(x, signs[-1], strict=True)]])
        netlist.output(f"y{k}", [netlist.flop(b[0]) for b in made])
    return netlist, signs


def counted(netlist, latency, signs, bits):
    """Outputs for all values at every port, and what they ought to be."""
    values = np.arange(1 << bits)
    given = (values[:, None] >> np.arange(bits)) & 1
    found = evaluate(netlist, {f"x{k}": values for k in range(len(signs))}, latency)
    return [(found[f"y{k}"], (given ^ np.array(s)).sum(1)) for k, s in enumerate(signs)]


@pytest.mark.parametrize("bits", [5, 6, 7])
@pytest.mark.parametrize("seed", range(4))
def test_counters_in_luts_count_the_same_for_all_values(bits, seed):
    netlist, signs = pipelined(9, bits, seed)
    made, latency = balanced(netlist)
    assert latency == (2 if bits == 7 else 1)
    assert bits == 5 or sum(isinstance(c, Chain) for c in made.cells) < 9
    for found, expected in counted(made, latency, signs, bits):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("bits", [6, 7])
def test_carries_fill_no_more_clbs_than_the_rest(bits):
    netlist, _ = pipelined(40, bits)
    before, after = sites_of(netlist), sites_of(balanced(netlist)[0])
    assert before.carry == 20
    assert after.carry <= -(-max(after.luts, after.ff // 2) // 8) + 1
    assert after.clb < before.clb


def test_no_stage_grows_deeper_than_two_levels():
    netlist, _ = pipelined(40, 7)
    assert depth(balanced(netlist)[0]) == 2


def test_counters_of_six_bits_go_first():
    netlist, _ = pipelined(4, 7)
    for k in range(4):
        bits = count(netlist, counter("6"), [netlist.input(f"z{k}", 6)])
        netlist.output(f"six{k}", [netlist.flop(b[0]) for b in bits])
    # Some four LUTs more fill as many CLBs as the carries of the others: no counter of seven bits moves, which would take two stages.
    made, latency = balanced(netlist)
    assert 4 <= sum(isinstance(c, Chain) for c in made.cells) < 8
    assert latency == 1


@pytest.mark.parametrize(
    ("lower", "upper", "generates"),
    [
        (lambda *v: sum(v) & 1, lambda *v: sum(v) >> 1 == 1, lambda *v: sum(v) >> 1 == 1),
        (lambda *v: all(v), lambda *v: sum(v) >> 1 == 1, lambda *v: sum(v) >> 1 == 2),
    ],
)
def test_chains_of_two_positions_that_count_otherwise_stay(lower, upper, generates):
    netlist = Netlist()
    for k in range(8):
        x = netlist.input(f"x{k}", 7)
        s, di = zip(netlist.lut6_2(lower, *x[:6]), netlist.position(upper, generates, *x[:5]), strict=True)
        o, co = netlist.chain(s, di, x[6])
        netlist.output(f"y{k}", [netlist.flop(b) for b in (*o, co[1])])
    assert sum(isinstance(c, Chain) for c in balanced(netlist)[0].cells) == 8


def test_a_circuit_of_few_carries_stays():
    netlist = Netlist()
    x = netlist.input("x", 60)
    bits = [netlist.flop(netlist.lut(lambda *v: sum(v) & 1, *x[k : k + 6])) for k in range(0, 60, 2) if k + 6 <= 60]
    (low,), (middle,), (high,) = count(netlist, counter("6"), [x[:7]])
    netlist.output("y", [*bits, netlist.flop(low), netlist.flop(middle), netlist.flop(high)])
    made, latency = balanced(netlist)
    assert latency == 1
    assert [len(c.s) for c in made.cells if isinstance(c, Chain)] == [2]


def test_a_wrong_table_is_caught(monkeypatch):
    whole = carry_balance._luts

    def broken(netlist, found):
        first, *others = whole(netlist, found)
        return [replace(first, init=first.init ^ 1), *others]

    monkeypatch.setattr(carry_balance, "_luts", broken)
    netlist, signs = pipelined(9, 6)
    assert any((found != expected).any() for found, expected in counted(*balanced(netlist), signs, 6))


def test_a_chain_whose_inner_carry_is_read_stays():
    netlist, _ = pipelined(8, 7)
    chain = next(c for c in netlist.cells if isinstance(c, Chain))
    netlist.outputs["z"] = (netlist.flop(chain.co[0]),)
    made, _ = balanced(netlist)
    assert any(isinstance(c, Chain) for c in made.cells)
    assert all(isinstance(c, Chain | Lut) for c in made.cells)

"""Counters against the sum of weights, for all inputs."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest
import z3

from hwq.fabric.counters import count, counter, full_adder, fused_adder, given, plain
from hwq.fabric.levels import depth
from hwq.fabric.netlist import Chain, Lut, Netlist
from tests.fabric.prover import Circuit, Unproven, always, symbols, weighed

CHAINS = [
    *("".join(a) for n in (1, 2) for a in itertools.product("642tp", repeat=n)),
    "666",
    "6tt",
    "t46",
    "24t",
    "62222",
    "22222222",
    "tttt2",
    "tT",
    "6tTT",
    "tTTTtT6",
]
ALONE = ["ha", "fa", "5:3", "6:3"]


def built(name, filled, inverted, width=64):
    """A counter of literals complemented where ``inverted`` says: (netlist, columns, outputs)."""
    netlist = Netlist()
    bits = iter([b ^ i for b, i in zip(netlist.input("x", sum(filled)), inverted, strict=True)])
    columns = [[next(bits) for _ in range(n)] for n in filled][:width]
    return netlist, columns, count(netlist, counter(name), columns, width)


def prove(netlist, columns, outputs, width):
    circuit = Circuit(netlist)
    terms = [(b, k) for k, bits in enumerate(columns) for b in bits]
    made = [(b, k) for k, bits in enumerate(outputs) for b in bits]
    formulas = circuit.meaning(symbols(b for b, _ in terms), [b for b, _ in (*terms, *made)])
    always(weighed(((formulas[b], k) for b, k in terms), width) == weighed(((formulas[b], k) for b, k in made), width))


@pytest.mark.parametrize("name", [*ALONE, *CHAINS])
def test_a_full_counter_keeps_the_weighted_sum(name):
    takes = counter(name).takes
    for inverted in ([0] * sum(takes), [1] * sum(takes), [k % 2 for k in range(sum(takes))]):
        prove(*built(name, takes, inverted), len(takes) + 4)


@pytest.mark.parametrize("name", [*ALONE, "6", "4", "t", "66", "46", "6t2", "t46", "2222", "p", "pp", "6p", "tp2", "tTT", "4tT2"])
def test_any_filling_any_signs_and_any_width_keep_the_sum(name):
    rng = random.Random(name)
    for _ in range(12):
        filled = [rng.randint(0, t) for t in counter(name).takes]
        width = rng.choice([1, 2, 3, 4, 64])
        inverted = [rng.randint(0, 1) for _ in range(sum(filled))]
        netlist, columns, outputs = built(name, filled, inverted, width)
        prove(netlist, columns, outputs, min(width, len(filled) + 4))
        if width == 64:
            assert tuple(len(c) for c in outputs) == given(counter(name), tuple(filled))


@pytest.mark.parametrize("name", [*ALONE, *CHAINS])
def test_a_counter_costs_its_sites_and_one_level_or_two_where_majorities_pass(name):
    kind = counter(name)
    netlist, _, outputs = built(name, kind.takes, [0] * sum(kind.takes))
    for k, bits in enumerate(outputs):
        netlist.output(f"y{k}", bits)
    assert sum(isinstance(c, Lut) for c in netlist.cells) == kind.luts
    assert sum(len(c.s) for c in netlist.cells if isinstance(c, Chain)) == kind.positions
    assert depth(netlist) == 1 + ("T" in name)


def test_seven_bits_take_two_sites_and_thirteen_four():
    assert [(counter(n).takes, counter(n).gives, counter(n).luts) for n in ("6", "66", "666", "t")] == [
        ((7, 0), (1, 1, 1), 2),
        ((7, 0, 6, 0), (1, 1, 1, 1, 1), 4),
        ((7, 0, 6, 0, 6, 0), (1, 1, 1, 1, 1, 1, 1), 6),
        ((4,), (1, 2), 1),
    ]


@pytest.mark.parametrize("signs", list(itertools.product((0, 1), repeat=7)))
def test_no_inverter_is_spent_on_complements_in_a_single_atom(signs):
    netlist, _, _ = built("6", (7, 0), signs)
    assert sum(isinstance(c, Lut) for c in netlist.cells) == 2


def test_adders_of_products_are_one_lut():
    netlist = Netlist()
    w0, x0, w1, x1, c = netlist.input("i", 5)
    total, carry = fused_adder(netlist, (w0, x0), (w1, x1 ^ 1), c ^ 1)
    s, t = full_adder(netlist, w0, x0 ^ 1, c)
    free = symbols((w0, x0, w1, x1, c))
    f = Circuit(netlist).meaning(free, (total, carry, s, t))
    vw0, vx0, vw1, vx1, vc = (free[b >> 1] for b in (w0, x0, w1, x1, c))
    products = weighed([(vw0 == vx0, 0), (vw1 != vx1, 0), (z3.Not(vc), 0)], 3)
    always(products == weighed([(f[total], 0), (f[carry], 1)], 3))
    always(weighed([(vw0, 0), (z3.Not(vx0), 0), (vc, 0)], 3) == weighed([(f[s], 0), (f[t], 1)], 3))
    assert len(netlist.cells) == 2


def test_an_inverter_is_a_lut_of_its_own():
    netlist = Netlist()
    (a,) = netlist.input("a", 1)
    free = symbols((a,))
    made = plain(netlist, a ^ 1)
    assert made % 2 == 0
    always(Circuit(netlist).meaning(free, (made,))[made] != free[a >> 1])
    assert plain(netlist, a) == a


def flipped(netlist, cell, bit):
    netlist.cells[cell] = replace(netlist.cells[cell], init=netlist.cells[cell].init ^ (1 << bit))


@pytest.mark.parametrize("name", [*ALONE, "6", "4", "2", "t", "p", "646"])
def test_a_flipped_init_bit_is_caught(name):
    kind = counter(name)
    netlist, columns, outputs = built(name, kind.takes, [0] * sum(kind.takes))
    k = next(k for k, c in enumerate(netlist.cells) if isinstance(c, Lut))
    flipped(netlist, k, 0 if netlist.cells[k].o5 is None or netlist.cells[k].pins[5] != 1 else 32)
    with pytest.raises(Unproven):
        prove(netlist, columns, outputs, len(kind.takes) + 4)


@pytest.mark.parametrize("name", ["6", "44", "t2"])
def test_a_swapped_carry_is_caught(name):
    kind = counter(name)
    netlist, columns, outputs = built(name, kind.takes, [0] * sum(kind.takes))
    k = next(k for k, c in enumerate(netlist.cells) if isinstance(c, Chain))
    chain = netlist.cells[k]
    netlist.cells[k] = replace(chain, di=(chain.di[1], chain.di[0], *chain.di[2:]))
    with pytest.raises(Unproven):
        prove(netlist, columns, outputs, len(kind.takes) + 4)


@pytest.mark.parametrize("constant", [0, 1])
def test_a_position_that_generates_a_constant_leaves_o5_free(constant):
    netlist = Netlist()
    a, b = netlist.input("a", 2)
    s, di = netlist.position(lambda x, y: x ^ y, lambda *_: constant, a, b ^ 1)
    assert (di, [(c.pins, c.o5) for c in netlist.cells]) == (constant, [((a, b), None)])
    free = symbols((a, b))
    always(Circuit(netlist).meaning(free, (s,))[s] == (free[a >> 1] == free[b >> 1]))

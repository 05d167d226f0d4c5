"""Adders and comparators, for all inputs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import z3

from hwq.fabric.adders import at_least, not_below, ripple_adder, ternary_adder
from hwq.fabric.netlist import FALSE, TRUE, Chain, Lut, Netlist
from tests.fabric.prover import Circuit, Unproven, always, symbols, weighed


def proof(netlist, inputs, outputs):
    """(value of a number of literals, formula of a literal)."""
    formulas = Circuit(netlist).meaning(symbols(inputs), [*inputs, *outputs, *(b ^ 1 for b in inputs), FALSE, TRUE])

    def number(bits, width=16):
        return weighed(((formulas[b], k) for k, b in enumerate(bits)), width)

    return number, formulas


@pytest.mark.parametrize("flip", [0, 1])
def test_a_ripple_adder_adds(flip):
    netlist = Netlist()
    a, b, (c,) = netlist.input("a", 9), netlist.input("b", 9), netlist.input("c", 1)
    a = [x ^ flip for x in a]
    bits, carry = ripple_adder(netlist, a, b, c ^ flip)
    number, _ = proof(netlist, [*(x & ~1 for x in a), *b, c], [*bits, carry])
    always(number([*bits, carry]) == number(a) + number(b) + number([c ^ flip]))
    assert sum(isinstance(cell, Lut) for cell in netlist.cells) == 9 + flip


@pytest.mark.parametrize("extra", [0, 1, 2])
def test_a_ternary_adder_adds_a_gated_third_row(extra):
    netlist = Netlist()
    a, b, c = (netlist.input(n, 8) for n in "abc")
    keep, *more = netlist.input("k", 3)
    columns = [[x, y ^ 1] for x, y in zip(a, b, strict=True)]
    if extra > 1:
        columns[0].append(more[1])
    bits = ternary_adder(netlist, columns, c, keep ^ 1, more[0] if extra else FALSE)
    number, f = proof(netlist, [*a, *b, *c, keep, *more], bits)
    third = z3.If(f[keep ^ 1], number(c, 8), z3.BitVecVal(0, 8))
    total = number(a, 8) + number([y ^ 1 for y in b], 8) + third + number(more[:extra][::1], 8) * 0
    for bit in more[:extra]:
        total += number([bit], 8)
    always(number(bits, 8) == total)
    assert sum(isinstance(cell, Lut) for cell in netlist.cells) == 8


@pytest.mark.parametrize("gated", [False, True])
def test_columns_of_the_third_row_alone_pass_nothing_on(gated):
    netlist = Netlist()
    (a, b), c, (keep,) = (netlist.input("ab"[k], 3) for k in range(2)), netlist.input("c", 8), netlist.input("k", 1)
    columns = [[x, y ^ 1] for x, y in zip(a, b, strict=True)] + [[]] * 5
    bits = ternary_adder(netlist, columns, c, keep ^ 1 if gated else TRUE)
    number, f = proof(netlist, [*a, *b, *c, keep], bits)
    third = z3.If(f[keep ^ 1], number(c, 8), z3.BitVecVal(0, 8)) if gated else number(c, 8)
    always(number(bits, 8) == number(a, 8) + number([y ^ 1 for y in b], 8) + third)
    dual = [cell for cell in netlist.cells if isinstance(cell, Lut) and cell.o5 is not None]
    assert len(dual) == 3


@pytest.mark.parametrize("threshold", [-1, 0, 1, 5, 96, 127, 128, 200, 255, 256])
def test_at_least_compares_with_a_constant(threshold):
    netlist = Netlist()
    bits = netlist.input("x", 8)
    made = at_least(netlist, bits, threshold)
    number, f = proof(netlist, bits, [made])
    always(f[made] == (number(bits) >= threshold) if threshold >= 0 else f[made])


@pytest.mark.parametrize("width", [1, 2, 7, 8])
def test_not_below_compares_two_numbers(width):
    netlist = Netlist()
    a, b = netlist.input("a", width), netlist.input("b", width)
    made = not_below(netlist, a, b)
    number, f = proof(netlist, [*a, *b], [made])
    always(f[made] == z3.UGE(number(a), number(b)))
    assert sum(isinstance(cell, Lut) for cell in netlist.cells) == -(-width // 2)


def test_planted_bugs_are_caught():
    netlist = Netlist()
    a, b = netlist.input("a", 4), netlist.input("b", 4)
    bits, carry = ripple_adder(netlist, a, b)
    k = next(k for k, c in enumerate(netlist.cells) if isinstance(c, Chain))
    chain = netlist.cells[k]
    for broken in (
        replace(chain, ci=TRUE),
        replace(chain, s=chain.s[::-1]),
        replace(chain, o=(*chain.o[:3], chain.co[3]), co=(*chain.co[:3], chain.o[3])),
    ):
        netlist.cells[k] = broken
        number, _ = proof(netlist, [*a, *b], [*bits, carry])
        with pytest.raises(Unproven):
            always(number([*bits, carry]) == number(a) + number(b))

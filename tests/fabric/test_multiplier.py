"""Products in LUTs: every pair of operands of every width, against Python's own product."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hwq.fabric.heap import BitHeap, reduce
from hwq.fabric.multiplier import Number, add_booth
from hwq.fabric.netlist import TRUE, Chain, Netlist
from hwq.fabric.simulate import evaluate
from hwq.fabric.sites import sites_of

Front = Callable[[BitHeap, Number, Number], None]

SIGNS = [(True, True), (True, False), (False, True), (False, False)]


def all_products(front: Front, a: int, b: int, x_signed: bool, w_signed: bool) -> tuple[np.ndarray, np.ndarray]:
    """The front's products of all operands, and the true ones, modulo ``2**(a + b)``."""
    netlist = Netlist()
    heap = BitHeap(netlist)
    front(heap, Number(tuple(netlist.input("x", a)), x_signed), Number(tuple(netlist.input("w", b)), w_signed))
    netlist.output("y", reduce(heap, a + b).bits)
    codes = np.arange(1 << (a + b))
    x, w = codes & ((1 << a) - 1), codes >> a
    got = evaluate(netlist, {"x": x, "w": w})["y"]
    x = x - (x >> (a - 1) << a) * x_signed
    w = w - (w >> (b - 1) << b) * w_signed
    return got, (x * w) % (1 << (a + b))


@pytest.mark.parametrize(("x_signed", "w_signed"), SIGNS)
@pytest.mark.parametrize(("a", "b"), [(1, 2), (2, 1), (2, 2), (3, 3), (4, 4), (5, 3), (3, 5), (4, 7), (6, 5)])
def test_booth_rows_add_up_to_every_product(a: int, b: int, x_signed: bool, w_signed: bool) -> None:
    got, expected = all_products(add_booth, a, b, x_signed and a > 1, w_signed and b > 1)
    np.testing.assert_array_equal(got, expected)


def test_booth_rows_add_up_to_every_product_of_int8() -> None:
    got, expected = all_products(add_booth, 8, 8, True, True)
    np.testing.assert_array_equal(got, expected)


def test_operands_may_be_complements_and_constants() -> None:
    netlist = Netlist()
    x, w = netlist.input("x", 4), netlist.input("w", 3)
    heap = BitHeap(netlist)
    add_booth(heap, Number((*(b ^ 1 for b in x), TRUE), True), Number((TRUE, *(b ^ 1 for b in w), TRUE), True))
    netlist.output("y", reduce(heap, 10).bits)
    codes = np.arange(1 << 7)
    # The complement of x, with a sign of 1 above; 1, the complement of w and a sign of 1: all negative.
    a, b = (~codes & 15) - 16, (1 | (~(codes >> 4) & 7) << 1) - 16
    np.testing.assert_array_equal(evaluate(netlist, {"x": codes & 15, "w": codes >> 4})["y"], a * b % 1024)


def test_a_row_is_added_in_the_luts_that_make_it() -> None:
    netlist = Netlist()
    heap = BitHeap(netlist)
    add_booth(heap, Number(tuple(netlist.input("x", 8)), True), Number(tuple(netlist.input("w", 8)), True))
    netlist.output("bits", [netlist.flop(b) for c in heap.columns for b in c])
    # First row: nine bits, two a LUT; three rows of seven overlapping bits and a LUT for the two above.
    assert sites_of(netlist).luts <= 5 + 3 * 8
    assert [len(c.s) for c in netlist.cells if isinstance(c, Chain)] == [7, 7, 7]

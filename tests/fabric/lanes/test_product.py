"""Lanes of integer products in LUTs against numpy's dot products."""

from __future__ import annotations

import numpy as np
import pytest

from hwq.fabric.heap import BitHeap, reduce
from hwq.fabric.lane_form import lane_form
from hwq.fabric.lane_netlist import lane_netlist
from hwq.fabric.lanes.product import KINDS, add_products, product_front
from hwq.fabric.multiplier import Number
from hwq.fabric.netlist import Netlist
from hwq.fabric.simulate import evaluate
from hwq.fabric.sites import sites_of
from hwq.numerics.encoding import parse_encoding
from tests.fabric.lanes.test_dsp import integers, words

INT4 = parse_encoding("INT4")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("x_name", "w_name", "n"), [("INT2", "INT2", 9), ("UINT2", "INT3", 16), ("INT3", "UINT3", 5), ("INT4", "INT4", 7)])
def test_the_products_of_a_lane_share_one_heap(kind: str, x_name: str, w_name: str, n: int) -> None:
    x, w = parse_encoding(x_name), parse_encoding(w_name)
    if kind == "table" and x.bits + w.bits > 6:
        return
    netlist = Netlist()
    xs, ws = netlist.input("x", n * x.bits), netlist.input("w", n * w.bits)
    pairs = [
        (Number(tuple(xs[k * x.bits : (k + 1) * x.bits]), x.signed), Number(tuple(ws[k * w.bits : (k + 1) * w.bits]), w.signed))
        for k in range(n)
    ]
    heap = BitHeap(netlist)
    add_products(heap, pairs, kind)
    netlist.output("y", reduce(heap, 16).bits)
    rng = np.random.default_rng(n)
    a, b = integers(rng, x, (500, n)), integers(rng, w, (500, n))
    got = evaluate(netlist, {"x": words(x.encode(a), x.bits), "w": words(w.encode(b), w.bits)})["y"]
    np.testing.assert_array_equal(got, (a * b).sum(axis=1) % 65536)


def test_the_front_is_chosen_by_cost() -> None:
    assert product_front(parse_encoding("INT2"), parse_encoding("INT2"), 64).kind == "table"
    assert product_front(parse_encoding("UINT2"), parse_encoding("INT2"), 64).kind == "ands"
    assert product_front(parse_encoding("INT8"), parse_encoding("INT8"), 16).kind == "booth_w"
    # A signed number has fewer digits than an unsigned one of the same width.
    assert product_front(parse_encoding("INT8"), parse_encoding("UINT8"), 4).kind == "booth_x"


@pytest.mark.parametrize(("name", "most"), [("INT2", 3.0), ("INT4", 13.0)])
def test_sites_a_product(name: str, most: float) -> None:
    encoding = parse_encoding(name)
    found = sites_of(lane_netlist(lane_form(encoding, encoding, 16))).luts
    assert found / 16 <= most

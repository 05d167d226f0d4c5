"""Circuits as parts of others."""

from __future__ import annotations

import numpy as np

from hwq.fabric.embed import delayed, embed
from hwq.fabric.netlist import Netlist
from hwq.fabric.simulate import evaluate


def inverted_adder() -> Netlist:
    part = Netlist()
    a, b = part.input("a", 3), part.input("b", 3)
    s, di = zip(*(part.position(lambda x, y: x ^ y, lambda x, y: x, p, q) for p, q in zip(a, b, strict=True)), strict=True)
    total, _ = part.chain(s, di)
    part.output("y", [part.flop(bit) ^ 1 for bit in total])
    return part


def test_a_part_computes_what_it_did_alone_and_twice() -> None:
    whole = Netlist()
    a, b = whole.input("a", 3), whole.input("b", 3)
    first = embed(whole, inverted_adder(), {"a": a, "b": b})["y"]
    plain = [whole.lut(lambda x, y: x ^ y ^ 1, bit, other) for bit, other in zip(first, a, strict=True)]
    second = embed(whole, inverted_adder(), {"a": [p & ~1 for p in plain], "b": [0, 1, 0]})["y"]
    whole.output("y", first)
    whole.output("z", second)
    codes = np.arange(64)
    x, y = codes & 7, codes >> 3
    got = evaluate(whole, {"a": x, "b": y}, 2)
    np.testing.assert_array_equal(got["y"], 7 - (x + y) % 8)
    flips = sum((p & 1) << k for k, p in enumerate(plain))
    np.testing.assert_array_equal(got["z"], 7 - (((7 - (x + y) % 8) ^ x ^ 7 ^ flips) + 2) % 8)


def test_bits_wait() -> None:
    netlist = Netlist()
    bits = netlist.input("a", 2)
    netlist.output("y", delayed(netlist, bits, 3))
    assert len(netlist.flops) == 6
    assert delayed(netlist, bits, 0) == bits

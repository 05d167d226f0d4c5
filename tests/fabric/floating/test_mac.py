"""Multiply-accumulate of floats: every input of small formats by SMT against z3's own IEEE 754, binary32 against numpy's float32."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import z3
from numpy.typing import NDArray

from hwq.fabric.floating.format import BINARY32, FloatFormat
from hwq.fabric.floating.mac import FloatMac
from hwq.fabric.levels import depth
from hwq.fabric.netlist import Lut, Netlist
from hwq.fabric.simulate import Simulator
from hwq.fabric.sites import sites_of
from tests.fabric.smt import outputs_of

Words = NDArray[np.uint32]

NAN = np.uint32(0x7FC00000)
ONES = [0x3F800000, 0x3F800001, 0x3FFFFFFF, 0x40000000, 0x34000000, 0x4B800000]
EDGES = [0, 1, 2, 0x00400000, 0x007FFFFF, 0x00800000, 0x00800001, 0x01000000, 0x7F000000, 0x7F7FFFFF, 0x7F800000, 0x7F800001, 0x7FC00000]


def differs(netlist: Netlist, form: FloatFormat) -> z3.BoolRef:
    """Where the circuit is not ``a * b + c`` of z3's floating-point theory, each rounded to nearest even."""
    words = {name: z3.BitVec(name, form.bits) for name in "abc"}
    sort, rounding = z3.FPSort(form.exponent, form.precision), z3.RNE()
    a, b, c = (z3.fpBVToFP(word, sort) for word in words.values())
    expected = z3.fpAdd(rounding, z3.fpMul(rounding, a, b), c)
    y = outputs_of(netlist, words)["y"]
    return z3.If(z3.fpIsNaN(expected), y != form.nan, z3.Not(z3.fpBVToFP(y, sort) == expected))


def is_right(netlist: Netlist, form: FloatFormat) -> bool:
    solver = z3.SolverFor("QF_FPBV")
    solver.add(differs(netlist, form))
    found = solver.check()
    assert found != z3.unknown
    return found == z3.unsat


@pytest.mark.parametrize(
    ("exponent", "fraction"),
    [(2, 2), (3, 2), (3, 3), pytest.param(4, 3, marks=pytest.mark.slow), pytest.param(3, 4, marks=pytest.mark.slow)],
)
def test_small_formats_are_right_for_all_inputs(exponent: int, fraction: int) -> None:
    form = FloatFormat(exponent, fraction)
    assert is_right(FloatMac(form).netlist(), form)


@pytest.mark.parametrize("k", range(0, 100, 7))
def test_a_wrong_lut_is_caught(k: int) -> None:
    form = FloatFormat(3, 2)
    netlist = FloatMac(form).netlist()
    luts = [n for n, cell in enumerate(netlist.cells) if isinstance(cell, Lut)]
    at = luts[k % len(luts)]
    cell = netlist.cells[at]
    netlist.cells[at] = replace(cell, init=cell.init ^ ((1 << (1 << len(cell.pins))) - 1))
    assert not is_right(netlist, form)


def golden(a: Words, b: Words, c: Words) -> Words:
    with np.errstate(all="ignore"):
        y = a.view(np.float32) * b.view(np.float32) + c.view(np.float32)
    return np.where(np.isnan(y), NAN, y.view(np.uint32))


def interesting(rng: np.random.Generator, count: int) -> tuple[Words, Words, Words]:
    """Random patterns, the addend often near the product's exponent or its negative, subnormals and edges often."""
    a, b, c = (rng.integers(0, 1 << 32, count, dtype=np.uint64).astype(np.uint32) for _ in range(3))
    kind = rng.integers(0, 8, count)
    exponents = [((word >> np.uint32(23)) & np.uint32(255)).astype(int) for word in (a, b)]
    near = np.clip(exponents[0] + exponents[1] - 127 + rng.integers(-27, 28, count), 0, 255).astype(np.uint32)
    c = np.where(kind < 3, c & np.uint32(0x807FFFFF) | near << np.uint32(23), c)
    middle = np.clip(127 + rng.integers(-26, 27, count), 0, 255).astype(np.uint32)
    a = np.where(kind == 3, a & np.uint32(0x80FFFFFF), a)
    b = np.where(kind == 3, b & np.uint32(0x807FFFFF) | middle << np.uint32(23), b)
    c = np.where(kind == 3, c & np.uint32(0x80FFFFFF), c)
    with np.errstate(all="ignore"):
        product_ = (a.view(np.float32) * b.view(np.float32)).view(np.uint32)
    c = np.where(kind == 4, product_ ^ np.uint32(0x80000000) ^ rng.integers(0, 3, count).astype(np.uint32), c)
    edges = np.array([s | e for s in (0, 1 << 31) for e in ONES + EDGES], np.uint32)
    return tuple(np.where((kind == 5) & (rng.random(count) < 0.5), rng.choice(edges, count), word) for word in (a, b, c))  # type: ignore[return-value]


def stream(mac: FloatMac, a: Words, b: Words, c: Words, cycles: int) -> Words:
    """Results of operands fed ``cycles`` deep, a new set each cycle."""
    simulator = Simulator(mac.netlist(), len(a) // cycles)
    parts = [np.split(word, cycles) for word in (a, b, c)]
    got = []
    for t in range(cycles + mac.latency):
        now = {name: part[min(t, cycles - 1)] for name, part in zip("abc", parts, strict=True)}
        got.append(simulator.cycle(now)["y"].astype(np.uint32))
    return np.concatenate(got[mac.latency :])


MAC = FloatMac()


def test_binary32_is_numpy_bit_for_bit() -> None:
    a, b, c = interesting(np.random.default_rng(1), 40000)
    np.testing.assert_array_equal(stream(MAC, a, b, c, cycles=10), golden(a, b, c))


def test_every_triple_of_edges() -> None:
    edges = [s | e for s in (0, 1 << 31) for e in ONES[::2] + EDGES]
    triples = np.array(list(product(edges, edges, edges)), np.uint32)
    a, b, c = (np.ascontiguousarray(triples[:, k]) for k in range(3))
    np.testing.assert_array_equal(stream(MAC, a, b, c, cycles=4), golden(a, b, c))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_millions_of_random_operands(seed: int) -> None:
    a, b, c = interesting(np.random.default_rng(100 + seed), 3_000_000)
    np.testing.assert_array_equal(stream(MAC, a, b, c, cycles=60), golden(a, b, c))


def test_the_interleaved_sums_of_a_vector_are_those_of_numpy() -> None:
    # A partial sum a lane; the circuit's own latency apart, each is fed back as the addend.
    rng = np.random.default_rng(5)
    x, w = (rng.standard_normal((3, 8), dtype=np.float32) for _ in range(2))
    mac = FloatMac(levels=6)
    simulator, total = Simulator(mac.netlist(), 8), np.zeros(8, np.float32)
    expected = total
    for k in range(3):
        for _ in range(mac.latency):
            simulator.cycle({"a": x[k].view(np.uint32), "b": w[k].view(np.uint32), "c": total.view(np.uint32)})
        now = simulator.cycle({"a": x[k].view(np.uint32), "b": w[k].view(np.uint32), "c": total.view(np.uint32)})
        total = now["y"].astype(np.uint32).view(np.float32)
        expected = x[k] * w[k] + expected
    np.testing.assert_array_equal(total.view(np.uint32), expected.view(np.uint32))


def test_cost_of_binary32() -> None:
    netlist = MAC.netlist()
    found = sites_of(netlist)
    assert found.dsp == MAC.slices == 2
    assert found.luts <= 480
    assert depth(netlist) <= MAC.levels
    assert BINARY32.nan == NAN

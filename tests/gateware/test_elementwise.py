"""Maps of single codes on images: staircases, tables, constants of border classes; several pixels a cycle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.gateware.elementwise import ElementwiseStage
from hwq.gateware.parts import Parts, SeparateParts, convert_modules
from hwq.network.graph import Network, Node
from hwq.network.ops import BorderAffine, Lookup, Op
from hwq.numerics.encoding import Encoding, parse_encoding
from hwq.plan.plan import StagePlan
from hwq.plan.units import Elementwise
from tests.gateware.cases import edges_of, first_unit, image_network, requantizer, staircase, values
from tests.gateware.laws import pipe_law
from tests.gateware.stream import edge_words, pipe, trace

ENCODINGS = ["BIPOLAR", "TERNARY", "UINT2", "INT5"]


def build(network: Network, stage: StagePlan, parts: Parts) -> tuple[ElementwiseStage, list, list]:
    unit, dataflow = first_unit(network, Elementwise, stage)
    sources, targets = edges_of(dataflow, unit)
    x, y = network.tensors["x"].encoding, network.tensors["y"].encoding
    return ElementwiseStage(unit, sources[0], targets[0], x, y, parts), sources, targets


def check(network: Network, stage: StagePlan, idle: float, stall: float) -> None:
    rng = np.random.default_rng(0)
    dut, (source,), (target,) = build(network, stage, Parts())
    x = values(rng, network.tensors["x"].encoding, (2, *network.tensors["x"].shape))
    expected = edge_words(network.run({"x": x})["y"], network.tensors["y"].encoding, target)
    idles, stalls = trace(rng, idle), trace(rng, stall)
    put, got = pipe(dut, edge_words(x, network.tensors["x"].encoding, source), len(expected), source=idles, sink=stalls)
    assert got.words == expected
    assert (put.cycles, got.cycles) == pipe_law(len(expected), stage.depth, dut.unit.latency, idles, stalls)


def table(rng: np.random.Generator, x: Encoding, channels: int) -> Lookup:
    count = (x.hi - x.lo) // x.step + 1
    return Lookup(rng.integers(-8, 8, (channels, count)), x.lo, x.step, parse_encoding("INT4"))


def border(rng: np.random.Generator, h: int, w: int, channels: int, scales: list[int]) -> BorderAffine:
    """Classes of rows and columns at random, each used."""
    a, b = min(h, 3), min(w, 3)
    rows, columns = rng.integers(0, a, h), rng.integers(0, b, w)
    rows[:a], columns[:b] = np.arange(a), np.arange(b)
    return BorderAffine(rows, columns, rng.choice(scales, (a, b)), rng.integers(-9, 9, (a, b, channels)))


def op_of(kind: str, rng: np.random.Generator, x: Encoding, h: int, w: int, channels: int) -> Op:
    rows = int(rng.choice([1, channels]))
    return {
        "threshold": lambda: staircase(rng, channels, "UINT2", reach=9, steps="mixed"),
        "requantize": lambda: requantizer(rng, channels, "INT4", 3),
        "table": lambda: table(rng, x, rows),
        "border": lambda: border(rng, h, w, rows, [1, 2, 6, -3]),
        "offsets": lambda: border(rng, h, w, rows, [1]),
    }[kind]()


@settings(max_examples=20)
@given(
    st.sampled_from(["threshold", "requantize", "table", "table", "border", "border", "offsets"]),
    st.sampled_from(ENCODINGS),
    st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 5)),
    st.integers(1, 3),
    st.integers(1, 5),
    st.integers(1, 6),
    st.sampled_from([(1.0, 1.0), (0.7, 0.6)]),
    st.integers(0, 99),
)
def test_bits_and_cycles(kind, encoding, shape, pixels, pe, depth, rates, seed):
    h, groups, channels = shape
    w = groups * pixels
    op = op_of(kind, np.random.default_rng(seed), parse_encoding(encoding), h, w, channels)
    network = image_network({"x": (encoding, (h, w, channels))}, Node("map", op, ("x",), ("y",)))
    check(network, StagePlan("map", min(pe, channels), pixels=pixels, depth=depth), *rates)


@pytest.mark.parametrize("rows", [1, 4])
def test_equal_tables_are_one_module(rows):
    x = parse_encoding("UINT3")
    op = table(np.random.default_rng(0), x, rows)
    network = image_network({"x": ("UINT3", (1, 2, 4))}, Node("map", op, ("x",), ("y",)))
    parts = SeparateParts()
    dut, _, _ = build(network, StagePlan("map", 4, pixels=2), parts)
    convert_modules(dut, "top", parts)
    assert len(parts.modules) == rows

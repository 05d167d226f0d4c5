"""Join: sums and products of streams of any encodings, every beat in its cycle."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.gateware.join import JoinStage
from hwq.gateware.parts import Parts
from hwq.network.graph import Network, Node
from hwq.network.ops import Add, Mul
from hwq.numerics.encoding import Bipolar
from hwq.numerics.rounding import Rounding
from hwq.plan.join import JoinForm, signed_digits
from hwq.plan.plan import StagePlan
from hwq.plan.units import Join
from tests.gateware.cases import edges_of, first_unit, image_network, requantizer, staircase, values
from tests.gateware.laws import join_law
from tests.gateware.stream import Sink, Source, edge_words, run, trace

ENCODINGS = ["BIPOLAR", "TERNARY", "UINT2", "INT5", "UINT8"]


def build(network: Network, stage: StagePlan) -> tuple[JoinStage, list, list]:
    unit, dataflow = first_unit(network, Join, stage)
    sources, targets = edges_of(dataflow, unit)
    tensors = network.tensors
    xs = [tensors[s].encoding for s in unit.stage.sources]
    return JoinStage(unit, sources, targets[0], xs, tensors[unit.stage.target].encoding, Parts()), sources, targets


def check(network: Network, stage: StagePlan, frames: int, idle: float, stall: float, seed: int = 0) -> None:
    """Bits of all outputs, cycles of all inputs and outputs."""
    rng = np.random.default_rng(seed)
    dut, sources, (target,) = build(network, stage)
    unit, tensors = dut.unit, network.tensors
    x = {i.name: values(rng, i.encoding, (frames, *i.shape)) for i in network.inputs}
    golden = network.run(x)["y"]
    puts = [
        Source(getattr(dut, f"i{k}"), edge_words(x[s], tensors[s].encoding, edge), trace(rng, idle))
        for k, (s, edge) in enumerate(zip(unit.stage.sources, sources, strict=True))
    ]
    got = Sink(dut.o, trace(rng, stall))
    expected = edge_words(golden, tensors["y"].encoding, target)
    run(dut, puts, [got], lambda: len(got.record.words) >= len(expected))
    assert got.record.words == expected
    law = join_law(len(expected), unit.depth, unit.latency, [p.allowed for p in puts], got.allowed)
    assert ([p.record.cycles for p in puts], got.record.cycles) == law


@st.composite
def joins(draw: st.DrawFn) -> tuple[Network, StagePlan]:
    """Sums and products of two to three images, shared or per-channel coefficients, with and without a staircase."""
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    pixels, channels = draw(st.integers(1, 3)), draw(st.integers(1, 7))
    shape = draw(st.integers(1, 2)), pixels * draw(st.integers(1, 2)), channels
    is_sum = draw(st.booleans())
    count = draw(st.integers(2, 3)) if is_sum else 2
    rows = draw(st.sampled_from([1, channels]))
    op = Add(rng.integers(-11, 12, (count, rows))) if is_sum else Mul()
    tail = draw(st.sampled_from(["none", "threshold", "requantize"]))
    name = "y" if tail == "none" else "a"
    nodes = [Node("join", op, tuple("pqr"[:count]), (name,))]
    if tail == "threshold":
        nodes.append(Node("act", staircase(rng, channels, "UINT2", reach=9, steps="mixed"), ("a",), ("y",)))
    if tail == "requantize":
        nodes.append(Node("act", requantizer(rng, channels, "INT4", 4, Rounding.HALF_EVEN), ("a",), ("y",)))
    inputs = {n: (draw(st.sampled_from(ENCODINGS)), shape) for n in "pqr"[:count]}
    stage = StagePlan("join", draw(st.integers(1, channels)), pixels=pixels, depth=draw(st.integers(1, 7)))
    return image_network(inputs, *nodes), stage


@settings(max_examples=15)
@given(joins(), st.sampled_from([(1.0, 1.0), (0.6, 1.0), (0.8, 0.5)]))
def test_join_bits_and_cycles(case, rates):
    check(*case, 2, *rates)


@pytest.mark.parametrize("op", [Add(np.array([[1], [1]])), Add(np.array([[1], [-1]])), Mul()])
def test_bipolar_operands_cost_a_bit_each(op):
    network = image_network({"p": ("BIPOLAR", (2, 2, 4)), "q": ("BIPOLAR", (2, 2, 4))}, Node("join", op, ("p", "q"), ("y",)))
    assert JoinForm(op, (Bipolar(), Bipolar())).domain.bits <= 2
    check(network, StagePlan("join", 4, pixels=2, depth=4), 2, 0.8, 0.8)


@pytest.mark.parametrize("tail", [False, True])
def test_lanes_beyond_the_channels_leave_as_zero(tail):
    nodes = [Node("join", Mul(), ("p", "q"), ("a" if tail else "y",))]
    if tail:
        nodes.append(Node("act", staircase(np.random.default_rng(0), 5, "UINT2", reach=1, base=True), ("a",), ("y",)))
    network = image_network({"p": ("BIPOLAR", (1, 4, 5)), "q": ("BIPOLAR", (1, 4, 5))}, *nodes)
    check(network, StagePlan("join", 2, pixels=2, depth=3), 2, 1.0, 1.0)


def test_full_rate_needs_a_credit_for_every_word_in_flight():
    network = image_network({"p": ("UINT2", (3, 4, 2)), "q": ("INT5", (3, 4, 2))}, Node("join", Mul(), ("p", "q"), ("y",)))
    for depth, interval in ((4, 1), (2, 2)):
        dut, sources, _ = build(network, StagePlan("join", 1, depth=depth))
        assert dut.unit.latency == 2
        puts = [Source(i, [0] * e.words, None) for i, e in zip((dut.i0, dut.i1), sources, strict=True)]
        got = Sink(dut.o, None)
        run(dut, puts, [got], lambda got=got: len(got.record.words) == 24)
        # Credits come back in a fixed order: a full turn of them takes as many cycles as that many intervals.
        turns = np.array(got.record.cycles)
        assert set(turns[4 + depth :] - turns[4:-depth]) == {interval * depth}


@given(st.integers(-5000, 5000))
def test_signed_digits_are_few_and_add_up(n):
    digits = signed_digits(n)
    assert sum(sign << place for sign, place in digits) == n
    places = [place for _, place in digits]
    assert all(b - a >= 2 for a, b in pairwise(places))

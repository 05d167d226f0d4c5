"""Concat, split, padding and upsampling: every word in its place, every beat in its cycle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hwq.gateware.concat import ConcatStage
from hwq.gateware.pad import PadStage
from hwq.gateware.split import SplitStage
from hwq.gateware.upsample import UpsampleStage
from hwq.network.graph import Network, Node
from hwq.network.ops import Concat, Pad, Split, Upsample
from hwq.plan.moving_units import ConcatUnit, PadUnit, SplitUnit
from hwq.plan.plan import StagePlan
from hwq.plan.units import UpsampleUnit
from tests.gateware.cases import edges_of, first_unit, image_network, values
from tests.gateware.laws import concat_law, pad_law, split_law, upsample_law
from tests.gateware.stream import Sink, Source, edge_words, pipe, refusal, run, trace

RATES = st.sampled_from([(1.0, 1.0), (0.6, 1.0), (1.0, 0.4), (0.7, 0.6)])
ENCODINGS = ["BIPOLAR", "TERNARY", "UINT2", "INT5"]


def frames_of(network: Network, frames: int, rng: np.random.Generator) -> tuple[dict, dict]:
    """Random inputs and what they become."""
    x = {i.name: values(rng, i.encoding, (frames, *i.shape)) for i in network.inputs}
    return x, network.run(x)


@st.composite
def concats(draw: st.DrawFn) -> tuple[Network, StagePlan]:
    count, pixels, wide = draw(st.integers(2, 3)), draw(st.integers(1, 2)), draw(st.booleans())
    pe = draw(st.integers(1, 3))
    sizes = [draw(st.integers(1, 5)) if wide else pe * draw(st.integers(1, 3)) for _ in range(count)]
    same = draw(st.booleans())
    first = draw(st.sampled_from(ENCODINGS))
    inputs = {n: (first if same else draw(st.sampled_from(ENCODINGS)), (2, 2 * pixels, c)) for n, c in zip("pqr", sizes, strict=False)}
    network = image_network(inputs, Node("concat", Concat(), tuple(inputs), ("y",)))
    return network, StagePlan("concat", sum(sizes) if wide else pe, pixels=pixels, depth=draw(st.integers(1, 3)))


@settings(max_examples=15)
@given(concats(), RATES)
def test_concat_bits_and_cycles(case, rates):
    network, stage = case
    rng = np.random.default_rng(1)
    unit, dataflow = first_unit(network, ConcatUnit, stage)
    sources, (target,) = edges_of(dataflow, unit)
    tensors = network.tensors
    dut = ConcatStage(unit, sources, target, [tensors[s].encoding for s in unit.stage.sources], tensors["y"].encoding)
    x, golden = frames_of(network, 3, rng)
    puts = [
        Source(getattr(dut, f"i{k}"), edge_words(x[s], tensors[s].encoding, edge), trace(rng, rates[0]))
        for k, (s, edge) in enumerate(zip(unit.stage.sources, sources, strict=True))
    ]
    got = Sink(dut.o, trace(rng, rates[1]))
    expected = edge_words(golden["y"], tensors["y"].encoding, target)
    run(dut, puts, [got], lambda: len(got.record.words) >= len(expected))
    assert got.record.words == expected
    groups = 3 * target.height * target.columns
    law = concat_law(groups, list(unit.words), unit.depth, [p.allowed for p in puts], got.allowed, wide=unit.is_wide)
    assert ([p.record.cycles for p in puts], got.record.cycles) == law


@st.composite
def splits(draw: st.DrawFn) -> tuple[Network, StagePlan]:
    count, pixels, wide = draw(st.integers(2, 3)), draw(st.integers(1, 2)), draw(st.booleans())
    pe = draw(st.integers(1, 3))
    sizes = tuple(draw(st.integers(1, 5)) if wide else pe * draw(st.integers(1, 3)) for _ in range(count))
    dropped = draw(st.integers(0, count))
    targets = tuple("" if k == dropped else name for k, name in zip(range(count), "abc", strict=False))
    inputs = {"x": (draw(st.sampled_from(ENCODINGS)), (2, 2 * pixels, sum(sizes)))}
    network = image_network(inputs, Node("split", Split(sizes), ("x",), targets), outputs=tuple(t for t in targets if t))
    return network, StagePlan("split", sum(sizes) if wide else pe, pixels=pixels, depth=draw(st.integers(1, 3)))


@settings(max_examples=15)
@given(splits(), RATES)
def test_split_bits_and_cycles(case, rates):
    network, stage = case
    rng = np.random.default_rng(2)
    unit, dataflow = first_unit(network, SplitUnit, stage)
    (source,), targets = edges_of(dataflow, unit)
    dut = SplitStage(unit, source, targets)
    x, golden = frames_of(network, 3, rng)
    encoding = network.tensors["x"].encoding
    put = Source(dut.i, edge_words(x["x"], encoding, source), trace(rng, rates[0]))
    sinks = [Sink(getattr(dut, f"o{k}"), trace(rng, rates[1])) for k in range(len(targets))]
    expected = [edge_words(golden[name], encoding, edge) for name, edge in zip(network.outputs, targets, strict=True)]
    run(dut, [put], sinks, lambda: all(len(s.record.words) >= len(e) for s, e in zip(sinks, expected, strict=True)))
    assert [s.record.words for s in sinks] == expected
    groups = 3 * source.height * source.columns
    stalls = [s.allowed for s in sinks]
    law = split_law(groups, list(unit.words), list(unit.kept), unit.depth, put.allowed, stalls, wide=unit.is_wide)
    assert (put.record.cycles, [s.record.cycles for s in sinks]) == law


@settings(max_examples=15)
@given(
    st.sampled_from(ENCODINGS),
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4)),
    st.tuples(*[st.integers(0, 2)] * 4),
    st.sampled_from([0, 1, -1]),
    st.integers(1, 4),
    st.integers(1, 3),
    RATES,
)
@example("BIPOLAR", (1, 2, 3), (1, 0, 0, 1), 0, 2, 2, (1.0, 1.0))
@example("BIPOLAR", (1, 2, 3), (1, 0, 0, 1), -1, 2, 2, (1.0, 1.0))
def test_pad_bits_and_cycles(encoding, shape, padding, fill, pe, depth, rates):
    network = image_network({"x": (encoding, shape)}, Node("pad", Pad(padding, fill), ("x",), ("y",)))
    rng = np.random.default_rng(3)
    unit, dataflow = first_unit(network, PadUnit, StagePlan("pad", min(pe, shape[2]), depth=depth))
    (source,), (target,) = edges_of(dataflow, unit)
    x, y = network.tensors["x"].encoding, network.tensors["y"].encoding
    dut = PadStage(unit, source, target, x, y)
    put_in, golden = frames_of(network, 3, rng)
    expected = edge_words(golden["y"], y, target)
    idles, stalls = trace(rng, rates[0]), trace(rng, rates[1])
    put, got = Source(dut.i, edge_words(put_in["x"], x, source), idles), Sink(dut.o, stalls)
    run(dut, [put], [got], lambda: len(got.record.words) >= len(expected))
    assert got.record.words == expected
    top, left, bottom, right = padding
    inside = np.pad(np.ones((*shape[:2], unit.words), bool), ((top, bottom), (left, right), (0, 0))).ravel().tolist()
    assert (put.record.cycles, got.record.cycles) == pad_law(inside * 3, len(inside), depth, idles, stalls)


@settings(max_examples=15)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.integers(1, 4),
    st.integers(0, 5),
    st.integers(1, 5),
    RATES,
)
def test_upsample_bits_and_cycles(shape, factor, pe, more, depth, rates):
    network = image_network({"x": ("INT5", shape)}, Node("up", Upsample(factor), ("x",), ("y",)))
    rng = np.random.default_rng(4)
    lanes = min(pe, shape[2])
    words = -(-shape[2] // lanes)
    buffer = (words * shape[1] if factor[0] > 1 else words) + more
    unit, dataflow = first_unit(network, UpsampleUnit, StagePlan("up", lanes, depth=depth, buffer=buffer))
    (source,), (target,) = edges_of(dataflow, unit)
    dut = UpsampleStage(unit, source, target)
    put_in, golden = frames_of(network, 3, rng)
    encoding = network.tensors["x"].encoding
    expected = edge_words(golden["y"], encoding, target)
    idles, stalls = trace(rng, rates[0]), trace(rng, rates[1])
    put, got = pipe(dut, edge_words(put_in["x"], encoding, source), len(expected), source=idles, sink=stalls)
    assert got.words == expected
    law = upsample_law(3 * unit.height, unit.columns, unit.words, unit.factor, buffer, depth, unit.latency, idles, stalls)
    assert (put.cycles, got.cycles) == law


def test_upsample_refuses_a_buffer_that_cannot_hold_a_row():
    network = image_network({"x": ("INT5", (2, 3, 2))}, Node("up", Upsample((2, 1)), ("x",), ("y",)))
    unit, dataflow = first_unit(network, UpsampleUnit, StagePlan("up", 1, buffer=5))
    (source,), (target,) = edges_of(dataflow, unit)
    assert refusal(lambda: UpsampleStage(unit, source, target)) == "the buffer must hold what repeats: buffer=5, at least 6"


@pytest.mark.parametrize("factor", [(1, 1), (1, 3), (2, 1), (2, 2)])
def test_upsample_runs_at_full_rate_with_two_rows(factor):
    network = image_network({"x": ("INT5", (4, 6, 2))}, Node("up", Upsample(factor), ("x",), ("y",)))
    unit, dataflow = first_unit(network, UpsampleUnit, StagePlan("up", 1, depth=4, buffer=24))
    (source,), (target,) = edges_of(dataflow, unit)
    _, got = pipe(UpsampleStage(unit, source, target), [0] * source.words, target.words)
    assert set(np.diff(got.cycles)[12 * factor[1] :]) == {1}

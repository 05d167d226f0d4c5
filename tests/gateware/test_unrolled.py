"""Unrolled contractions: bit-exact with the network's ops, every word in the cycle of the law, for any window, word and stall."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Fragment

from hwq.errors import InputError
from hwq.fabric.unroll import layer
from hwq.gateware.parts import Parts
from hwq.gateware.unrolled import UnrolledConvStage, UnrolledDenseStage
from hwq.network.graph import Network
from hwq.network.ops import Window
from hwq.plan.dataflow import dataflow_of
from hwq.plan.plan import StagePlan
from hwq.plan.units import UnrolledConv, UnrolledDense
from tests.gateware.cases import chain, dense, plan_of, requantizer, staircase, values
from tests.gateware.images import convolution, image_chain, image_words
from tests.gateware.laws import pipe_law, slide_law
from tests.gateware.plain_layer import plain_layer
from tests.gateware.stream import pipe, trace


@pytest.fixture(autouse=True)
def plain_circuits(monkeypatch):
    """What stands around the circuits is looked at here: they are made the plain way."""
    monkeypatch.setattr(layer, "unrolled_layer", plain_layer)


RATES = [(1.0, 1.0), (0.7, 0.5)]


def build(network: Network, simd: int, *, buffer: int = 0, depth: int = 9, **options):
    """The one stage of a network, unrolled; ``buffer`` 0: two rows more than a window needs."""
    conv = network.nodes[0]
    mh = conv.op.mh

    def unit_of(buffer: int):
        stage = StagePlan(conv.name, mh, simd, style="unrolled", memory="logic", buffer=buffer, depth=depth, **options)
        dataflow = dataflow_of(network, plan_of(network, stage, bus=8))
        return next(u for u in dataflow.units if isinstance(u, UnrolledConv | UnrolledDense)), dataflow

    unit, dataflow = unit_of(2)
    if isinstance(unit, UnrolledConv):
        unit, dataflow = unit_of(buffer or unit.geometry.least_buffer + 2 * unit.geometry.row)
    x, out = (network.tensors[t].encoding for t in (unit.stage.source, unit.stage.target))
    made = UnrolledConvStage if isinstance(unit, UnrolledConv) else UnrolledDenseStage
    return made(unit, dataflow.edges[unit.inputs[0]], dataflow.edges[unit.outputs[0]], x, out, Parts())


def check(network: Network, dut, frames: int, idle: float, stall: float) -> list[int]:
    """Bits and every cycle; returns the cycles of the output words."""
    rng = np.random.default_rng(frames)
    source, sink = trace(rng, idle), trace(rng, stall)
    unit = dut.unit
    x_encoding, out = network.tensors["x"].encoding, network.tensors[network.outputs[0]].encoding
    x = values(rng, x_encoding, (frames, *network.inputs[0].shape))
    expected = image_words(out.encode(network.run({"x": x})[network.outputs[0]]), out.bits, dut.op.mh)
    words = image_words(x_encoding.encode(x), x_encoding.bits, dut.elements)
    put, got = pipe(dut, words, len(expected), source=source, sink=sink)
    assert got.words == expected
    if isinstance(unit, UnrolledDense):
        law = pipe_law(len(words), unit.depth, unit.latency, source, sink, reads=unit.words)
    else:
        g = unit.geometry
        law = slide_law((g.height, g.width, g.words), g.window, frames, unit.buffer, unit.depth, unit.latency, source, sink)
    assert (put.cycles, got.cycles) == (law[0][: len(put.cycles)], law[1])
    return got.cycles


@pytest.mark.parametrize(("idle", "stall"), RATES)
@pytest.mark.parametrize(("mw", "mh", "simd"), [(12, 6, 12), (13, 7, 4), (9, 4, 1)])
def test_binary_layer_with_sign(mw, mh, simd, idle, stall):
    rng = np.random.default_rng(mw)
    network = chain("BIPOLAR", mw, dense(rng, mw, mh, "BIPOLAR"), staircase(rng, mh, "BIPOLAR", reach=mw // 2, steps="mixed"))
    check(network, build(network, simd), 8, idle, stall)


def test_a_vector_a_cycle():
    rng = np.random.default_rng(1)
    network = chain("BIPOLAR", 12, dense(rng, 12, 5, "BIPOLAR"), staircase(rng, 5, "BIPOLAR", reach=6))
    cycles = check(network, build(network, 12), 20, 1.0, 1.0)
    assert np.diff(cycles).tolist() == [1] * 19


ENCODINGS = [("BIPOLAR", "TERNARY"), ("TERNARY", "TERNARY"), ("UINT2", "INT2"), ("INT4", "BIPOLAR"), ("UINT5", "INT4")]


@pytest.mark.parametrize(("activation", "weight"), ENCODINGS)
@pytest.mark.parametrize("tail", ["integers", "thresholds", "requantize"])
def test_every_encoding_and_activation(activation, weight, tail):
    rng = np.random.default_rng(3)
    ops = [dense(rng, 6, 5, weight)]
    if tail == "thresholds":
        ops.append(staircase(rng, 5, "UINT2", reach=9, steps="mixed"))
    elif tail == "requantize":
        ops.append(requantizer(rng, 5, "INT4", 3))
    network = chain(activation, 6, *ops)
    check(network, build(network, 4), 6, 0.8, 0.7)


WINDOWS = {
    "3x3 same": ((4, 5, 2), Window((3, 3), padding=(1, 1, 1, 1))),
    "3x3 valid": ((5, 4, 1), Window((3, 3))),
    "stride 2": ((6, 5, 2), Window((3, 3), (2, 2), (1, 1, 1, 1))),
    "stride over kernel": ((7, 7, 1), Window((1, 1), (3, 3))),
    "asymmetric": ((4, 5, 2), Window((2, 3), (1, 2), (1, 0, 0, 2))),
    "dilated": ((6, 6, 1), Window((2, 3), (1, 1), (0, 2, 1, 2), (3, 2))),
    "one dimension": ((1, 9, 2), Window((1, 5), (1, 2), (0, 2, 0, 2))),
    "whole image": ((3, 3, 2), Window((3, 3))),
    "one column": ((6, 1, 3), Window((3, 1), padding=(1, 0, 1, 0))),
    "wide": ((3, 8, 1), Window((1, 7), padding=(0, 3, 0, 3))),
}


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize(("activation", "idle", "stall"), [("BIPOLAR", 1.0, 1.0), ("UINT2", 0.7, 0.5)])
def test_windows(name, activation, idle, stall):
    shape, window = WINDOWS[name]
    rng = np.random.default_rng(4)
    conv = convolution(rng, 2, shape[2], window, "BIPOLAR")
    network = image_chain(activation, shape, conv, staircase(rng, 2, "BIPOLAR", reach=4))
    check(network, build(network, max(1, shape[2] - 1)), 2, idle, stall)


@pytest.mark.parametrize("activation", ["BIPOLAR", "INT2"])
def test_sums_at_borders(activation):
    """An odd number of channels: what the padding takes away is odd, too."""
    rng = np.random.default_rng(5)
    network = image_chain(activation, (3, 4, 3), convolution(rng, 2, 3, Window((3, 3), padding=(1, 1, 1, 1)), "BIPOLAR"))
    check(network, build(network, 3), 3, 1.0, 1.0)


@pytest.mark.parametrize("groups", [2, 4])
def test_groups(groups):
    rng = np.random.default_rng(6)
    conv = convolution(rng, 8, 4, Window((3, 3), padding=(1, 1, 1, 1)), "BIPOLAR", groups=groups)
    network = image_chain("BIPOLAR", (4, 4, 4), conv, staircase(rng, 8, "BIPOLAR", reach=4))
    check(network, build(network, 4 if groups == 2 else 1), 3, 0.8, 0.8)


@pytest.mark.parametrize("extra", [0, 1, 2, 5])
def test_buffer_changes_cycles_as_the_law_says_and_no_bit(extra):
    rng = np.random.default_rng(7)
    network = image_chain("BIPOLAR", (5, 4, 2), convolution(rng, 2, 2, Window((3, 3), padding=(1, 1, 1, 1)), "BIPOLAR"))
    # Two rows of 4 pixels of 2 words, and the word itself.
    least = 2 * 4 * 2 + 1
    check(network, build(network, 1, buffer=least + extra, depth=3), 3, 0.9, 0.8)


def test_a_window_a_cycle():
    rng = np.random.default_rng(8)
    network = image_chain("BIPOLAR", (4, 6, 2), convolution(rng, 2, 2, Window((3, 3), padding=(1, 1, 1, 1)), "BIPOLAR"))
    cycles = check(network, build(network, 2, depth=16), 5, 1.0, 1.0)
    # One more at the end of a frame: the first column of the next.
    assert cycles[-1] - cycles[-1 - 4 * 6] == 4 * 6 + 1


def test_a_circuit_that_is_not_the_one_of_the_plan_is_refused() -> None:
    network = chain("BIPOLAR", 4, dense(np.random.default_rng(0), 4, 3, "BIPOLAR"))
    stage = StagePlan(network.nodes[0].name, 3, 2, style="unrolled", memory="logic")
    plan = replace(plan_of(network, stage, bus=8), circuits=((stage.name, 77),))
    dataflow = dataflow_of(network, plan)
    unit = next(u for u in dataflow.units if isinstance(u, UnrolledDense))
    assert unit.latency >= 77
    x, out = (network.tensors[t].encoding for t in (unit.stage.source, unit.stage.target))
    dut = UnrolledDenseStage(unit, dataflow.edges[unit.inputs[0]], dataflow.edges[unit.outputs[0]], x, out, Parts())
    with pytest.raises(InputError) as caught:
        Fragment.get(dut, None)
    assert caught.value.code == "PLAN-CIRCUIT"

"""Stages without weights: threshold or requantize alone, argmax."""

from __future__ import annotations

import numpy as np
import pytest

from hwq.gateware.argmax import ArgMaxStage
from hwq.gateware.elementwise import ElementwiseStage
from hwq.gateware.parts import Parts
from hwq.gateware.topk import TopKStage
from hwq.network.graph import Network
from hwq.network.ops import ArgMax, Threshold, TopK
from hwq.numerics.encoding import Bipolar
from hwq.numerics.rounding import Rounding
from hwq.plan.dataflow import dataflow_of
from hwq.plan.moving_units import ArgMaxUnit, TopKUnit
from hwq.plan.plan import StagePlan
from hwq.plan.units import Edge, Elementwise
from tests.gateware.cases import chain, plan_of, requantizer, staircase, values
from tests.gateware.laws import pipe_law
from tests.gateware.stream import pipe, trace, words_of

RATES = [(1.0, 1.0), (0.7, 0.5)]


def unit_of(network: Network, kind: type, pe: int, depth: int):
    plan = plan_of(network, StagePlan(network.nodes[0].name, pe=pe, depth=depth))
    dataflow = dataflow_of(network, plan)
    return next(u for u in dataflow.units if isinstance(u, kind)), dataflow.edges


def run(network: Network, dut, elements: int, vectors: int, idle: float, stall: float):
    rng = np.random.default_rng(1)
    source, sink = trace(rng, idle), trace(rng, stall)
    tensor, target = network.tensors["x"], network.tensors["t0"]
    x = values(rng, tensor.encoding, (vectors, *tensor.shape))
    golden = network.run({"x": x})["t0"].reshape(vectors, -1)
    words = words_of(tensor.encoding.encode(x).reshape(vectors, -1), tensor.encoding.bits, elements)
    out_elements = dut.o.payload.shape().elem_shape.length
    expected = words_of(target.encoding.encode(golden), target.encoding.bits, out_elements)
    put, got = pipe(dut, words, len(expected), source=source, sink=sink)
    assert got.words == expected
    return put.cycles, got.cycles, len(words), source, sink


@pytest.mark.parametrize(("idle", "stall"), RATES)
@pytest.mark.parametrize(
    ("source", "out", "pe", "kind"),
    [
        ("UINT8", "BIPOLAR", 3, "up"),
        ("INT5", "UINT3", 4, "mixed"),
        ("INT5", "INT2", 10, "down"),
        ("BIPOLAR", "UINT1", 5, "mixed"),
        ("UINT8", "INT4", 4, "floor"),
        ("INT6", "UINT4", 3, "half_even"),
    ],
)
def test_elementwise_bits_and_cycles(source, out, pe, kind, idle, stall):
    rng = np.random.default_rng(9)
    is_staircase = kind in ("up", "down", "mixed")
    op = staircase(rng, 10, out, reach=12, steps=kind) if is_staircase else requantizer(rng, 10, out, 4, Rounding(kind))
    network = chain(source, 10, op)
    unit, edges = unit_of(network, Elementwise, pe, 4)
    x, y = network.tensors["x"].encoding, network.tensors["t0"].encoding
    edge = Edge("in", pe, x.bits, 10)
    dut = ElementwiseStage(unit, edge, edges[unit.outputs[0]], x, y, Parts())
    law_in, law_out, count, source_trace, sink_trace = run(network, dut, pe, 6, idle, stall)
    assert (law_in, law_out) == pipe_law(count, 4, unit.latency, source_trace, sink_trace)


@pytest.mark.parametrize(("idle", "stall"), RATES)
@pytest.mark.parametrize(
    ("source", "channels", "pe"), [("INT8", 10, 4), ("UINT4", 10, 1), ("INT3", 7, 7), ("BIPOLAR", 9, 2), ("INT5", 5, 3)]
)
def test_argmax_takes_the_lowest_index_of_equals(source, channels, pe, idle, stall):
    network = chain(source, channels, ArgMax())
    unit, edges = unit_of(network, ArgMaxUnit, pe, 2)
    x = network.tensors["x"].encoding
    dut = ArgMaxStage(unit, Edge("in", pe, x.bits, channels), edges[unit.outputs[0]], x)
    law_in, law_out, count, source_trace, sink_trace = run(network, dut, pe, 30, idle, stall)
    assert (law_in, law_out) == pipe_law(count, 2, unit.latency, source_trace, sink_trace, reads=unit.words)


@pytest.mark.parametrize(("idle", "stall"), RATES)
@pytest.mark.parametrize(
    ("source", "channels", "pe", "k"),
    [("INT8", 10, 4, 3), ("UINT2", 10, 1, 5), ("INT3", 7, 7, 7), ("BIPOLAR", 9, 2, 4), ("UINT2", 12, 5, 2), ("INT5", 5, 3, 1)],
)
def test_topk_in_order_and_the_lowest_index_of_equals(source, channels, pe, k, idle, stall):
    network = chain(source, channels, TopK(k))
    unit, edges = unit_of(network, TopKUnit, pe, 3)
    x = network.tensors["x"].encoding
    dut = TopKStage(unit, Edge("in", pe, x.bits, channels), edges[unit.outputs[0]], x)
    law_in, law_out, count, source_trace, sink_trace = run(network, dut, pe, 40, idle, stall)
    assert (law_in, law_out) == pipe_law(count, 3, unit.latency, source_trace, sink_trace, reads=unit.words)


@pytest.mark.parametrize("base", [0, 1])
def test_staircase_without_steps_is_a_constant(base):
    none = np.zeros((1, 0), np.int64)
    network = chain("UINT4", 5, Threshold(none, none, np.array([base]), Bipolar()))
    unit, edges = unit_of(network, Elementwise, 2, 4)
    dut = ElementwiseStage(unit, Edge("in", 2, 4, 5), edges[unit.outputs[0]], network.tensors["x"].encoding, Bipolar(), Parts())
    run(network, dut, 2, 3, 1.0, 1.0)

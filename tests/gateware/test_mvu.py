"""The matrix-vector unit: bit-exact with the network's ops, in the cycles of its law, for every fold, encoding and stall."""

from __future__ import annotations

import numpy as np
import pytest

from hwq.errors import InputError
from hwq.gateware.mvu import MvuStage, weight_words
from hwq.gateware.parts import Parts
from hwq.network.graph import Network
from hwq.network.ops import Saturating
from hwq.numerics.rounding import Rounding
from hwq.plan.dataflow import Mvu, dataflow_of
from hwq.plan.latency import egress_floor
from hwq.plan.plan import StagePlan
from tests.gateware.cases import chain, dense, plan_of, requantizer, staircase, values
from tests.gateware.laws import mvu_law
from tests.gateware.stream import pipe, trace, words_of

RATES = [(1.0, 1.0), (0.7, 0.5), (1.0, 0.2)]


def build(network: Network, pe: int, simd: int, *, buffer: int = 0, depth: int = 3, memory: str = "lutram") -> MvuStage:
    """The one stage of a network; ``buffer`` 0: two vectors."""
    conv = network.nodes[0]
    sf = -(-conv.op.mw // simd)
    plan = plan_of(network, StagePlan(conv.name, pe, simd, buffer=buffer or 2 * sf, depth=depth, memory=memory))
    dataflow = dataflow_of(network, plan)
    unit = next(u for u in dataflow.units if isinstance(u, Mvu))
    x, out = (network.tensors[t].encoding for t in (unit.stage.source, unit.stage.target))
    return MvuStage(unit, dataflow.edges[unit.inputs[0]], dataflow.edges[unit.outputs[0]], x, out, Parts())


def check(network: Network, dut: MvuStage, vectors: int, idle: float, stall: float) -> list[int]:
    """Bits and every cycle; returns the cycles of the output words."""
    rng = np.random.default_rng(vectors)
    source, sink = trace(rng, idle), trace(rng, stall)
    x_encoding, out = network.tensors["x"].encoding, network.tensors[network.outputs[0]].encoding
    x = values(rng, x_encoding, (vectors, 1, 1, network.inputs[0].shape[2]))
    golden = network.run({"x": x})[network.outputs[0]].reshape(vectors, -1)
    edge_in = dut.i.payload.shape().elem_shape.length
    expected = words_of(out.encode(golden), out.bits, dut.unit.plan.pe)
    put, got = pipe(
        dut, words_of(x_encoding.encode(x).reshape(vectors, -1), x_encoding.bits, edge_in), len(expected), source=source, sink=sink
    )
    assert got.words == expected
    unit = dut.unit
    law_in, law_out = mvu_law(vectors, unit.sf, unit.nf, unit.buffer, unit.depth, unit.latency, source, sink)
    assert (put.cycles[: len(law_in)], got.cycles) == (law_in, law_out)
    return got.cycles


@pytest.mark.parametrize(("idle", "stall"), RATES)
@pytest.mark.parametrize(
    ("mw", "mh", "pe", "simd"),
    [(12, 6, 2, 4), (13, 7, 3, 4), (10, 5, 5, 10), (9, 4, 1, 1), (11, 8, 5, 11), (64, 20, 20, 32)],
)
def test_binary_layer_with_sign(mw, mh, pe, simd, idle, stall):
    rng = np.random.default_rng(mw)
    network = chain("BIPOLAR", mw, dense(rng, mw, mh, "BIPOLAR"), staircase(rng, mh, "BIPOLAR", reach=mw // 2))
    check(network, build(network, pe, simd), 5, idle, stall)


ENCODINGS = [
    ("BIPOLAR", "TERNARY"),
    ("TERNARY", "BIPOLAR"),
    ("TERNARY", "TERNARY"),
    ("UINT2", "INT2"),
    ("UINT4", "BIPOLAR"),
    ("BIPOLAR", "INT8"),
    ("INT8", "INT4"),
    ("UINT8", "INT8"),
]


@pytest.mark.parametrize(("activation", "weight"), ENCODINGS)
@pytest.mark.parametrize(("pe", "simd"), [(2, 3), (5, 11)])
def test_integers_of_every_encoding_without_activation(activation, weight, pe, simd):
    rng = np.random.default_rng(3)
    network = chain(activation, 11, dense(rng, 11, 5, weight))
    check(network, build(network, pe, simd), 4, 0.8, 0.6)


@pytest.mark.parametrize(
    ("out", "steps", "shared"),
    [
        ("BIPOLAR", "up", True),
        ("BIPOLAR", "down", False),
        ("BIPOLAR", "mixed", False),
        ("TERNARY", "mixed", True),
        ("UINT2", "up", False),
        ("INT3", "down", True),
        ("UINT4", "mixed", False),
        ("UINT4", "up", True),
    ],
)
def test_thresholds_of_either_direction(out, steps, shared):
    rng = np.random.default_rng(5)
    network = chain("INT4", 10, dense(rng, 10, 7, "INT4"), staircase(rng, 7, out, reach=60, steps=steps, shared=shared))
    check(network, build(network, 3, 5), 6, 0.9, 0.7)


@pytest.mark.parametrize("rounding", [Rounding.FLOOR, Rounding.HALF_EVEN])
@pytest.mark.parametrize(("source", "out", "shift"), [("INT8", "INT8", 9), ("BIPOLAR", "UINT4", 4), ("UINT4", "FIXED<6,3>", 0)])
def test_requantize(source, out, shift, rounding):
    rng = np.random.default_rng(6)
    network = chain(source, 12, dense(rng, 12, 5, "TERNARY"), requantizer(rng, 5, out, shift, rounding))
    check(network, build(network, 2, 4), 8, 0.9, 0.7)


@pytest.mark.parametrize(("mw", "chunk", "simd"), [(24, 8, 4), (22, 8, 4), (22, 8, 8), (7, 8, 3), (7, 16, 7)])
@pytest.mark.parametrize(("activation", "weight", "bits"), [("BIPOLAR", "BIPOLAR", 3), ("UINT4", "BIPOLAR", 6)])
def test_saturating_accumulation(activation, weight, bits, mw, chunk, simd):
    rng = np.random.default_rng(7)
    conv = dense(rng, mw, 5, weight, Saturating(bits, chunk))
    network = chain(activation, mw, conv)
    clipped = np.abs(network.run({"x": values(rng, network.tensors["x"].encoding, (64, 1, 1, mw))})["t0"])
    assert clipped.max() >= (1 << (bits - 1)) - 1, "no case saturates"
    check(network, build(network, 2, simd), 5, 0.8, 0.6)


@pytest.mark.parametrize("out", ["BIPOLAR", "UINT2"])
def test_staircase_behind_saturation(out):
    rng = np.random.default_rng(8)
    network = chain("INT3", 20, dense(rng, 20, 6, "INT3", Saturating(5, 4)), staircase(rng, 6, out, reach=14))
    check(network, build(network, 4, 4), 6, 1.0, 1.0)


@pytest.mark.parametrize(("buffer", "depth"), [(3, 1), (3, 4), (4, 2), (5, 4), (6, 1), (9, 4)])
def test_buffer_and_depth_change_cycles_as_the_law_says_and_no_bit(buffer, depth):
    rng = np.random.default_rng(buffer)
    network = chain("BIPOLAR", 12, dense(rng, 12, 6, "BIPOLAR"), staircase(rng, 6, "BIPOLAR", reach=5))
    check(network, build(network, 3, 4, buffer=buffer, depth=depth), 6, 1.0, 1.0)


@pytest.mark.parametrize(("pe", "simd"), [(6, 4), (2, 4), (6, 12), (1, 3)])
def test_full_rate_at_the_egress_floor(pe, simd):
    rng = np.random.default_rng(1)
    network = chain("BIPOLAR", 12, dense(rng, 12, 6, "BIPOLAR"), staircase(rng, 6, "BIPOLAR", reach=5))
    sf, nf = 12 // simd, 6 // pe
    units = dataflow_of(network, plan_of(network, StagePlan("conv0", pe, simd))).units
    latency = next(u for u in units if isinstance(u, Mvu)).latency
    cycles = check(network, build(network, pe, simd, depth=egress_floor(latency, sf)), 8, 1.0, 1.0)
    assert set(np.diff(cycles[nf - 1 :: nf])[2:]) == {sf * nf}


@pytest.mark.parametrize("memory", ["logic", "lutram", "block"])
def test_memory_kind_changes_nothing(memory):
    rng = np.random.default_rng(2)
    network = chain("BIPOLAR", 12, dense(rng, 12, 6, "BIPOLAR"), staircase(rng, 6, "BIPOLAR", reach=5))
    check(network, build(network, 2, 4, memory=memory), 3, 1.0, 1.0)


def test_weight_words_are_neuron_fold_major_and_padded():
    rng = np.random.default_rng(4)
    conv = dense(rng, 5, 3, "INT4")
    codes = conv.weight_encoding.encode(conv.matrix)
    words = weight_words(conv, 0, 2, 3)
    assert len(words) == 4
    assert words[1] == sum(int(codes[p, 3 + k]) << (4 * (3 * p + k)) for p in range(2) for k in range(2))
    assert words[2] == sum(int(codes[2, k]) << (4 * k) for k in range(3))


def test_simd_must_divide_the_chunk_of_a_saturating_accumulation():
    rng = np.random.default_rng(4)
    network = chain("INT4", 20, dense(rng, 20, 3, "INT4", Saturating(6, 8)))
    with pytest.raises(InputError, match="simd = 3 does not divide"):
        build(network, 1, 3)

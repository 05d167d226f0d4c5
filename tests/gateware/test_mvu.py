"""The matrix-vector unit: bit-exact with the network's ops, in the cycles of its law, for every fold, encoding and stall."""

from __future__ import annotations

import numpy as np
import pytest

from hwq.errors import InputError
from hwq.fabric.weight_code import WeightCode
from hwq.gateware.mvu import MvuStage, weight_words
from hwq.gateware.parts import Parts
from hwq.network.graph import Network
from hwq.network.ops import Saturating, Window
from hwq.numerics.rounding import Rounding
from hwq.plan.dataflow import dataflow_of
from hwq.plan.domain import words_per_vector
from hwq.plan.geometry import ceil_div
from hwq.plan.plan import StagePlan
from hwq.plan.units import Mvu
from tests.gateware.cases import chain, dense, plan_of, requantizer, staircase, values
from tests.gateware.images import check_after_reset, check_stage, convolution, image_chain
from tests.gateware.laws import mvu_law
from tests.gateware.stream import pipe, trace, words_of

RATES = [(1.0, 1.0), (0.7, 0.5), (1.0, 0.2)]


def build(network: Network, pe: int, simd: int, *, buffer: int = 0, depth: int = 3, **options) -> MvuStage:
    """The one stage of a network; ``buffer`` 0: two vectors."""
    conv = network.nodes[0]
    sf = words_per_vector(conv.op, simd)
    plan = plan_of(network, StagePlan(conv.name, pe, simd, buffer=buffer or 2 * sf, depth=depth, **options))
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


@pytest.mark.parametrize(
    ("activation", "weight", "mw", "mh", "pe", "simd", "out", "word"),
    [
        ("BIPOLAR", "BIPOLAR", 24, 6, 6, 4, "BIPOLAR", 12),
        ("UINT2", "TERNARY", 13, 7, 5, 4, "UINT2", 12),
        ("INT8", "INT8", 30, 5, 3, 4, "", 24),
        ("INT16", "INT16", 6, 3, 2, 3, "", 48),
    ],
)
def test_accumulators_in_words_of_slices(activation, weight, mw, mh, pe, simd, out, word):
    rng = np.random.default_rng(mw)
    ops = [dense(rng, mw, mh, weight), *([staircase(rng, mh, out, reach=mw // 2)] if out else [])]
    network = chain(activation, mw, *ops)
    dut = build(network, pe, simd, accumulator="dsp")
    assert dut.form.slice_word == word
    check(network, dut, 6, 0.8, 0.6)


@pytest.mark.parametrize(
    ("activation", "weight", "mw", "mh", "pe", "simd", "out", "rows"),
    [
        ("UINT4", "INT4", 12, 8, 4, 4, "UINT4", 4),
        ("INT4", "INT4", 12, 7, 4, 3, "INT4", 4),
        ("INT4", "INT4", 12, 5, 5, 12, "UINT4", 3),
        ("INT8", "INT8", 12, 5, 3, 4, "", 2),
        ("UINT8", "UINT8", 10, 5, 5, 2, "UINT8", 2),
        ("UINT8", "INT8", 12, 6, 2, 12, "", 2),
    ],
)
def test_rows_that_share_slices(activation, weight, mw, mh, pe, simd, out, rows):
    rng = np.random.default_rng(mw)
    network = chain(activation, mw, dense(rng, mw, mh, weight), *([staircase(rng, mh, out, reach=mw // 2)] if out else []))
    dut = build(network, pe, simd, multiplier="dsp")
    assert dut.form.rows == rows
    check(network, dut, 5, 0.8, 0.6)


def test_rows_that_share_slices_to_multiply_and_to_add():
    """Three rows a slice multiply, four words a slice add: twelve rows belong together, three of them exist."""
    network = chain("INT4", 9, dense(np.random.default_rng(9), 9, 6, "INT4"))
    dut = build(network, 3, 3, multiplier="dsp", accumulator="dsp")
    assert (dut.form.lane.rows, dut.form.slice_word, dut.form.rows) == (3, 12, 12)
    check(network, dut, 5, 0.8, 0.6)


@pytest.mark.parametrize("pe", [2, 3])
def test_rows_that_share_slices_saturate_and_mask_apart(pe):
    rng = np.random.default_rng(4)
    network = chain("INT8", 12, dense(rng, 12, 5, "INT8", Saturating(14, 4)))
    dut = build(network, pe, 4, multiplier="dsp")
    assert (dut.form.rows, dut.form.contraction.row_bits) == (2, 0)
    check(network, dut, 5, 0.8, 0.6)


def test_accumulators_stay_in_luts_where_nothing_is_left_to_add():
    rng = np.random.default_rng(1)
    network = chain("BIPOLAR", 12, dense(rng, 12, 6, "BIPOLAR"))
    dut = build(network, 6, 12, accumulator="dsp")
    assert not dut.form.slice_word
    check(network, dut, 4, 1.0, 1.0)


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
    cycles = check(network, build(network, pe, simd, depth=ceil_div(latency + 2, sf)), 8, 1.0, 1.0)
    assert set(np.diff(cycles[nf - 1 :: nf])[2:]) == {sf * nf}


@pytest.mark.parametrize("memory", ["logic", "lutram", "block"])
def test_memory_kind_changes_nothing(memory):
    rng = np.random.default_rng(2)
    network = chain("BIPOLAR", 12, dense(rng, 12, 6, "BIPOLAR"), staircase(rng, 6, "BIPOLAR", reach=5))
    check(network, build(network, 2, 4, memory=memory), 3, 1.0, 1.0)


def windowed(network: Network, pe: int, simd: int, *, extra: int = 2, depth: int = 3, **plan) -> MvuStage:
    """The stage of a convolution with ``extra`` words of buffer more than it must have."""
    name = network.nodes[0].name
    draft = plan_of(network, StagePlan(name, pe, simd, **plan))
    g = next(u for u in dataflow_of(network, draft).units if isinstance(u, Mvu)).geometry
    return build(network, pe, simd, buffer=g.least_buffer + extra, depth=depth, **plan)


CONVOLUTIONS = {
    "3x3 same": ((5, 6, 4), Window((3, 3), padding=(1, 1, 1, 1)), 6, 1, 2, 2, 1),
    "3x3 same, ragged": ((4, 5, 3), Window((3, 3), padding=(1, 1, 1, 1)), 5, 1, 2, 2, 1),
    "stride 2": ((6, 5, 2), Window((3, 3), (2, 2), (1, 1, 1, 1)), 4, 1, 4, 2, 1),
    "asymmetric, dilated": ((5, 6, 2), Window((2, 3), (1, 1), (1, 0, 0, 2), (2, 1)), 3, 1, 2, 1, 1),
    "groups": ((4, 4, 6), Window((3, 3), padding=(1, 1, 1, 1)), 8, 2, 2, 3, 1),
    "one dimension": ((1, 12, 3), Window((1, 5), (1, 2), (0, 2, 0, 2)), 4, 1, 4, 3, 1),
    "V = 2": ((4, 6, 4), Window((3, 3), padding=(1, 1, 1, 1)), 5, 1, 3, 2, 2),
    "V = 2, stride 2, groups": ((4, 8, 4), Window((3, 3), (2, 2), (1, 1, 1, 1)), 4, 2, 2, 1, 2),
    "1x1": ((3, 4, 4), Window((1, 1)), 3, 1, 3, 2, 1),
    "fully connected": ((3, 3, 3), Window((3, 3)), 7, 1, 2, 2, 1),
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
@pytest.mark.parametrize(
    ("activation", "weight", "out"), [("BIPOLAR", "BIPOLAR", "BIPOLAR"), ("UINT2", "TERNARY", "UINT2"), ("INT4", "BIPOLAR", "")]
)
def test_convolution(case, activation, weight, out):
    shape, window, outputs, groups, pe, simd, pixels = CONVOLUTIONS[case]
    rng = np.random.default_rng(len(case))
    conv = convolution(rng, outputs, shape[2], window, weight, groups=groups)
    ops = [conv, staircase(rng, outputs, out, reach=conv.mw // 2)] if out else [conv]
    stalled = activation != "UINT2"
    check_stage(
        image_chain(activation, shape, *ops),
        windowed(image_chain(activation, shape, *ops), pe, simd, pixels=pixels),
        2,
        0.7 if stalled else 1,
        0.6 if stalled else 1,
    )


@pytest.mark.parametrize(("channels", "simd", "weight"), [(3, 2, "BIPOLAR"), (4, 4, "INT4"), (3, 3, "TERNARY"), (5, 2, "INT4")])
def test_masked_taps_of_bipolar_images_on_the_integers(channels, simd, weight):
    rng = np.random.default_rng(9)
    conv = convolution(rng, 3, channels, Window((2, 3), padding=(1, 1, 0, 1)), weight)
    network = image_chain("BIPOLAR", (3, 4, channels), conv)
    check_stage(network, windowed(network, 3, simd), 2, 1.0, 1.0)


@pytest.mark.parametrize(("channels", "chunk", "simd"), [(4, 2, 2), (4, 8, 4), (3, 6, 2), (3, 100, 2)])
@pytest.mark.parametrize("activation", ["BIPOLAR", "INT3"])
def test_padding_takes_its_place_in_the_chunks_of_a_saturating_accumulation(channels, chunk, simd, activation):
    rng = np.random.default_rng(10)
    conv = convolution(rng, 4, channels, Window((3, 3), padding=(1, 1, 1, 1)), "BIPOLAR", accumulation=Saturating(3, chunk))
    network = image_chain(activation, (3, 4, channels), conv)
    check_stage(network, windowed(network, 2, simd), 2, 0.8, 0.9)


@pytest.mark.parametrize("extra", [0, 1, 3, 9])
@pytest.mark.parametrize("depth", [1, 3])
def test_buffer_and_depth_of_a_convolution_change_cycles_only(extra, depth):
    rng = np.random.default_rng(11)
    conv = convolution(rng, 4, 2, Window((3, 3), (2, 2), (1, 1, 1, 1)), "BIPOLAR")
    network = image_chain("BIPOLAR", (5, 5, 2), conv)
    check_stage(network, windowed(network, 2, 1, extra=extra, depth=depth), 3, 0.8, 1.0)


@pytest.mark.parametrize(
    "plan", [{"buffer_memory": "block"}, {"buffer_memory": "ultra", "memory": "block"}, {"constants": "block"}, {"memory": "logic"}]
)
def test_memories_of_a_convolution_change_nothing(plan):
    rng = np.random.default_rng(12)
    conv = convolution(rng, 4, 2, Window((3, 3), padding=(1, 1, 1, 1)), "BIPOLAR")
    network = image_chain("BIPOLAR", (3, 4, 2), conv, staircase(rng, 4, "UINT2", reach=5))
    check_stage(network, windowed(network, 2, 2, **plan), 2, 1.0, 1.0)


def test_reset_in_mid_frame():
    rng = np.random.default_rng(13)
    conv = convolution(rng, 4, 2, Window((3, 3), padding=(1, 1, 1, 1)), "BIPOLAR")
    network = image_chain("BIPOLAR", (4, 4, 2), conv, staircase(rng, 4, "BIPOLAR", reach=5))
    for cycles in (1, 40, 131):
        check_after_reset(network, windowed(network, 2, 1), cycles)


def test_chunk_must_be_whole_words():
    rng = np.random.default_rng(4)
    conv = convolution(rng, 2, 3, Window((3, 3)), "BIPOLAR", accumulation=Saturating(4, 4))
    with pytest.raises(InputError, match="simd = 2 divides neither the 3 channels of a tap nor"):
        build(image_chain("BIPOLAR", (3, 3, 3), conv), 1, 2)


def test_weight_words_are_neuron_fold_major_and_padded():
    rng = np.random.default_rng(4)
    conv = dense(rng, 5, 3, "INT4")
    codes = conv.weight_encoding.encode(conv.matrix)
    words = weight_words(conv, WeightCode(conv.weight_encoding), 0, 2, 3)
    assert len(words) == 4
    assert words[1] == sum(int(codes[p, 3 + k]) << (4 * (3 * p + k)) for p in range(2) for k in range(2))
    assert words[2] == sum(int(codes[2, k]) << (4 * k) for k in range(3))


def test_simd_must_divide_the_chunk_of_a_saturating_accumulation():
    rng = np.random.default_rng(4)
    network = chain("INT4", 20, dense(rng, 20, 3, "INT4", Saturating(6, 8)))
    with pytest.raises(InputError, match="simd = 3 does not divide"):
        build(network, 1, 3)

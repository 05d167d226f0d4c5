"""The depthwise stage: bit-exact with the network's convolution, in the cycles of the window law."""

from __future__ import annotations

import numpy as np
import pytest

from hwq.fabric.weight_code import WeightCode
from hwq.gateware.depthwise import DepthwiseStage, depthwise_words
from hwq.gateware.parts import Parts
from hwq.network.graph import Network
from hwq.network.ops import Saturating, Window
from hwq.plan.dataflow import dataflow_of
from hwq.plan.plan import StagePlan
from hwq.plan.units import Depthwise
from tests.gateware.cases import plan_of, requantizer, staircase
from tests.gateware.images import check_after_reset, check_stage, convolution, image_chain

SAME = Window((3, 3), padding=(1, 1, 1, 1))


def build(network: Network, pe: int, *, extra: int = 1, depth: int = 2, **options) -> DepthwiseStage:
    """The stage with ``extra`` words of buffer more than it must have."""

    def unit_of(buffer: int) -> tuple[Depthwise, dict]:
        plan = plan_of(network, StagePlan(network.nodes[0].name, pe, buffer=buffer, depth=depth, **options))
        dataflow = dataflow_of(network, plan)
        return next(u for u in dataflow.units if isinstance(u, Depthwise)), dataflow.edges

    unit, edges = unit_of(unit_of(1)[0].geometry.least_buffer + extra)
    x, out = (network.tensors[t].encoding for t in (unit.stage.source, unit.stage.target))
    return DepthwiseStage(unit, edges[unit.inputs[0]], edges[unit.outputs[0]], x, out, Parts())


CASES = {
    "3x3 same": ((4, 5, 4), SAME, 1, 2, 1),
    "channels left over": ((4, 4, 5), SAME, 1, 2, 1),
    "stride 2": ((5, 5, 4), Window((3, 3), (2, 2), (1, 1, 1, 1)), 1, 4, 1),
    "multiplier 2": ((3, 4, 3), Window((2, 2)), 2, 4, 1),
    "V = 2": ((3, 6, 4), SAME, 1, 2, 2),
    "one dimension": ((1, 9, 2), Window((1, 4), (1, 1), (0, 2, 0, 1)), 1, 1, 1),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("activation", "weight", "out"), [("BIPOLAR", "BIPOLAR", "BIPOLAR"), ("UINT4", "INT4", "UINT2"), ("BIPOLAR", "TERNARY", "")]
)
def test_depthwise_convolution(case, activation, weight, out):
    shape, window, multiplier, pe, pixels = CASES[case]
    rng = np.random.default_rng(len(case))
    channels = shape[2] * multiplier
    conv = convolution(rng, channels, shape[2], window, weight, groups=shape[2])
    ops = [conv, staircase(rng, channels, out, reach=6)] if out else [conv]
    network = image_chain(activation, shape, *ops)
    check_stage(network, build(network, pe, pixels=pixels), 2, 0.8, 0.7)


def test_requantize_behind_it_and_saturation():
    rng = np.random.default_rng(1)
    conv = convolution(rng, 3, 3, SAME, "INT4", groups=3, accumulation=Saturating(6, 4))
    network = image_chain("INT4", (3, 4, 3), conv, requantizer(rng, 3, "INT4", 3))
    check_stage(network, build(network, 2), 2, 1.0, 0.5)


@pytest.mark.parametrize(("extra", "depth"), [(0, 1), (0, 3), (5, 2)])
def test_buffer_and_depth_change_cycles_only(extra, depth):
    rng = np.random.default_rng(2)
    network = image_chain("BIPOLAR", (4, 4, 4), convolution(rng, 4, 4, SAME, "BIPOLAR", groups=4))
    check_stage(network, build(network, 2, extra=extra, depth=depth), 3, 1.0, 1.0)


def test_reset_in_mid_frame():
    rng = np.random.default_rng(3)
    network = image_chain("BIPOLAR", (4, 4, 2), convolution(rng, 2, 2, SAME, "BIPOLAR", groups=2))
    check_after_reset(network, build(network, 1), 57)


def test_weight_words_are_block_major_and_padded():
    rng = np.random.default_rng(4)
    conv = convolution(rng, 3, 3, Window((1, 2)), "INT4", groups=3)
    codes = conv.weight_encoding.encode(conv.matrix)
    expected = [codes[0, 0] | codes[1, 0] << 4, codes[0, 1] | codes[1, 1] << 4, codes[2, 0], codes[2, 1]]
    assert depthwise_words(conv, WeightCode(conv.weight_encoding), 0, 2) == [int(w) for w in expected]

"""Layers whose weights have codes of their own: bit-exact with the network's ops, in the cycles of the plan."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwq.fabric.weight_code import Bases, Levels, Powers
from hwq.network.ops import Conv
from hwq.numerics.encoding import Bipolar, Integer
from hwq.numerics.rounding import Rounding
from tests.gateware import test_depthwise as depthwise
from tests.gateware.cases import chain, requantizer, staircase
from tests.gateware.images import check_stage, image_chain
from tests.gateware.test_mvu import build, check

INT8 = Integer(8, True)
LISTS = {
    "factor": (-6, 6),
    "ternary": (0, 5, -5),
    "powers": (0, 1, -1, 2, -2, 4, -4),
    "bases": (-7, -3, 3, 7),
    "planes": (-7, -5, -3, -1, 1, 3, 5, 7),
    "levels": (-5, 0, 6, 7),
}
KINDS = {"factor": Bipolar, "powers": Powers, "bases": Bases, "planes": Bases, "levels": Levels}


def weights(rng, shape, kind) -> np.ndarray:
    found = rng.choice(LISTS[kind], shape)
    found.flat[: len(LISTS[kind])] = LISTS[kind]
    return found


def behind(rng, kind, channels):
    if kind == "threshold":
        return [staircase(rng, channels, "UINT2", reach=60, steps="mixed")]
    return [requantizer(rng, channels, "INT4", 7, Rounding.HALF_EVEN)] if kind == "requantize" else []


@settings(max_examples=14, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["BIPOLAR", "TERNARY", "UINT2", "INT4"]),
    st.sampled_from(list(LISTS)),
    st.sampled_from(["threshold", "requantize", "integers"]),
    st.integers(1, 5),
    st.integers(1, 11),
    st.integers(0, 99),
)
def test_dense_layers_of_any_code(activation, kind, tail, pe, simd, seed):
    rng = np.random.default_rng(seed)
    conv = Conv(weights(rng, (5, 1, 1, 11), kind), INT8)
    network = chain(activation, 11, conv, *behind(rng, tail, 5))
    dut = build(network, pe, simd)
    assert dut.form.lane.apart or isinstance(dut.form.contraction.code.encoding, Bipolar)
    check(network, dut, 3, 0.8, 0.6)


@pytest.mark.parametrize(("kind", "activation"), [("factor", "UINT4"), ("powers", "UINT4"), ("bases", "UINT4"), ("levels", "UINT2")])
def test_the_memory_holds_short_codes(kind, activation):
    rng = np.random.default_rng(1)
    network = chain(activation, 12, Conv(weights(rng, (6, 1, 1, 12), kind), INT8))
    dut = build(network, 2, 4)
    form = dut.form
    check(network, dut, 2, 1.0, 1.0)
    assert isinstance(form.contraction.code.encoding, KINDS[kind])
    assert form.lane.word_bits == 4 * {"factor": 1, "powers": 3, "bases": 2, "levels": 2}[kind]


@pytest.mark.parametrize("activation", ["UINT8", "INT9"])
def test_few_levels_of_wide_activations_are_plain_integers(activation):
    rng = np.random.default_rng(9)
    conv = Conv(rng.choice([-50, 0, 13, 77, 100], (4, 1, 1, 9)), INT8)
    network = chain(activation, 9, conv, staircase(rng, 4, "UINT2", reach=9000))
    check(network, build(network, 2, 4), 3, 0.9, 0.7)


@pytest.mark.parametrize(("kind", "groups", "padding"), [("ternary", 1, (1,) * 4), ("powers", 2, (0, 1, 1, 0)), ("bases", 1, (0,) * 4)])
def test_convolutions_padded_or_grouped(kind, groups, padding):
    rng = np.random.default_rng(2)
    conv = Conv(weights(rng, (4, 3, 3, 6 // groups), kind), INT8, padding=padding, groups=groups)
    network = image_chain("UINT4", (4, 5, 6), conv, staircase(rng, 4, "UINT2", reach=200))
    unit = build(network, 2, 3 if groups == 2 else 4, buffer=40)
    assert unit.form.lane.apart
    check_stage(network, unit, 2, 0.8, 0.7)


@pytest.mark.parametrize("kind", ["ternary", "bases"])
def test_depthwise_convolutions(kind):
    rng = np.random.default_rng(3)
    conv = Conv(weights(rng, (4, 3, 3, 1), kind), INT8, padding=(1, 1, 1, 1), groups=4)
    network = image_chain("UINT4", (3, 4, 4), conv, staircase(rng, 4, "UINT2", reach=200))
    dut = depthwise.build(network, 2)
    assert dut.form.lane.apart
    check_stage(network, dut, 2, 0.8, 0.7)


@pytest.mark.parametrize(("multiplier", "circuit"), [("auto", "coded"), ("lut", "coded"), ("dsp", "dsp")])
def test_slices_multiply_where_they_are_asked_for(multiplier, circuit):
    rng = np.random.default_rng(4)
    conv = Conv(weights(rng, (5, 1, 1, 9), "planes"), INT8)
    network = chain("UINT4", 9, conv, staircase(rng, 5, "UINT2", reach=60))
    dut = build(network, 2, 4, multiplier=multiplier)
    assert dut.form.lane.circuit == circuit
    check(network, dut, 3, 0.9, 0.7)

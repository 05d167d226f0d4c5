"""What of a contraction lies in lanes, what in constants: the sums come out the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.fabric.weight_code import Bases, Levels, Powers, WeightCode
from hwq.network.graph import Node
from hwq.network.ops import Conv, Requantize, Saturating, Threshold
from hwq.numerics.encoding import Bipolar, Integer, parse_encoding
from hwq.numerics.rounding import Rounding
from hwq.plan.contraction import Contraction

LISTS = [(-1, 1), (0, 1, -1), (0, 3, -3), (-4, -1, 0, 2), (-7, -3, 3, 7), (-5, 0, 6, 7), tuple(range(-8, 8))]
ACTIVATIONS = ["BIPOLAR", "TERNARY", "UINT2", "UINT4", "INT3"]


def conv(values, shape, seed=0, **options) -> Conv:
    weights = np.random.default_rng(seed).choice(list(values), shape)
    return Conv(weights, Integer(8, True), **options)


def staircase(channels, count=1) -> Node:
    thresholds = np.sort(np.random.default_rng(1).integers(-20, 20, (channels, count)), axis=1)
    thresholds[0, -1] = np.iinfo(np.int64).max
    thresholds[-1, 0] = np.iinfo(np.int64).min
    op = Threshold(thresholds, np.ones_like(thresholds), np.zeros(channels, np.int64), Integer(count.bit_length(), False))
    return Node("act", op, ("t",), ("y",))


def accumulated(form: Contraction, x: np.ndarray) -> np.ndarray:
    """The accumulator's value for vectors ``x`` of all columns, word by word as the lanes have it."""
    lane, channels = form.lane, form.op.weights.shape[3]
    codes = form.code.encode(form.op.weights).reshape(form.op.mh, -1, channels)
    pads = -channels % form.simd
    codes = np.pad(codes, ((0, 0), (0, 0), (0, pads)), constant_values=lane.pad_weight).reshape(form.op.mh, -1)
    inputs = np.pad(form.x.encode(x).reshape(len(x), -1, channels), ((0, 0), (0, 0), (0, pads))).reshape(len(x), -1)
    return np.array([[sum(lane.raw(int(a), int(b)) for a, b in zip(row, w, strict=True)) for w in codes] for row in inputs])


@settings(max_examples=60)
@given(st.sampled_from(ACTIVATIONS), st.sampled_from(LISTS), st.integers(1, 7), st.integers(1, 3), st.integers(0, 99))
def test_accumulator_and_share_are_the_sum(x, values, simd, taps, seed):
    x, op = parse_encoding(x), conv(values, (4, 1, taps, 7), seed)
    form = Contraction(op, x, simd)
    every = np.arange(x.lo, x.hi + 1)
    operands = np.random.default_rng(seed).choice(every[x.contains(every)], (5, op.mw))
    totals = accumulated(form, operands)
    assert form.domain.lo <= totals.min()
    assert totals.max() <= form.domain.hi
    shares = form.domain.offset if form.shares is None else form.shares
    np.testing.assert_array_equal(form.domain.scale * totals + shares, operands @ op.matrix.T)


@pytest.mark.parametrize(("x", "values", "hi"), [("BIPOLAR", (0, 1), 3), ("UINT2", (-1, 0, 1), 9), ("UINT4", (5,), 45)])
def test_the_accumulator_is_as_wide_as_the_heaviest_channel(x, values, hi):
    weights = np.resize(values, (1, 1, 1, 3)) if len(values) == 1 else np.array([[[[values[-1]] * 3]], [[[values[0]] * 3]]])
    assert Contraction(Conv(weights, Integer(8, True)), parse_encoding(x), 2).domain.hi == hi


@pytest.mark.parametrize("count", [1, 3])
def test_thresholds_take_the_shares(count):
    op, x = conv((0, 1, -1), (6, 1, 1, 20)), parse_encoding("UINT2")
    form = Contraction(op, x, 5, staircase(6, count))
    operands = np.random.default_rng(2).integers(0, 4, (50, 20))
    before = form.node.op.golden((operands @ op.matrix.T).reshape(50, 1, 1, 6))
    after = form.behind.op.golden((form.domain.scale * accumulated(form, operands)).reshape(50, 1, 1, 6))
    np.testing.assert_array_equal(after, before)
    assert form.offsets is None


def test_offsets_of_a_requantizer_take_the_shares():
    op, x = conv((-7, -3, 3, 7), (6, 1, 1, 20)), parse_encoding("UINT2")
    big = np.array([1 << 46])
    node = Node("act", Requantize(big, big, 3, Rounding.FLOOR, -8, 7, Integer(4, True)), ("t",), ("y",))
    form = Contraction(op, x, 5, node)
    assert form.behind.op.offset.tolist() == [(1 << 46) * (1 + int(share)) for share in form.shares]


def test_integers_take_them_last():
    form = Contraction(conv((0, 1, -1), (6, 1, 1, 20)), parse_encoding("UINT2"), 5)
    np.testing.assert_array_equal(form.offsets, form.shares)


TERNARY = Integer(2, True, True)


def test_where_it_cannot_stand_apart_lanes_and_codes_are_plain():
    x, signs = parse_encoding("UINT2"), Bipolar()
    padded = conv((0, 1, -1), (6, 3, 3, 4), padding=(1, 1, 1, 1))
    shared = staircase(1, 3)
    for form in (
        Contraction(conv((0, 1, -1), (6, 1, 1, 20), accumulation=Saturating(8, 4)), x, 4),
        Contraction(padded, signs, 4),
        Contraction(conv((0, 1, -1), (6, 1, 1, 20)), x, 4, shared),
    ):
        assert not form.lane.apart
        assert form.shares is None
        assert form.code == WeightCode(Integer(8, True))
    assert Contraction(padded, x, 4).lane.apart
    assert Contraction(padded, x, 4).code == WeightCode(TERNARY)


@pytest.mark.parametrize(
    ("values", "x", "multiplier", "code"),
    [
        ((0, 1, -1, 2, -2, 4, -4), "UINT4", "auto", Powers(3, True, True)),
        ((-7, -3, 3, 7), "UINT4", "auto", Bases((2, 5))),
        ((-5, 0, 6, 7), "UINT2", "auto", Levels((-5, 0, 6, 7))),
        ((-7, -3, 3, 7), "UINT4", "dsp", Integer(4, True)),
    ],
)
def test_the_code_follows_from_the_weights(values, x, multiplier, code):
    form = Contraction(conv(values, (8, 1, 1, 32)), parse_encoding(x), 4, None, multiplier)
    assert form.code.encoding == code
    assert form.lane.circuit == ("dsp" if multiplier == "dsp" else "coded")

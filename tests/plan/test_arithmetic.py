"""Slices that a plan asks for where none can do the work."""

from __future__ import annotations

import numpy as np
import pytest

from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.ops import Conv, Pool, Saturating, Window
from hwq.numerics.encoding import Bipolar, Encoding, Integer
from hwq.plan.draft import PlanDraft, StageDraft
from hwq.plan.rules import breaches

WEIGHTS = np.random.default_rng(1).integers(-100, 100, (3, 3, 3, 4))


def one(op, x: Encoding) -> Network:
    return Network("one", (NetworkInput("x", (6, 6, 4), x),), (Node("only", op, ("x",), ("y",)),), ("y",))


def conv(x: Encoding = Integer(8, True), w: Encoding = Integer(8, True), padded: bool = False, **more) -> Network:  # noqa: B008
    weights = np.where(WEIGHTS < 0, -1, 1) if isinstance(w, Bipolar) else WEIGHTS
    return one(Conv(weights, w, padding=(1, 1, 1, 1) if padded else (0, 0, 0, 0), **more), x)


def depthwise() -> Network:
    return one(Conv(WEIGHTS[:, :, :, :1].repeat(4, 0)[:4], Integer(8, True), groups=4), Integer(8, True))


BAD = [
    (conv(Bipolar(), Bipolar()), "multiplier", "products of BIPOLAR and BIPOLAR do not fit the multiplier of a slice"),
    (conv(accumulation=Saturating(20, 4)), "accumulator", "the accumulator saturates"),
    (conv(Integer(30, True)), "accumulator", "synthesis makes its lanes"),
    (conv(Bipolar(), Bipolar(), padded=True), "accumulator", "words of the padding are replaced"),
    (depthwise(), "accumulator", "a depthwise stage adds its products without slices"),
    (one(Pool("max", Window((2, 2))), Integer(4, False)), "multiplier", "a stage of kind pool without a requantizer"),
    (one(Pool("max", Window((2, 2))), Integer(4, False)), "accumulator", "a stage of kind pool has no sums of products"),
]


@pytest.mark.parametrize(("network", "field", "reason"), BAD)
def test_what_no_slice_can_do_is_one_sentence_with_its_reason(network, field, reason):
    (breach,) = breaches(network, PlanDraft(stages={"only": StageDraft("only", simd=None, **{field: "dsp"})}))
    assert f"{field} is 'dsp', but {reason}" in str(breach)


@pytest.mark.parametrize("network", [conv(), conv(padded=True)])
def test_slices_that_multiply_and_add_are_let_through(network):
    for fields in ({"multiplier": "dsp"}, {"accumulator": "dsp"}, {"multiplier": "lut", "accumulator": "dsp"}):
        assert breaches(network, PlanDraft(stages={"only": StageDraft("only", **fields)})) == []

"""Folded, constant, unrolled: the same bits, each in the cycles that the token simulator says, for any small network and stall."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.fabric.unroll import layer
from hwq.network.graph import Network
from hwq.network.ops import Conv, Window
from hwq.numerics.encoding import Bipolar
from hwq.plan.dataflow import dataflow_of
from hwq.plan.draft import PlanDraft
from hwq.plan.plan import FifoPlan, Plan
from hwq.plan.rules import breaches
from hwq.plan.stages import stages_of
from hwq.plan.summary import CONTRACTIONS, summary_of
from hwq.plan.units import Fifo
from tests.gateware.plain_layer import plain_layer
from tests.gateware.test_designs import NETWORKS, RATES, Layers, check, folded, room, skip

STYLES = ("folded", "constant", "unrolled")


@pytest.fixture(autouse=True, scope="module")
def plain_circuits():
    """What stands around the circuits is looked at here: they are made the plain way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layer, "unrolled_layer", plain_layer)
        yield


def styled(network: Network, style: str, *, lanes: int = 2, wide: bool = False, depth: int = 5, fifo: int = 40) -> Plan:
    """A plan with ``style`` wherever it can stand, words narrow or ``wide``, room everywhere."""
    plan = folded(network, lanes, 1, depth, fifo)
    stages = []
    for stage, p in zip(stages_of(network), plan.stages, strict=True):
        s = summary_of(network, stage)
        if s.kind in CONTRACTIONS and style == "unrolled":
            simd = s.shape[2] if wide else max(1, s.shape[2] // 2)
            p = replace(p, pe=s.mh, simd=simd if s.kind == "mvu" else 1, style=style, memory="logic", buffer=1 << 10)
        elif s.kind in CONTRACTIONS and style == "constant" and (s.groups == 1 or s.kind == "depthwise"):
            p = replace(p, pe=s.rows, simd=s.columns if wide else 1, style=style, memory="logic")
        stages.append(p)
    plan = replace(plan, stages=tuple(stages))
    units = {u.name: u for u in dataflow_of(network, plan).units}
    stages = [replace(p, buffer=room(units.get(p.name))) for p in plan.stages]
    return replace(plan, stages=tuple(stages), fifos=tuple(FifoPlan(u.name, fifo) for u in units.values() if isinstance(u, Fifo)))


@st.composite
def chains(draw: st.DrawFn) -> Network:
    """Two or three layers on a small image: windows of every kind, groups, depthwise, with and without a staircase."""
    n = Layers(draw(st.integers(0, 99)))
    encoding = draw(st.sampled_from(["BIPOLAR", "UINT2", "TERNARY"]))
    h, w, c = draw(st.integers(2, 4)), draw(st.integers(2, 5)), draw(st.sampled_from([1, 2, 3, 4]))
    shape, x = (h, w, c), "x"
    for last in (False, True):
        kernel = (draw(st.integers(1, min(3, h))), draw(st.integers(1, min(3, w))))
        pads = [draw(st.integers(0, k - 1)) for k in kernel]
        window = Window(kernel, (draw(st.integers(1, 2)), draw(st.integers(1, 2))), (pads[0], pads[1], kernel[0] - 1 - pads[0], 0))
        groups = draw(st.sampled_from([1, 1, c]))
        o = draw(st.sampled_from([1, 2])) * groups if groups > 1 else draw(st.integers(1, 3))
        weights = draw(st.sampled_from(["BIPOLAR", "TERNARY", "INT3"]))
        x = n.conv(x, c, o, window, weights, groups)
        (h, w), c = window.size(h, w), o
        if not last or draw(st.booleans()):
            x = n.act(x, c, draw(st.sampled_from(["BIPOLAR", "UINT2"])), reach=5)
    return n.network({"x": (encoding, shape)}, x)


@settings(max_examples=6)
@given(chains(), st.booleans(), RATES)
def test_the_three_styles_agree_in_every_bit_and_keep_their_cycles(network, wide, rates):
    for style in STYLES:
        plan = styled(network, style, wide=wide)
        assert breaches(network, PlanDraft.of(plan)) == []
        # `check` compares with the network itself.
        check(network, plan, 2, *rates)


@pytest.mark.slow
@settings(max_examples=60)
@given(chains(), st.booleans(), RATES)
def test_the_three_styles_agree_in_many_networks(network, wide, rates):
    for style in STYLES:
        check(network, styled(network, style, wide=wide), 3, *rates)


@pytest.mark.parametrize("style", ["constant", "unrolled"])
def test_a_fork_and_a_join_between_stages_of_one_style(style):
    check(skip(), styled(skip(), style, wide=True), 2, 0.8, 0.7)


@pytest.mark.slow
@pytest.mark.parametrize("style", ["constant", "unrolled"])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_of_one_style(name, style):
    check(NETWORKS[name](), styled(NETWORKS[name](), style, wide=True), 2, 0.7, 0.6)


def test_an_unrolled_dense_network_takes_a_frame_a_cycle():
    rng = np.random.default_rng(0)
    n = Layers(1)
    x = n.act(n.op(Conv(rng.choice([-1, 1], (6, 1, 1, 8)), Bipolar()), "x"), 6, "BIPOLAR", reach=4)
    network = n.network({"x": ("BIPOLAR", (1, 1, 8))}, x)
    law = check(network, styled(network, "unrolled", wide=True, depth=12), 12, 1.0, 1.0)
    beats = law.output_beats[x][:, -1]
    assert np.diff(beats).tolist() == [1] * 11

"""Flags of repaired frames: every output tells of the inputs that it depends on, of the right frame."""

from __future__ import annotations

import numpy as np
import pytest

from hwq.gateware.flag_queue import FlagQueue
from hwq.gateware.parts import Parts
from hwq.gateware.top import build_top
from hwq.network.graph import Node
from hwq.network.ops import Conv
from hwq.numerics.encoding import Bipolar
from hwq.plan.dataflow import dataflow_of
from hwq.plan.flags import inputs_of
from hwq.plan.plan import StagePlan
from tests.gateware.axi import AxiSink, AxiSource, run_streams
from tests.gateware.cases import image_network, plan_of
from tests.gateware.stream import simulate, trace
from tests.gateware.test_top import beats_of


def corner():
    """A 1x1 convolution of stride 2 on an even image: the last row and column are read by no window."""
    conv = Conv(np.ones((2, 1, 1, 2), np.int64), Bipolar(), (2, 2))
    return image_network({"x": ("UINT4", (4, 4, 2))}, Node("conv", conv, ("x",), ("y",)))


def ended_early(bad, idle, stall):
    """Beats that a sink takes of five frames of which one ends a beat early: only its last pixel, which no window reads, is made up."""
    network = corner()
    dut = build_top(network, plan_of(network, StagePlan("conv", 2, 2, buffer=4, depth=4), bus=8, out_bus=64), Parts())
    rng = np.random.default_rng(0)
    x = rng.integers(0, 16, (5, 4, 4, 2))
    sent = beats_of(x.reshape(5, -1), network.tensors["x"].encoding, 8)
    per_frame = len(sent) // 5
    del sent[(bad + 1) * per_frame - 1]
    sent[(bad + 1) * per_frame - 2].last = True
    put, got = AxiSource(dut, "s_axis_x", sent, trace(rng, idle)), AxiSink(dut, "m_axis_y", trace(rng, stall))
    golden = beats_of(network.run({"x": x})["y"].reshape(5, -1), network.tensors["y"].encoding, 64)
    run_streams(dut, [put], [got], [len(golden)])
    assert [b.data for b in got.beats] == [b.data for b in golden]
    return got.beats


@pytest.mark.parametrize("bad", [1, 3])
def test_a_frame_that_leaves_before_it_has_entered_whole_is_not_bad(bad):
    assert not any(b.user for b in ended_early(bad, 0.05, 1.0))


def test_a_beat_that_waits_does_not_become_bad():
    # The sink sees that what waits does not change.
    assert not any(b.user for b in ended_early(1, 0.2, 0.05))


def test_head_may_run_ahead_of_the_tail_by_one():
    dut, seen = FlagQueue(3), []

    async def bench(ctx):
        for push, is_bad, pop in [(0, 0, 1), (1, 1, 0), (1, 1, 0), (1, 0, 0), (0, 0, 1), (0, 0, 1), (1, 1, 0)]:
            ctx.set(dut.push, push)
            ctx.set(dut.push_bad, is_bad)
            ctx.set(dut.pop, pop)
            seen.append(ctx.get(dut.bad))
            await ctx.tick()
        ctx.set(dut.push, 0)
        seen.append(ctx.get(dut.bad))

    simulate(dut, bench)
    assert seen == [0, 0, 0, 1, 1, 0, 0, 1]


def test_outputs_depend_on_the_inputs_above_them_alone():
    one = Conv(np.ones((2, 1, 1, 2), np.int64), Bipolar())
    nodes = Node("a", one, ("x",), ("ya",)), Node("b", one, ("z",), ("yb",))
    shape = ("UINT4", (2, 2, 2))
    network = image_network({"x": shape, "z": shape}, *nodes, outputs=("ya", "yb"))
    plan = plan_of(network, *(StagePlan(n, 1, 1, buffer=4) for n in "ab"))
    found = {o.split(".")[0]: [i.split(".")[0] for i in inputs] for o, inputs in inputs_of(dataflow_of(network, plan)).items()}
    assert found == {"ya": ["x"], "yb": ["z"]}

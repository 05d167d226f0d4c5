"""The three foldings that the benchmark of cycles measures: what each is meant to exercise."""

from __future__ import annotations

from hwq.plan.plan import Plan
from hwq.plan.stages import stages_of
from hwq.plan.summary import WINDOWED, summary_of
from hwq.report.bench_conv import SMALL_CYCLES
from hwq.report.bench_foldings import fastest, middle, slowest
from hwq.report.bench_networks import depthwise, one_dimensional, residual
from hwq.target.boards import load_device

DEVICE = load_device("vu9p")


def test_the_slowest_has_one_lane_and_buffers_of_one_window() -> None:
    network = depthwise()
    plan = slowest(network, DEVICE)
    for stage in stages_of(network):
        s, p = summary_of(network, stage), plan.stage(stage.name)
        assert (p.pe, p.simd, p.pixels) == (1, 1, 1)
        assert p.buffer == s.geometry(1, 1).least_buffer


def test_buffers_behind_a_fork_hold_a_frame_more() -> None:
    plan = slowest(residual(), DEVICE)
    # Words of one element: 8 channels of 16 x 16 pixels, and the window's 2 rows and 3 pixels.
    assert plan.stage("block0.conv1").buffer == (2 * 16 + 3) * 8 + 16 * 16 * 8
    assert plan.stage("block0.conv2").buffer == (2 * 16 + 3) * 8


def test_the_middle_one_has_memories_of_every_kind() -> None:
    network = one_dimensional()
    plan = middle(network, DEVICE, SMALL_CYCLES[0])
    windowed = [s.name for s in stages_of(network) if s.kind in WINDOWED]
    assert {plan.stage(name).buffer_memory for name in windowed} == {"block", "ultra", "lutram"}
    assert {(s.memory, s.constants) for s in plan.stages} >= {("block", "lutram"), ("lutram", "block")}


def test_the_fastest_takes_several_pixels_a_cycle_and_foldings_differ() -> None:
    network = one_dimensional()
    plans = [slowest(network, DEVICE), middle(network, DEVICE, SMALL_CYCLES[0]), fastest(network, DEVICE, SMALL_CYCLES[1])]
    assert max(s.pixels for s in plans[-1].stages) > 1
    assert len({_lanes(plan) for plan in plans}) == 3


def _lanes(plan: Plan) -> tuple[tuple[int, int, int], ...]:
    return tuple((s.pe, s.simd, s.pixels) for s in plan.stages)

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.errors import HwqError, InputError, NegativeVerdict, Problems
from hwq.network.file import network_hash
from hwq.network.graph import Network
from hwq.network.ops import Conv, Saturating
from hwq.numerics.encoding import Integer
from hwq.plan.buffers import BufferMemories
from hwq.plan.cost import estimate
from hwq.plan.dataflow import dataflow_of
from hwq.plan.draft import FifoDraft, PlanDraft, StageDraft
from hwq.plan.goal import Goal
from hwq.plan.plan import Plan
from hwq.plan.planner import plan_network
from hwq.plan.prediction import predict
from hwq.plan.rules import breaches
from hwq.plan.sizing import keeps_interval
from hwq.plan.token_network import TokenNetwork, buffer_name
from hwq.target.boards import load_device
from tests.plan import convnets
from tests.plan.networks import dense, elementwise_only, networks, tfc, two_outputs
from tests.plan.test_rules import grouped, widened

VU9P = load_device("vu9p")


def assert_sound(network: Network, plan: Plan) -> None:
    """The predicted interval is the law, and no depth can shrink by one."""
    prediction = predict(network, plan)
    assert prediction.interval == prediction.law
    tokens = TokenNetwork(dataflow_of(network, plan))
    depths = {s.name: s.depth for s in plan.stages} | {f.name: f.depth for f in plan.fifos}
    depths |= {buffer_name(s.name): s.buffer for s in plan.stages if buffer_name(s.name) in tokens.index}
    for name, depth in depths.items():
        channel = tokens.channels[tokens.index[name]]
        assert channel.depth == depth
        if depth > channel.minimum:
            # The outputs of a split are channels that share their depth.
            shared = [c.name for c in tokens.channels if re.fullmatch(rf"{re.escape(name)}( \(\d+\))?", c.name)]
            shorter = tokens.with_depths(dict.fromkeys(shared, depth - 1))
            assert not keeps_interval(shorter, prediction.law), name
    for stage in plan.stages:
        op = network.node(stage.name).op
        if isinstance(op, Conv) and isinstance(op.accumulation, Saturating):
            assert op.accumulation.chunk % stage.simd == 0


def test_tfc_takes_a_beat_of_its_input_a_cycle() -> None:
    plan = plan_network(tfc(), VU9P)
    assert predict(tfc(), plan).interval == 13
    assert (plan.stages[0].pe, plan.stages[0].simd) == (64, 64)
    assert {s.bus_bits for s in plan.streams} == {64}
    assert (plan.network, plan.target, plan.clock_mhz) == (network_hash(tfc()), "vu9p", 300.0)
    assert_sound(tfc(), plan)


def test_the_same_request_gives_the_same_plan() -> None:
    assert plan_network(tfc(), VU9P) == plan_network(tfc(), VU9P)


@given(networks(), st.sampled_from([None, 1e5, 3e6, 3e7]))
@settings(max_examples=40, deadline=None)
def test_any_chain_runs_at_its_law_with_least_depths(network: Network, fps: float | None) -> None:
    least = predict(network, plan_network(network, VU9P)).law
    if fps and fps * least > 300e6:
        # A saturating accumulator limits simd; a bus cannot be the reason, these networks are small.
        with pytest.raises(InputError, match="frames a second at 300 MHz"):
            plan_network(network, VU9P, Goal(fps))
        return
    plan = plan_network(network, VU9P, Goal(fps))
    assert_sound(network, plan)
    if fps:
        assert predict(network, plan).interval <= 300e6 / fps


@pytest.mark.parametrize(
    "network",
    [dense([1, 1]), dense([1, 9, 1]), dense([17, 1]), elementwise_only(), two_outputs(), dense([30, 10], argmax=True)],
    ids=["1x1", "1-9-1", "17x1", "elementwise", "two outputs", "argmax"],
)
@pytest.mark.parametrize("fps", [None, 1e6, 2e7])
def test_odd_networks(network: Network, fps: float | None) -> None:
    assert_sound(network, plan_network(network, VU9P, Goal(fps)))


def test_a_goal_of_frames_a_second_is_met_with_less_fabric() -> None:
    slow, fast = plan_network(tfc(), VU9P, Goal(fps=1e6)), plan_network(tfc(), VU9P)
    assert predict(tfc(), slow).interval <= 300
    assert estimate(tfc(), slow, VU9P).total.lut < estimate(tfc(), fast, VU9P).total.lut / 2


def test_buses_widen_only_for_a_goal_that_needs_it() -> None:
    plan = plan_network(tfc(), VU9P, Goal(fps=300e6 / 4))
    assert predict(tfc(), plan).interval == 4
    assert {s.name: s.bus_bits for s in plan.streams}["x"] == 256


def test_fully_parallel_is_one_cycle_of_constants() -> None:
    plan = plan_network(tfc(), VU9P, Goal(fps=300e6))
    assert predict(tfc(), plan).interval == 1
    assert {(s.style, s.memory) for s in plan.stages} == {("constant", "logic")}
    assert_sound(tfc(), plan)


def test_a_latency_goal_is_met_and_not_overfulfilled() -> None:
    relaxed, tight = (plan_network(tfc(), VU9P, Goal(latency_s=t)) for t in (2e-6, 300e-9))
    assert predict(tfc(), relaxed).latency <= 600
    assert predict(tfc(), tight).latency <= 90
    assert estimate(tfc(), relaxed, VU9P).total.lut < estimate(tfc(), tight, VU9P).total.lut


def test_an_impossible_rate_says_the_most_there_is() -> None:
    with pytest.raises(InputError, match="at 300 MHz leave 0 cycles a frame, TFC_1W1A needs 1") as caught:
        plan_network(tfc(), VU9P, Goal(fps=1e12))
    assert caught.value.code == "GOAL-FPS"
    assert "300000000 frames a second" in str(caught.value.hint)


def test_a_saturating_chunk_limits_the_rate() -> None:
    network = dense([24, 3], Integer(4, True), chunk=8)
    assert predict(network, plan_network(network, VU9P)).law == 3
    with pytest.raises(InputError, match="needs 3") as caught:
        plan_network(network, VU9P, Goal(fps=150e6))
    assert str(caught.value.hint).endswith("limited by fc0")


def test_an_impossible_latency_says_the_least_there_is() -> None:
    with pytest.raises(InputError, match="a latency of 1 ns is 0 cycles at 300 MHz, TFC_1W1A needs") as caught:
        plan_network(tfc(), VU9P, Goal(latency_s=1e-9))
    assert caught.value.code == "GOAL-LATENCY"


def test_what_does_not_fit_is_said_as_needs_and_has() -> None:
    with pytest.raises(NegativeVerdict, match=r"needs \d+ LUT, has 11822 \(1% of 1182240\)") as caught:
        plan_network(tfc(), VU9P, Goal(fps=100e6, budget={"lut": 0.01}))
    error = caught.value
    assert (error.code, error.exit_code) == ("DOES-NOT-FIT", 1)
    assert "LUT is the binding constraint" in str(error)
    assert "or fewer" in str(error.hint)
    assert "raise the budget to lut=" in str(error.hint)


def test_the_rate_a_verdict_offers_does_fit() -> None:
    with pytest.raises(NegativeVerdict) as caught:
        plan_network(tfc(), VU9P, Goal(fps=100e6, budget={"lut": 0.01}))
    fps = float(str(caught.value.hint).split("ask for ")[1].split()[0])
    plan = plan_network(tfc(), VU9P, Goal(fps=fps, budget={"lut": 0.01}))
    assert estimate(tfc(), plan, VU9P).utilisation["lut"] <= 0.01


@pytest.mark.parametrize("budget", [0.0001, 0.001])
def test_the_budget_a_verdict_asks_for_suffices(budget: float) -> None:
    for _ in range(3):
        with pytest.raises(NegativeVerdict) as caught:
            plan_network(tfc(), VU9P, Goal(fps=20e6, budget={"lut": budget}))
        assert "(0% of" not in str(caught.value)
        asked = float(str(caught.value.hint).split("lut=")[1].split("%")[0]) / 100
        assert asked > budget
        budget = asked
        if is_enough(budget):
            return
    pytest.fail("the advice leads nowhere")


def is_enough(budget: float) -> bool:
    """Whether the plan of the test above fits in this share of the LUTs."""
    try:
        plan_network(tfc(), VU9P, Goal(fps=20e6, budget={"lut": budget}))
    except NegativeVerdict:
        return False
    return True


def test_a_latency_that_does_not_fit_is_not_answered_with_a_rate() -> None:
    with pytest.raises(NegativeVerdict) as caught:
        plan_network(tfc(), VU9P, Goal(latency_s=300e-9, budget={"lut": 0.005}))
    assert "allow a latency above 300 ns" in str(caught.value.hint)
    assert "frames a second" not in str(caught.value.hint)


def test_the_plan_of_another_network_is_the_only_problem() -> None:
    other = plan_network(dense([24, 3], Integer(4, True)), VU9P)
    with pytest.raises(Problems) as caught:
        plan_network(tfc(), VU9P, base=other)
    assert [p.code for p in caught.value.problems] == ["PLAN-NETWORK"]


def test_a_network_larger_than_the_device_is_a_verdict_not_a_crash() -> None:
    tiny = replace(VU9P, lut=300, ff=600)
    with pytest.raises(NegativeVerdict, match="does not fit"):
        plan_network(tfc(), tiny)


def test_a_small_device_slows_down_until_it_fits() -> None:
    device = load_device("pynq-z2")
    plan = plan_network(dense([256, 256, 256, 10], Integer(4, True)), device)
    used = estimate(dense([256, 256, 256, 10], Integer(4, True)), plan, device).utilisation
    assert used["lut"] <= 0.7
    assert all(share <= 1 for share in used.values() if share != float("inf"))


def test_a_budget_of_another_resource_is_kept() -> None:
    plan = plan_network(tfc(), VU9P, Goal(fps=2e5, budget={"bram36": 0.0001}))
    assert estimate(tfc(), plan, VU9P).total.bram36 == 0


def test_what_a_draft_fixes_is_kept_exactly_and_the_rest_chosen() -> None:
    draft = PlanDraft(stages={"fc1": StageDraft("fc1", pe=7, simd=9, memory="block", depth=6)}, streams={"x": 32}, clock_mhz=200.0)
    plan = plan_network(tfc(), VU9P, base=draft)
    fixed = plan.stage("fc1")
    assert (fixed.pe, fixed.simd, fixed.memory, fixed.depth) == (7, 9, "block", 6)
    assert {s.name: s.bus_bits for s in plan.streams}["x"] == 32
    assert plan.clock_mhz == 200.0
    assert predict(tfc(), plan).interval == 8 * 10


def test_planning_on_a_complete_plan_returns_it() -> None:
    plan = plan_network(two_outputs(), VU9P)
    assert plan_network(two_outputs(), VU9P, base=plan) == plan


def test_the_clock_asked_for_goes_before_that_of_the_plan() -> None:
    plan = plan_network(tfc(), VU9P, clock_mhz=125.0, base=PlanDraft(clock_mhz=200.0))
    assert plan.clock_mhz == 125.0


def test_fixed_depths_below_need_are_honoured_and_predicted() -> None:
    draft = PlanDraft(stages={"fc0": StageDraft("fc0", pe=32, simd=64, buffer=13)})
    plan = plan_network(tfc(), VU9P, base=draft)
    assert plan.stage("fc0").buffer == 13
    prediction = predict(tfc(), plan)
    assert prediction.interval > prediction.law == 26


@pytest.mark.parametrize("bad", [{"pe": 65}, {"simd": 785}, {"pe": 0}, {"style": "wild"}])
def test_a_draft_that_breaks_a_rule_is_refused(bad: dict[str, int | str]) -> None:
    with pytest.raises(Problems, match="stage fc0"):
        plan_network(tfc(), VU9P, base=PlanDraft(stages={"fc0": StageDraft("fc0", **bad)}))  # type: ignore[arg-type]


def test_a_constant_stage_takes_all_rows_or_all_columns_at_once_whatever_the_goal() -> None:
    draft = PlanDraft(stages={"fc3": StageDraft("fc3", style="constant")})
    stage = plan_network(tfc(), VU9P, Goal(fps=1e5), base=draft).stage("fc3")
    assert stage.memory == "logic"
    assert stage.pe == 10 or stage.simd == 64


def test_a_folded_stage_of_one_fold_keeps_its_memory() -> None:
    draft = PlanDraft(stages={"fc3": StageDraft("fc3", pe=10, simd=64, style="folded")})
    stage = plan_network(tfc(), VU9P, base=draft).stage("fc3")
    assert (stage.style, stage.memory) == ("folded", "lutram")


def test_the_plan_of_another_network_is_refused() -> None:
    with pytest.raises(Problems, match="plan of another network"):
        plan_network(tfc(), VU9P, base=plan_network(dense([784, 64, 64, 64, 11]), VU9P))


def test_an_unknown_fifo_is_named() -> None:
    with pytest.raises(Problems, match=r"fifo fc9\.converter: this plan has no FIFO of this name"):
        plan_network(tfc(), VU9P, base=PlanDraft(fifos={"fc9.converter": FifoDraft("fc9.converter", 3)}))
    draft = PlanDraft(stages={"fc1": StageDraft("fc1", simd=7)}, fifos={"fc1.convert": FifoDraft("fc1.convert", 3)})
    with pytest.raises(Problems, match=r"Nearest is 'fc1\.converter'; the FIFOs are .*fc1\.converter"):
        plan_network(tfc(), VU9P, base=draft)


def test_layers_named_like_our_components_do_not_collide() -> None:
    network = dense([40, 24, 10])
    renamed = replace(network, nodes=(replace(network.nodes[0], name="fc1.converter"), *network.nodes[1:]))
    draft = PlanDraft(stages={"fc1.converter": StageDraft("fc1.converter", pe=5), "fc1": StageDraft("fc1", simd=7)})
    plan = plan_network(renamed, VU9P, base=draft)
    names = [u.name for u in dataflow_of(renamed, plan).units]
    assert len(set(names)) == len(names)
    assert_sound(renamed, plan)


def test_progress_is_told() -> None:
    told: list[str] = []
    plan_network(tfc(), VU9P, progress=lambda text, fraction: told.append(text))
    assert any(t.startswith("sizing ") for t in told)


@pytest.mark.parametrize("clock", [-5.0, 4000.0])
def test_a_clock_out_of_range_is_refused(clock: float) -> None:
    with pytest.raises(HwqError, match="a clock of"):
        plan_network(tfc(), VU9P, clock_mhz=clock)


def test_elements_wider_than_the_narrowest_bus_are_planned_for_a_slow_goal() -> None:
    network = dense([40, 30, 20], Integer(4, True))
    plan = plan_network(network, VU9P, Goal(fps=1e5))
    assert {s.bus_bits for s in plan.streams} == {64}
    assert_sound(network, plan)


@pytest.mark.parametrize("cycles", [70, 90, 130, 250, 500, 1200])
def test_no_latency_goal_is_missed(cycles: int) -> None:
    assert predict(tfc(), plan_network(tfc(), VU9P, Goal(latency_s=cycles / 300e6))).latency <= cycles


CONVOLUTIONS = [convnets.residual(), convnets.inception(), convnets.depthwise(), convnets.unet(), convnets.audio(), grouped(), widened()]


@pytest.mark.parametrize("network", CONVOLUTIONS, ids=lambda n: n.name)
@pytest.mark.parametrize("cycles", [None, 400, 5000])
def test_convolutions_of_any_shape_run_at_their_law_with_least_depths(network: Network, cycles: int | None) -> None:
    plan = plan_network(network, VU9P, Goal(cycles and 300e6 / cycles))
    assert_sound(network, plan)
    assert not breaches(network, PlanDraft.of(plan))
    if cycles:
        assert predict(network, plan).interval <= cycles


def test_cnv_fills_its_block_rams() -> None:
    network = convnets.cnv()
    plan = plan_network(network, VU9P)
    prediction = predict(network, plan)
    # Three taps of 30 x 30 windows, two at a time, with all lanes: no plan is faster.
    assert prediction.interval == prediction.law == 4050
    e = estimate(network, plan, VU9P)
    assert e.bram_efficiency >= 0.75
    assert e.weight_bits_per_cycle >= 59_461_376 / 2 / 4050
    assert e.weight_bandwidth_use >= 0.75


def test_several_pixels_share_a_weight_word() -> None:
    network = convnets.residual()
    plan = plan_network(network, VU9P)
    assert {plan.stage(n).pixels for n in ("conv0", "conv2", "conv4")} == {8}
    assert plan.stage("conv2").pe * plan.stage("conv2").simd == 64


def test_a_deep_fifo_keeps_the_interval_in_the_memory_it_comes_to() -> None:
    network = convnets.unet(16, 4)
    plan = plan_network(network, VU9P, Goal(fps=300e6 / 30_000))
    assert any(f.memory in ("block", "ultra") for f in plan.fifos)
    assert_sound(network, plan)


def test_a_device_without_ultra_ram_gets_none() -> None:
    pynq = load_device("pynq-z2")
    draft = PlanDraft(stages={"conv0": StageDraft("conv0", buffer_memory="ultra")})
    with pytest.raises(Problems, match="has no UltraRAM"):
        plan_network(convnets.residual(), pynq, base=draft)
    plan = plan_network(convnets.residual(), pynq, Goal(fps=1000.0))
    assert "ultra" not in {s.buffer_memory for s in plan.stages} | {f.memory for f in plan.fifos}


def test_memories_a_draft_fixes_stay() -> None:
    draft = PlanDraft(
        stages={"conv2": StageDraft("conv2", buffer_memory="block", constants="block", memory="block")},
        fifos={"act1_y.branch1.fifo": FifoDraft("act1_y.branch1.fifo", memory="ultra")},
    )
    plan = plan_network(convnets.residual(), VU9P, Goal(fps=1e5), base=draft)
    stage = plan.stage("conv2")
    assert (stage.buffer_memory, stage.constants, stage.memory) == ("block", "block", "block")
    assert {f.name: f.memory for f in plan.fifos}["act1_y.branch1.fifo"] == "ultra"


def test_a_large_network_on_a_small_device_is_told_what_it_lacks() -> None:
    with pytest.raises(NegativeVerdict, match=r"needs \d+ BRAM36, has 140; BRAM36 is the binding constraint") as refused:
        plan_network(convnets.resnet18(64), load_device("pynq-z2"))
    found = re.search(r"needs (\d+) BRAM36", str(refused.value))
    assert found
    assert f"take a device with {found[1]} BRAM36 or more" in str(refused.value.hint)


def test_memories_that_cost_the_interval_are_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    network, goal = convnets.unet(16, 4), Goal(fps=300e6 / 30_000)
    sound = plan_network(network, VU9P, goal)
    monkeypatch.setattr(BufferMemories, "of_fifo", lambda self, name, width, depth: "block")
    plan = plan_network(network, VU9P, goal)
    assert any(f.memory == "auto" for f in plan.fifos)
    prediction = predict(network, plan)
    assert prediction.interval == prediction.law == predict(network, sound).law
    assert prediction.proof

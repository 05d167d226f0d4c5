"""Styles of layers: what can be unrolled, what the planner makes of a style asked for, how a file says it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hwq.errors import InputError
from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.ops import Conv, Saturating, Window
from hwq.numerics.encoding import Bipolar, Integer
from hwq.plan.dataflow import dataflow_of
from hwq.plan.draft import PlanDraft, StageDraft
from hwq.plan.file import read_draft, read_plan, write_plan
from hwq.plan.goal import Goal
from hwq.plan.plan import StagePlan, plan_hash
from hwq.plan.planner import plan_network
from hwq.plan.prediction import predict
from hwq.plan.rules import breaches
from hwq.plan.slide import Slide
from hwq.plan.stages import stages_of
from hwq.plan.styles import with_style
from hwq.plan.summary import summary_of
from hwq.plan.units import UnrolledConv, UnrolledDense
from hwq.target.boards import load_device
from tests.plan.networks import dense

VU9P = load_device("vu9p")


def image(window: Window, accumulation=None, shape=(6, 6, 4)) -> Network:
    """One binary convolution."""
    rng = np.random.default_rng(0)
    weights = rng.choice([-1, 1], (3, *window.kernel, shape[2])).astype(np.int64)
    more = {"accumulation": accumulation} if accumulation else {}
    op = Conv(weights, Bipolar(), window.stride, window.padding, window.dilation, **more)
    return Network("image", (NetworkInput("x", shape, Bipolar()),), (Node("conv", op, ("x",), ("y",)),), ("y",))


SAME = Window((3, 3), padding=(1, 1, 1, 1))


@pytest.mark.parametrize(
    ("height", "width", "words", "window", "firings", "least"),
    [
        (6, 6, 1, SAME, 6 * 6 + 1, 2 * 6 + 1),  # a window a pixel, and the first column of a frame
        (6, 6, 2, SAME, 2 * (6 * 6 + 1), 2 * 12 + 1),
        (6, 6, 1, Window((3, 3)), 4 * 6, 2 * 6 + 1),  # four rows of windows
        (7, 6, 1, Window((3, 3), (2, 2)), 2 * 6 + 5, 2 * 6 + 1),  # the last row ends with its last window
        (5, 5, 3, Window((1, 1)), 75, 1),
        (1, 8, 1, Window((1, 5), padding=(0, 2, 0, 2)), 8 + 2, 1),
    ],
)
def test_a_slide_takes_a_column_a_firing(height, width, words, window, firings, least):
    g = Slide(height, width, words, window)
    assert (g.firings, g.least_buffer) == (firings, least)


def test_every_window_is_completed_once():
    for window in (SAME, Window((2, 3), (1, 2), (1, 0, 0, 2)), Window((2, 3), (1, 1), (0, 2, 1, 2), (3, 2))):
        g = Slide(6, 6, 1, window)
        own = [(oh, x) for oh in range(g.out_height) for x in range(len(g.completes)) if g.completes[x]]
        assert len(own) == g.out_height * g.out_width
        # In the order of the columns, those of a row behind those of the one before.
        places = [oh * g.width + x for oh, x in own]
        assert places == sorted(set(places))


def test_windows_side_by_side_in_the_padding_do_not_slide():
    assert not Slide(4, 4, 1, Window((3, 3), padding=(2, 2, 2, 2))).moves_forward
    assert Slide(4, 4, 1, SAME).moves_forward


BAD = [
    (image(SAME), {"pe": 2}, "pe is 2, expected 3..3 (an unrolled stage computes all output channels at once)"),
    (image(SAME), {"simd": 5}, "simd is 5, expected 1..4"),
    (image(SAME), {"pixels": 2}, "an unrolled stage computes one window at a time"),
    (image(SAME), {"memory": "lutram"}, "style 'unrolled' does not go with memory 'lutram'"),
    (image(SAME), {"simd": 4, "buffer": 12}, "buffer is 12, expected 13.."),
    (image(SAME, Saturating(6, 9)), {}, "the accumulator saturates every 9 products, one after the other"),
    (image(Window((3, 3), padding=(2, 2, 2, 2))), {}, "so wide that windows lie side by side in it"),
    (image(SAME), {"multiplier": "slices"}, "multiplier is 'slices', expected one of auto, lut, dsp"),
    (image(SAME), {"multiplier": "dsp"}, "multiplier is 'dsp', but an unrolled stage multiplies by wiring"),
    (image(SAME), {"accumulator": "dsp"}, "accumulator is 'dsp', but an unrolled stage adds all products at once"),
    (image(SAME), {"constants": "block"}, "constants is 'block', but the constants of an unrolled stage are logic"),
    (image(SAME), {"accumulator": "slices"}, "accumulator is 'slices', expected one of auto, lut, dsp"),
]


@pytest.mark.parametrize(("network", "fields", "message"), BAD)
def test_each_breach_is_a_sentence(network, fields, message):
    (breach,) = breaches(network, PlanDraft(stages={"conv": StageDraft("conv", style="unrolled", **fields)}))
    assert message in str(breach)


def test_a_style_that_does_not_exist_is_one_breach():
    draft = PlanDraft(stages={"conv": StageDraft("conv", 3, 4, style="Unrolled", memory="logic", buffer=12)})
    (breach,) = breaches(image(SAME), draft)
    assert "style is 'Unrolled', expected one of" in str(breach)


@pytest.mark.parametrize("network", [dense([12, 8, 6]), image(SAME)], ids=["dense", "image"])
@pytest.mark.parametrize("given", ["folded", "constant", "unrolled"])
@pytest.mark.parametrize("asked", ["folded", "constant", "unrolled"])
def test_a_style_asked_for_goes_before_that_of_a_whole_plan(network, given, asked):
    plan = plan_network(network, VU9P, style=asked, base=plan_network(network, VU9P, style=given))
    assert {s.style for s in plan.stages} == {asked}
    prediction = predict(network, plan)
    assert prediction.interval == prediction.law


@pytest.mark.parametrize("fields", [{}, {"pe": 3, "simd": 3, "memory": "logic", "buffer": 25}])
def test_an_unrolled_convolution_is_let_through(fields):
    assert breaches(image(SAME), PlanDraft(stages={"conv": StageDraft("conv", style="unrolled", **fields)})) == []


def test_constant_wants_all_rows_or_all_columns():
    def found(**fields):
        return breaches(dense([12, 8, 6]), PlanDraft(stages={"fc0": StageDraft("fc0", style="constant", **fields)}))

    assert found(pe=8, simd=3) == []
    assert found(pe=2, simd=12) == []
    (breach,) = found(pe=2, simd=3)
    assert "pe and simd leave 4 x 4 folds" in str(breach)


@pytest.mark.parametrize("network", [dense([12, 8, 6]), image(SAME)], ids=["dense", "image"])
@pytest.mark.parametrize("style", ["folded", "constant", "unrolled"])
def test_one_style_for_all_runs_at_its_law_and_reads_back(network, style, tmp_path: Path):
    plan = plan_network(network, VU9P, style=style)
    assert {s.style for s in plan.stages} == {style}
    prediction = predict(network, plan)
    assert prediction.interval == prediction.law
    write_plan(plan, tmp_path / "plan.toml", network)
    assert read_plan(tmp_path / "plan.toml", network) == plan


def test_an_unrolled_dense_network_gives_a_frame_a_cycle_where_its_buses_carry_one():
    network = dense([200, 8, 6])
    plan = plan_network(network, VU9P, style="unrolled")
    assert {s.name: s.bus_bits for s in plan.streams}["x"] == 256
    assert predict(network, plan).interval == 1
    assert all(isinstance(u, UnrolledDense) for u in dataflow_of(network, plan).units if hasattr(u, "stage"))


def test_a_bus_that_is_too_narrow_is_the_bottleneck():
    network = dense([200, 8, 6])
    plan = plan_network(network, VU9P, style="unrolled", base=PlanDraft(streams={"x": 64}))
    prediction = predict(network, plan)
    assert prediction.interval == 4
    assert prediction.bottleneck == "x.axi_in"


def test_an_unrolled_convolution_gives_a_window_a_cycle():
    network = image(SAME)
    plan = plan_network(network, VU9P, style="unrolled")
    (unit,) = (u for u in dataflow_of(network, plan).units if isinstance(u, UnrolledConv))
    assert (unit.geometry.words, predict(network, plan).interval) == (1, 6 * 6 + 1)


def test_what_a_draft_says_stays_and_what_cannot_be_unrolled_is_planned_as_ever():
    network = dense([12, 8, 6])
    folded = PlanDraft(stages={"fc0": StageDraft("fc0", style="folded")})
    draft = with_style(network, folded, "unrolled", replaces=False)
    assert {n: s.style for n, s in draft.stages.items()} == {"fc0": "folded", "fc1": "unrolled"}
    assert {s.style for s in with_style(network, folded, "unrolled").stages.values()} == {"unrolled"}
    with pytest.raises(InputError, match="no layer of image can be unrolled"):
        with_style(image(SAME, Saturating(6, 9)), PlanDraft(), "unrolled")
    with pytest.raises(InputError, match="there is no style 'wild'"):
        with_style(network, PlanDraft(), "wild")


def test_arithmetic_that_is_not_automatic_stands_in_the_file_and_names_another_plan(tmp_path: Path):
    network = dense([12, 8, 6], Integer(6, True))
    plan = plan_network(network, VU9P)
    draft = PlanDraft(stages={"fc0": StageDraft("fc0", multiplier="dsp", accumulator="dsp")})
    other = plan_network(network, VU9P, base=draft)
    assert (other.stage("fc0").multiplier, other.stage("fc0").accumulator) == ("dsp", "dsp")
    assert plan_hash(plan) != plan_hash(other)
    for chosen, count in ((plan, 0), (other, 1)):
        write_plan(chosen, tmp_path / "plan.toml", network)
        assert (tmp_path / "plan.toml").read_text().count('multiplier = "dsp"') == count
        assert read_plan(tmp_path / "plan.toml", network) == chosen


def test_the_name_of_an_old_plan_is_what_it_was():
    assert "multiplier" not in repr(StagePlan("fc0"))


def test_cycles_of_a_summary_are_the_law_of_the_unit():
    network = image(Window((3, 3), (2, 2), (1, 1, 1, 1)))
    plan = plan_network(network, VU9P, style="unrolled")
    (stage,), (unit,) = stages_of(network), (u for u in dataflow_of(network, plan).units if isinstance(u, UnrolledConv))
    p = plan.stage("conv")
    assert summary_of(network, stage).geometry(p.pe, p.simd, p.pixels, p.style) == unit.geometry


def test_the_cheapest_style_is_found_where_it_is_left_to_the_planner():
    network = dense([64, 64, 64])
    fast, slow = (plan_network(network, VU9P, Goal(fps=300e6 / n), style="auto") for n in (1, 64))
    assert {s.style for s in fast.stages} == {"unrolled"}
    assert {s.style for s in slow.stages} == {"folded"}
    assert predict(network, fast).interval == 1


def test_a_layer_is_unrolled_where_no_other_way_is_fast_enough():
    # Nine taps of four rows of windows, all columns at once, or a window a cycle.
    network = image(SAME, shape=(4, 4, 4))
    assert plan_network(network, VU9P, Goal(fps=300e6 / 36)).stage("conv").style == "folded"
    plan = plan_network(network, VU9P, Goal(fps=300e6 / 17))
    assert (plan.stage("conv").style, predict(network, plan).interval) == ("unrolled", 17)
    with pytest.raises(InputError, match=r"leave 16 cycles a frame, image needs 17"):
        plan_network(network, VU9P, Goal(fps=300e6 / 16))


def test_a_file_may_leave_the_style_to_the_planner(tmp_path: Path):
    network = dense([12, 8, 6])
    (tmp_path / "plan.toml").write_text('[[stage]]\nname = "fc0"\nstyle = "auto"\n')
    plan = plan_network(network, VU9P, base=read_draft(tmp_path / "plan.toml", network))
    assert [s.style for s in plan.stages] == ["unrolled", "constant"]

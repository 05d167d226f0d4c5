"""Layers whose style nobody said: which are unrolled, at what price, and what is told of styles not taken."""

from __future__ import annotations

import pytest

from hwq.errors import InputError, NegativeVerdict
from hwq.network.graph import Network
from hwq.network.ops import Window
from hwq.numerics.encoding import Integer
from hwq.plan import folding, planner
from hwq.plan.alternatives import Alternative, better_styles
from hwq.plan.circuit_estimate import expected_circuit
from hwq.plan.cost import estimate
from hwq.plan.draft import PlanDraft, StageDraft
from hwq.plan.goal import Goal
from hwq.plan.pieces import Piece
from hwq.plan.plan import Plan
from hwq.plan.planner import outlook, plan_network
from hwq.plan.prediction import predict
from hwq.plan.resources import Resources
from hwq.plan.stages import stages_of
from hwq.plan.summary import summary_of
from hwq.plan.unrolled import form_of
from hwq.target.boards import load_device
from tests.plan.networks import dense, tfc
from tests.plan.test_styles import SAME, image

VU9P = load_device("vu9p")


def figures(network: Network, plan: Plan) -> tuple[int, float]:
    return predict(network, plan).interval, estimate(network, plan, VU9P).total.lut


@pytest.mark.parametrize(
    "network", [dense([48, 16, 8]), dense([16, 12, 4], Integer(2, True, True)), image(SAME)], ids=["xnor", "ternary", "image"]
)
@pytest.mark.parametrize("fps", [None, 3e6])
def test_no_style_for_all_dominates_what_is_planned_unasked(network: Network, fps: float | None) -> None:
    goal = Goal(fps)
    cycles, lut = figures(network, plan_network(network, VU9P, goal, unroll=True))
    # Depths are sized when lanes and styles stand: they may make a hundredth of difference.
    for style in ("folded", "constant", "unrolled"):
        other = figures(network, plan_network(network, VU9P, goal, style=style))
        if fps is None:
            assert other[0] > cycles or other[1] >= 0.99 * lut, style
        else:
            assert other[1] >= 0.99 * lut, style


def test_a_network_of_small_layers_takes_a_frame_a_cycle() -> None:
    network = dense([200, 8, 6])
    plan = plan_network(network, VU9P, unroll=True)
    assert {s.style for s in plan.stages} == {"unrolled"}
    assert predict(network, plan).interval == 1


def test_large_layers_stay_folded() -> None:
    plan = plan_network(tfc(), VU9P, unroll=True)
    assert plan.stages[0].style == "folded"
    assert predict(tfc(), plan).interval == 13


def test_a_layer_beyond_the_bound_is_unrolled_where_that_halves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "UNROLLED_LUTS", 0)
    network = dense([64, 32, 4])
    fast, slow = (plan_network(network, VU9P, Goal(fps=300e6 / n), unroll=True) for n in (1, 64))
    assert fast.stage("fc0").style == "unrolled"
    assert slow.stage("fc0").style == "folded"


@pytest.mark.parametrize("fields", [{"pe": 8}, {"simd": 12}, {"constants": "logic"}, {"style": "folded"}, {"accumulator": "lut"}])
def test_a_layer_of_which_a_draft_says_how_it_folds_is_not_unrolled(fields: dict[str, int | str]) -> None:
    draft = PlanDraft(stages={"fc0": StageDraft("fc0", **fields)})  # type: ignore[arg-type]
    plan = plan_network(dense([12, 8, 6]), VU9P, base=draft, unroll=True)
    assert [s.style == "unrolled" for s in plan.stages] == [False, True]


def test_a_circuit_that_turns_out_dear_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def dear(form: object) -> Piece:
        made.append(form)
        return Piece("circuit", fixed=Resources(lut=1e5))

    monkeypatch.setattr(planner, "circuit_piece", dear)
    plan = plan_network(dense([12, 8, 6]), VU9P, unroll=True)
    assert "unrolled" not in {s.style for s in plan.stages}
    assert len(made) == 2


@pytest.mark.parametrize(("rows", "encoding"), [(64, None), (6, Integer(2, True, True))])
def test_a_circuit_is_expected_about_as_large_as_it_is_made(rows: int, encoding: Integer | None) -> None:
    network = dense([64, rows, 2], encoding)
    stage = stages_of(network)[0]
    made = form_of(network, stage).figures.luts
    assert 0.7 * made < expected_circuit(summary_of(network, stage)).fixed.lut < 1.3 * made


def test_an_outlook_has_the_cycles_of_the_plan_that_follows() -> None:
    network = dense([48, 16, 8])
    for style in (None, "folded", "unrolled"):
        found = outlook(network, VU9P, Goal(), clock_mhz=300.0, style=style, unroll=style is None)
        plan = plan_network(network, VU9P, style=style, unroll=style is None)
        assert found is not None
        assert found[0] == predict(network, plan).interval
    assert outlook(network, VU9P, Goal(latency_s=1e-6), clock_mhz=300.0, style=None, unroll=True) is None
    assert outlook(network, VU9P, Goal(fps=1e12), clock_mhz=300.0, style=None, unroll=True) is None


def test_a_faster_style_is_told_of_and_one_too_large_for_a_rate() -> None:
    def styles(goal: Goal, style: str | None, cycles: int, lut: float) -> list[Alternative]:
        return better_styles(tfc(), VU9P, goal, 300.0, style, cycles, lut)

    (faster,) = styles(Goal(), None, 13, 7684)
    assert (faster.style, faster.cycles) == ("unrolled", 1)
    (smaller,) = styles(Goal(fps=1e6), "unrolled", 1, 9400)
    assert smaller.style is None
    assert smaller.lut < 9400
    assert smaller.cycles <= 300
    assert styles(Goal(fps=1e6), None, 300, 1000) == []


def test_a_budget_far_below_the_usual_does_not_ask_for_another_device() -> None:
    with pytest.raises(NegativeVerdict) as refused:
        plan_network(dense([64, 32, 10]), VU9P, Goal(budget={"lut": 0.0001}))
    assert "raise the budget to lut=" in str(refused.value.hint)
    assert "device" not in str(refused.value.hint)


def test_one_cycle_is_no_plural() -> None:
    with pytest.raises(InputError, match=r"leave 1 cycle a frame, image needs \d+"):
        plan_network(image(Window((3, 3)), shape=(3, 3, 1)), VU9P, Goal(fps=300e6), style="unrolled")

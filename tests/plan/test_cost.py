from __future__ import annotations

from dataclasses import replace

import pytest

from hwq.network.graph import Network
from hwq.numerics.encoding import Integer
from hwq.plan.cost import ERROR_BAND, estimate
from hwq.plan.dataflow import dataflow_of
from hwq.plan.draft import PlanDraft, StageDraft
from hwq.plan.goal import Goal
from hwq.plan.planner import plan_network
from hwq.plan.resources import Resources
from hwq.plan.stage_cost import stage_cost
from hwq.plan.stages import stages_of
from hwq.plan.summary import summary_of
from hwq.target.boards import load_device
from tests.plan.networks import dense, tfc, two_outputs

VU9P = load_device("vu9p")


def stage_of(network: Network, pe: int, simd: int, style: str = "folded") -> Resources:
    memory = "lutram" if style == "folded" else "logic"
    return stage_cost(summary_of(network, stages_of(network)[0]), pe, simd, memory, style=style)


def test_binary_products_are_cheapest() -> None:
    binary, ternary, ints = (stage_of(dense([64, 64], e), 8, 32).lut for e in (None, Integer(2, True, True), Integer(4, True)))
    assert binary < ternary < ints
    assert stage_of(dense([64, 64], Integer(8, True)), 4, 16).dsp >= 32


def test_zero_weights_cost_nothing_as_wiring() -> None:
    network = dense([64, 64], Integer(2, True, True))
    s = summary_of(network, stages_of(network)[0])
    assert 0.5 < s.nonzero < 0.8
    full = stage_cost(replace(s, nonzero=1.0), 64, 64, "logic", style="unrolled").lut
    assert stage_of(network, 64, 64, "unrolled").lut < full


def test_the_estimate_is_the_sum_of_its_units_and_the_status_registers() -> None:
    plan = plan_network(two_outputs(), VU9P, Goal(fps=1e7))
    e = estimate(two_outputs(), plan, VU9P)
    assert set(e.per_unit) == {u.name for u in dataflow_of(two_outputs(), plan).units}
    assert e.total.lut > sum(r.lut for r in e.per_unit.values())
    assert e.utilisation["lut"] == e.total.lut / VU9P.lut
    assert e.error_band == ERROR_BAND


def test_more_lanes_cost_more() -> None:
    luts = [estimate(tfc(), plan_network(tfc(), VU9P, Goal(fps=f)), VU9P).total.lut for f in (1e5, 1e6, 1e7, 1e8)]
    assert luts == sorted(luts)


def test_accumulators_in_slices_take_slices_and_no_luts() -> None:
    """A sum of 784 products of one bit has 10 bits, words of 12 bits stand four in a DSP48E2 (UG579): 16 rows take four, 10 take three."""
    found = {}
    for where in ("lut", "dsp"):
        drafts = {s.name: StageDraft(s.name, pe=16, simd=16, accumulator=where) for s in stages_of(tfc())[:3]}
        drafts["fc3"] = StageDraft("fc3", pe=10, simd=16, accumulator=where)
        plan = plan_network(tfc(), VU9P, Goal(fps=1e5), base=PlanDraft(stages=drafts))
        found[where] = estimate(tfc(), plan, VU9P).per_unit
    assert {name: found["dsp"][name].dsp for name in ("fc0", "fc3")} == {"fc0": 4, "fc3": 3}
    for name in ("fc0", "fc1", "fc2", "fc3"):
        assert found["lut"][name].dsp == 0
        assert found["dsp"][name].lut < found["lut"][name].lut


@pytest.mark.parametrize(
    ("width", "pe", "simd", "slices"),
    # Two int8 products a slice, or one where a row is left alone; four int4 products, three, or two of one row.
    [(8, 4, 16, 2 * 16), (8, 5, 8, 3 * 8), (4, 8, 16, 2 * 16), (4, 6, 8, 2 * 8), (4, 2, 8, 2 * 4), (4, 1, 8, 4)],
)
def test_rows_share_the_slices_that_multiply(width: int, pe: int, simd: int, slices: int) -> None:
    network = dense([64, 40], Integer(width, True))
    summary = summary_of(network, stages_of(network)[0], "dsp")
    assert stage_cost(summary, pe, simd, "lutram").dsp == slices


def test_resources_add_and_round_and_divide() -> None:
    r = Resources(1.4, 0, 2.6, 0.3, 0, 1) + Resources(1, 0, 0, 0.4)
    assert r.rounded() == {"lut": 2, "lutram": 0, "ff": 3, "bram36": 0.5, "uram": 0, "dsp": 1}
    assert Resources(uram=1).fraction_of(Resources(lut=5)) == {"lut": 0, "lutram": 0, "ff": 0, "bram36": 0, "uram": float("inf"), "dsp": 0}

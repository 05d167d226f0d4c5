from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwq.numerics.encoding import Integer
from hwq.plan.cost import ERROR_BAND, estimate
from hwq.plan.dataflow import dataflow_of
from hwq.plan.goal import Goal
from hwq.plan.memories import block_count, fifo_cost, memory_cost
from hwq.plan.planner import plan_network
from hwq.plan.resources import Resources
from hwq.plan.stage_cost import lanes_cost
from hwq.plan.stages import stages_of
from hwq.plan.summary import summary_of
from hwq.target.boards import load_device
from tests.plan.networks import dense, tfc, two_outputs

VU9P = load_device("vu9p")


@pytest.mark.parametrize(
    ("width", "depth", "blocks"),
    [
        (72, 512, 1),
        (36, 512, 0.5),
        (36, 1024, 1),
        (73, 512, 1.5),
        (144, 512, 2),
        (1, 32768, 1),
        (9, 4096, 1),
        (72, 1024, 2),
        (18, 1024, 0.5),
    ],
)
def test_block_rams_by_the_ports_of_ug573(width: int, depth: int, blocks: float) -> None:
    assert block_count(width, depth) == blocks


@given(st.integers(1, 4000), st.integers(1, 40000))
def test_block_rams_hold_their_bits(width: int, depth: int) -> None:
    assert block_count(width, depth) * 36 * 1024 >= width * depth


def test_a_lut_is_a_read_only_memory_of_64_bits() -> None:
    assert memory_cost(100, 64, "lutram").lut == 100
    assert memory_cost(100, 65, "lutram").lut == 200
    assert memory_cost(100, 32, "lutram").lut == 50
    assert memory_cost(100, 1, "logic") == Resources()


@given(st.integers(1, 500), st.integers(1, 200))
def test_a_deeper_fifo_never_costs_less_luts_as_memory_or_blocks(width: int, depth: int) -> None:
    shallow, deep = fifo_cost(width, depth), fifo_cost(width, depth + 1)
    assert deep.bram36 >= shallow.bram36
    assert deep.lutram >= shallow.lutram or deep.bram36 > 0


def test_binary_products_are_cheapest() -> None:
    def lut(encoding: Integer | None) -> float:
        network = dense([64, 64], encoding)
        return lanes_cost(summary_of(network, stages_of(network)[0]), 64, False).lut

    assert lut(None) < lut(Integer(2, True, True)) < lut(Integer(4, True))
    network = dense([64, 64], Integer(8, True))
    assert lanes_cost(summary_of(network, stages_of(network)[0]), 64, False).dsp == 64


def test_zero_weights_cost_nothing_as_constants() -> None:
    network = dense([64, 64], Integer(2, True, True))
    s = summary_of(network, stages_of(network)[0])
    assert 0.5 < s.nonzero < 0.8
    assert lanes_cost(s, 64 * 64, True).lut < lanes_cost(s, 64 * 64, False).lut


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


def test_resources_add_and_round_and_divide() -> None:
    r = Resources(1.4, 0, 2.6, 0.3, 0, 1) + Resources(1, 0, 0, 0.4)
    assert r.rounded() == {"lut": 2, "lutram": 0, "ff": 3, "bram36": 0.5, "uram": 0, "dsp": 1}
    assert Resources(uram=1).fraction_of(Resources(lut=5)) == {"lut": 0, "lutram": 0, "ff": 0, "bram36": 0, "uram": float("inf"), "dsp": 0}

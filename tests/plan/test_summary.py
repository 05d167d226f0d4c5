from __future__ import annotations

from collections.abc import Iterator
from math import gcd

import pytest

from hwq.network.file import network_hash
from hwq.network.graph import Network
from hwq.plan.candidates import expected_buffer
from hwq.plan.dataflow import dataflow_of
from hwq.plan.law import unit_cycles
from hwq.plan.plan import Plan, StagePlan, StreamPlan
from hwq.plan.stages import stages_of
from hwq.plan.summary import WINDOWED, StageSummary, summary_of
from hwq.plan.units import Unit, WindowUnit
from tests.plan import convnets
from tests.plan.networks import tfc, two_outputs

NETWORKS = [convnets.residual(), convnets.inception(), convnets.depthwise(), convnets.unet(), convnets.audio(), tfc(), two_outputs()]


def some_plan(network: Network, lanes: int) -> Plan:
    """A plan of few or many lanes, whatever they cost."""
    stages = []
    for stage in stages_of(network):
        s = summary_of(network, stage)
        pe = max(d for d in range(1, s.rows + 1) if (s.rows % d == 0 and d <= lanes and d % s.multiplier == 0) or d == s.multiplier)
        if s.kind in ("concat", "split"):
            pe = max(d for d in range(1, lanes + 1) if all(n % d == 0 for n in s.sizes))
        simd = max(d for d in range(1, s.columns + 1) if s.columns % d == 0 and d <= lanes)
        pixels = max(d for d in range(1, lanes + 1) if gcd(*s.widths) % d == 0)
        buffer = expected_buffer(s.geometry(pe, simd, pixels)) if s.kind in WINDOWED else 2 * s.shape[1] * s.rows
        stages.append(StagePlan(stage.name, pe, simd, pixels, buffer=buffer))
    ports = [i.name for i in network.inputs] + list(network.outputs)
    return Plan(network_hash(network), "vu9p", 300.0, tuple(StreamPlan(p) for p in ports), tuple(stages))


def units(network: Network, plan: Plan) -> Iterator[tuple[StageSummary, StagePlan, Unit, int]]:
    """Every stage that is a component, with its law."""
    dataflow = dataflow_of(network, plan)
    found = {u.name: u for u in dataflow.units}
    for stage in stages_of(network):
        if stage.kind != "flatten":
            unit = found[stage.name]
            yield summary_of(network, stage), plan.stage(stage.name), unit, unit_cycles(unit, dataflow)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.name)
@pytest.mark.parametrize("lanes", [1, 2, 4, 64])
def test_cycles_are_those_of_the_law(network: Network, lanes: int) -> None:
    for s, p, unit, law in units(network, some_plan(network, lanes)):
        assert s.cycles(p.pe, p.simd, p.pixels) == law, unit.name


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.name)
@pytest.mark.parametrize("lanes", [1, 4])
def test_the_reader_is_that_of_the_dataflow(network: Network, lanes: int) -> None:
    for s, p, unit, _ in units(network, some_plan(network, lanes)):
        if isinstance(unit, WindowUnit):
            assert s.geometry(p.pe, p.simd, p.pixels) == unit.geometry


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.name)
def test_words_are_those_of_the_dataflow(network: Network) -> None:
    plan = some_plan(network, 4)
    edges = dataflow_of(network, plan).edges
    for s, p, unit, _ in units(network, plan):
        assert [edges[e].elements for e in unit.inputs] == [s.lanes_in(p.pe, p.simd, k) for k in range(len(unit.inputs))]
        if s.kind != "split":
            assert [edges[e].elements for e in unit.outputs] == [s.lanes_out(p.pe)]


def test_counts_of_a_convolution() -> None:
    network = convnets.resnet18(32, 8)
    s = summary_of(network, stages_of(network)[0])
    assert (s.kind, s.mw, s.mh, s.columns, s.rows, s.taps) == ("mvu", 147, 8, 3, 8, 49)
    assert (s.shape, s.out_shape, s.widths) == ((32, 32, 3), (16, 16, 8), (32, 16))
    # 16 rows, 16 / 4 groups of windows, 2 passes, 49 taps.
    assert s.cycles(4, 3, 4) == 16 * 4 * 2 * 49

from __future__ import annotations

import pytest

from hwq.network.graph import Network
from hwq.plan.dataflow import dataflow_of
from hwq.plan.design_pieces import unit_pieces
from hwq.plan.draft import PlanDraft
from hwq.plan.folding import Folder
from hwq.plan.pieces import cost_of
from hwq.plan.resources import Resources
from hwq.plan.units import Converter, Fifo
from tests.plan import convnets
from tests.plan.test_summary import some_plan

NETWORKS = [convnets.residual(), convnets.inception(), convnets.depthwise(), convnets.unet(), convnets.audio()]


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.name)
@pytest.mark.parametrize("lanes", [1, 3, 4, 64])
def test_converters_are_priced_as_they_are_built(network: Network, lanes: int) -> None:
    from hwq.plan.wires import between

    plan = some_plan(network, lanes)
    dataflow = dataflow_of(network, plan)
    built = Resources()
    for unit in dataflow.units:
        if isinstance(unit, Converter) or (isinstance(unit, Fifo) and ".branch" not in unit.name):
            built += cost_of(unit_pieces(unit, dataflow, {}))
    folder = Folder(network, PlanDraft(), {s.name: s.bus_bits for s in plan.streams})
    stages = {s.name: s for s in plan.stages}
    priced = Resources()
    for wire in folder.wires:
        priced += between(folder._from(wire, stages.get(wire.source)), folder._to(wire, stages.get(wire.target)))
    assert priced.as_dict() == pytest.approx(built.as_dict())

from __future__ import annotations

import pytest

from hwq.network.graph import Network
from hwq.plan.cost import converter_cost
from hwq.plan.dataflow import dataflow_of
from hwq.plan.draft import PlanDraft
from hwq.plan.folding import Folder
from hwq.plan.memories import fifo_cost
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
        edge = dataflow.edges[unit.outputs[0]] if unit.outputs else None
        if isinstance(unit, Converter) and edge:
            built += converter_cost(unit.elements, edge.bits) + fifo_cost(edge.word_bits, 2)
        elif isinstance(unit, Fifo) and edge and ".branch" not in unit.name:
            built += fifo_cost(edge.word_bits, 2)
    folder = Folder(network, PlanDraft(), {s.name: s.bus_bits for s in plan.streams})
    stages = {s.name: s for s in plan.stages}
    priced = Resources()
    for wire in folder.wires:
        priced += between(folder._from(wire, stages.get(wire.source)), folder._to(wire, stages.get(wire.target)))
    assert priced == built

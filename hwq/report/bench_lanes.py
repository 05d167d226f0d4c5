"""LUTs of the folded XNOR lane array at PE 16, SIMD 64, per product and cycle."""

from __future__ import annotations

import numpy as np

from hwq.gateware.mvu import MvuStage
from hwq.gateware.parts import SeparateParts
from hwq.network.file import network_hash
from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.ops import Conv
from hwq.numerics.encoding import Bipolar, Encoding
from hwq.plan.dataflow import dataflow_of
from hwq.plan.plan import Plan, StagePlan, StreamPlan
from hwq.plan.units import Mvu
from hwq.report.luts import module_cells, total

__all__ = ["lane_layer", "xnor_lanes"]

BITS = Bipolar()
PE, SIMD = 16, 64
MW, MH = 784, 64  # the first layer of the TFC networks


def xnor_lanes() -> dict[str, float]:
    """``lanes``: the dot products with their accumulators; ``with_control``: the whole matrix-vector unit but weights and stream
    buffers; ``with_weight_feed``: with the weights in LUTs; each in LUTs a product and cycle, in portable form. ``buffer_luts`` are
    those of the stream buffers, as memory, in all."""
    network, plan = lane_layer()
    dataflow = dataflow_of(network, plan)
    unit = next(u for u in dataflow.units if isinstance(u, Mvu))
    parts = SeparateParts()
    out = network.tensors[network.outputs[0]].encoding
    stage = MvuStage(unit, dataflow.edges[unit.inputs[0]], dataflow.edges[unit.outputs[0]], Bipolar(), out, parts)
    cells = module_cells(stage, parts)
    kinds = {name: part.kind for name, part in parts.modules.items()}
    logic, memory = total(cells, "top")
    lane = sum(total(cells, name)[0] for name, kind in kinds.items() if kind in ("lane", "row"))
    feed = sum(sum(total(cells, name)) for name, kind in kinds.items() if kind == "rom")
    products = PE * SIMD
    return {
        "lanes": round(PE * lane / products, 4),
        "with_control": round((logic - feed) / products, 4),
        "with_weight_feed": round(logic / products, 4),
        "buffer_luts": memory,
    }


def lane_layer(x: Encoding = BITS, w: Encoding = BITS) -> tuple[Network, Plan]:
    """One dense layer ``fc`` of random weights, 784 to 64, folded to 16 rows of 64."""
    count = (w.hi - w.lo) // w.step + 1
    weights = w.lo + w.step * np.random.default_rng(1).integers(0, count, (MH, 1, 1, MW))
    node = Node("fc", Conv(weights, w), ("x",), ("y",))
    network = Network("lanes", (NetworkInput("x", (1, 1, MW), x),), (node,), ("y",))
    stage = StagePlan("fc", PE, SIMD, buffer=2 * -(-MW // SIMD))
    return network, Plan(network_hash(network), "vu9p", 300.0, (StreamPlan("x"), StreamPlan("y")), (stage,))

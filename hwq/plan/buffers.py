"""Buffers and FIFOs of a plan: how deep before sizing, and in which memory once their depth is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hwq.plan.candidates import expected_buffer, price
from hwq.plan.dataflow import Dataflow
from hwq.plan.draft import PlanDraft
from hwq.plan.geometry import ceil_div
from hwq.plan.memories import ram
from hwq.plan.moving_units import SplitUnit
from hwq.plan.plan import FifoPlan, Plan, StagePlan
from hwq.plan.stage_cost import buffer_of
from hwq.plan.summary import WINDOWED, StageSummary
from hwq.plan.token_network import buffer_name
from hwq.plan.units import LUTRAM_DEPTH, AxiIn, AxiOut, Converter, Fifo, Unit

__all__ = ["BufferMemories", "channels_of", "first_buffer", "outputs_of"]


def first_buffer(s: StageSummary, pe: int, simd: int, pixels: int, style: str = "folded") -> int:
    """Words of an input buffer before sizing."""
    if s.kind in WINDOWED:
        return expected_buffer(s.geometry(pe, simd, pixels, style))
    return 2 * s.shape[1] * ceil_div(s.rows, pe) if s.kind == "upsample" else 2


def outputs_of(unit: Unit) -> list[str]:
    """Channels that are Egresses of ``unit``: one, or one an output of a split."""
    if isinstance(unit, SplitUnit):
        return [unit.name if k == 0 else f"{unit.name} ({k})" for k in range(len(unit.outputs))]
    return [unit.name] if unit.outputs and hasattr(unit, "depth") else []


def channels_of(unit: Unit) -> list[str]:
    """Channels of ``unit`` whose depth a plan chooses."""
    if isinstance(unit, AxiIn | AxiOut):
        return []
    return outputs_of(unit) + ([buffer_name(unit.name)] if hasattr(unit, "buffer") else [])


@dataclass(frozen=True)
class BufferMemories:
    """Chooses memories by ``prices`` where ``draft`` leaves them open."""

    prices: Mapping[str, float]
    draft: PlanDraft
    summaries: Mapping[str, StageSummary]

    def chosen(self, plan: Plan, dataflow: Dataflow, depths: Mapping[str, int]) -> Plan:
        """``plan`` with ``depths`` by channel and the cheapest memories for them."""
        fifos = []
        for unit in dataflow.units:
            if isinstance(unit, Fifo):
                width = dataflow.edges[unit.outputs[0]].word_bits
                fifos.append(FifoPlan(unit.name, depths[unit.name], self.of_fifo(unit.name, width, depths[unit.name])))
            elif isinstance(unit, Converter):
                fifos.append(FifoPlan(unit.name, depths[unit.name]))
        # The outputs of a split share a depth; a flatten has no component of its own, and so none.
        egresses = {u.name: max(depths[n] for n in outputs_of(u)) for u in dataflow.units if outputs_of(u) and channels_of(u)}
        stages = (replace(s, buffer=depths.get(buffer_name(s.name), s.buffer), depth=egresses.get(s.name, s.depth)) for s in plan.stages)
        return replace(plan, stages=tuple(map(self.of_stage, stages)), fifos=tuple(fifos))

    def of_stage(self, plan: StagePlan) -> StagePlan:
        """``plan`` with the cheapest memory for its input buffer."""
        if self.draft.stage(plan.name).buffer_memory:
            return plan
        s = self.summaries[plan.name]
        costs = {}
        for kind in ("lutram", "block", "ultra"):
            memory = buffer_of(s, plan.pe, plan.simd, plan.pixels, plan.buffer, kind, plan.style)
            if memory is None:
                return plan
            costs[kind] = price(memory.cost, self.prices)
        return replace(plan, buffer_memory=min(costs, key=lambda k: costs[k]))

    def of_fifo(self, name: str, width: int, depth: int) -> str:
        """The cheapest memory for a FIFO that has been sized; LUT RAM or not is a matter of its depth, as sizing took it."""
        fixed = self.draft.fifos.get(name)
        if fixed is not None and fixed.memory:
            return fixed.memory
        if depth <= LUTRAM_DEPTH:
            return "auto"
        costs = {kind: price(ram(width, depth, kind).cost, self.prices) for kind in ("block", "ultra")}
        return min(costs, key=lambda k: costs[k])

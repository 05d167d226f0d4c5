"""Buffers and FIFOs of a plan: how deep before sizing, and in which memory once their depth is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hwq.plan.candidates import price, start_buffer
from hwq.plan.draft import PlanDraft
from hwq.plan.geometry import ceil_div
from hwq.plan.memories import ram
from hwq.plan.plan import StagePlan
from hwq.plan.stage_cost import buffer_of
from hwq.plan.summary import WINDOWED, StageSummary
from hwq.plan.units import LUTRAM_DEPTH

__all__ = ["BufferMemories", "first_buffer"]


def first_buffer(s: StageSummary, pe: int, simd: int, pixels: int) -> int:
    """Words of an input buffer before sizing."""
    if s.kind in WINDOWED:
        return start_buffer(s.geometry(pe, simd, pixels))
    return 2 * s.shape[1] * ceil_div(s.rows, pe) if s.kind == "upsample" else 2


@dataclass(frozen=True)
class BufferMemories:
    """Chooses memories by ``prices`` where ``draft`` leaves them open."""

    prices: Mapping[str, float]
    draft: PlanDraft
    summaries: Mapping[str, StageSummary]

    def of_stage(self, plan: StagePlan) -> StagePlan:
        """``plan`` with the cheapest memory for its input buffer."""
        if self.draft.stage(plan.name).buffer_memory:
            return plan
        s = self.summaries[plan.name]
        costs = {}
        for kind in ("lutram", "block", "ultra"):
            memory = buffer_of(s, plan.pe, plan.simd, plan.pixels, plan.buffer, kind)
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

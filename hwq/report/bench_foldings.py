"""Three foldings of a network that differ in every decision a plan takes: lanes, pixels, memories, depths of buffers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle

from hwq.network.graph import Network
from hwq.plan.dataflow import dataflow_of
from hwq.plan.device import Device
from hwq.plan.draft import FifoDraft, PlanDraft, StageDraft
from hwq.plan.geometry import ceil_div
from hwq.plan.goal import Goal
from hwq.plan.plan import Plan
from hwq.plan.planner import plan_network
from hwq.plan.stages import stages_of
from hwq.plan.summary import WINDOWED, StageSummary, summary_of
from hwq.plan.units import Fifo

__all__ = ["fastest", "goal_of", "middle", "slowest", "three_foldings"]


def three_foldings(network: Network, device: Device, cycles: tuple[int, int]) -> Iterator[tuple[str, Plan]]:
    """The slowest plan there is, then :func:`middle` and :func:`fastest` for so many cycles a frame."""
    yield "slowest", slowest(network, device)
    yield f"middle, {cycles[0]} cycles", middle(network, device, cycles[0])
    yield f"fastest, {cycles[1]} cycles", fastest(network, device, cycles[1])


def goal_of(device: Device, cycles: int) -> Goal:
    """``cycles`` a frame at the device's clock."""
    return Goal(fps=device.clock_mhz * 1e6 / cycles)


def slowest(network: Network, device: Device, cycles: int | None = None) -> Plan:
    """One lane a stage, or the folding that ``cycles`` a frame need; buffers the least that a window fits into, in LUT RAM.

    Behind a fork a buffer is what its branch may lag behind the others, so there it holds a frame more.
    """
    summaries = _summaries(network)
    lanes = {s.name: (s.multiplier, 1, 1) for s in summaries}
    if cycles is not None:
        plan = plan_network(network, device, goal_of(device, cycles))
        lanes = {s.name: (s.pe, s.simd, s.pixels) for s in plan.stages}
    forked = _behind_forks(network)
    stages = {s.name: _least(s, *lanes[s.name], s.name in forked) for s in summaries}
    return plan_network(network, device, base=PlanDraft(stages=stages))


def middle(network: Network, device: Device, cycles: int) -> Plan:
    """The planner's folding for ``cycles`` a frame, with buffers, FIFOs, weights and thresholds in memories of every kind in turn."""
    plan = plan_network(network, device, goal_of(device, cycles))
    rams = cycle(("block", "ultra", "lutram"))
    weights = cycle((("block", "lutram"), ("lutram", "block")))
    stages = {}
    for s in _summaries(network):
        p = plan.stage(s.name)
        stages[s.name] = StageDraft(s.name, p.pe, p.simd, p.pixels, p.style, p.memory)
        if p.style == "folded" and s.w_bits:
            memory, constants = next(weights)
            stages[s.name] = replace(stages[s.name], memory=memory, constants=constants)
        if _has_buffer(s):
            stages[s.name] = replace(stages[s.name], buffer_memory=next(rams))
    skips = [u.name for u in dataflow_of(network, plan).units if isinstance(u, Fifo)]
    fifos = {name: FifoDraft(name, memory=next(rams)) for name in skips}
    streams = {s.name: s.bus_bits for s in plan.streams}
    return plan_network(network, device, base=PlanDraft(streams=streams, stages=stages, fifos=fifos))


def fastest(network: Network, device: Device, cycles: int) -> Plan:
    """The planner's own choice for ``cycles`` a frame: several pixels a cycle, depths the least that keep the interval."""
    return plan_network(network, device, goal_of(device, cycles))


def _summaries(network: Network) -> list[StageSummary]:
    return [summary_of(network, stage) for stage in stages_of(network)]


def _has_buffer(s: StageSummary) -> bool:
    return s.kind in (*WINDOWED, "upsample")


def _behind_forks(network: Network) -> set[str]:
    """Stages that read a tensor which others read too."""
    stages = stages_of(network)
    readers = Counter(source for stage in stages for source in stage.sources)
    return {stage.name for stage in stages if any(readers[source] > 1 for source in stage.sources)}


def _least(s: StageSummary, pe: int, simd: int, pixels: int, forked: bool) -> StageDraft:
    """A stage whose buffer cannot be smaller, but for the frame that it holds behind a fork."""
    draft = StageDraft(s.name, pe, simd, pixels)
    if not _has_buffer(s):
        return draft
    if s.kind == "upsample":
        least = s.shape[1] * ceil_div(s.rows, pe) if s.factor[0] > 1 else 1
    else:
        geometry = s.geometry(pe, simd, pixels)
        least = geometry.least_buffer + (geometry.frame if forked else 0)
    return replace(draft, buffer=least, buffer_memory="lutram")

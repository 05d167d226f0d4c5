"""A folding becomes a whole plan: styles, depths from the sizing, memories that go with the depths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from hwq.errors import InputError, Problems
from hwq.fabric.lane_form import PRODUCT_BITS
from hwq.network.file import network_hash
from hwq.network.graph import Network
from hwq.plan.buffers import BufferMemories, channels_of, first_buffer, outputs_of
from hwq.plan.dataflow import Dataflow, dataflow_of
from hwq.plan.device import Device
from hwq.plan.draft import PlanDraft
from hwq.plan.folding import Folder, Folding
from hwq.plan.law import bottleneck
from hwq.plan.plan import FifoPlan, Plan, StagePlan, StreamPlan
from hwq.plan.sizing import keeps_interval, least_depths, start_depths
from hwq.plan.summary import CONTRACTIONS, StageSummary
from hwq.plan.token_network import TokenNetwork, buffer_name
from hwq.plan.units import LUTRAM_DEPTH, Converter, Fifo

__all__ = ["Completion"]

LISTED = 12  # FIFOs that a message names


@dataclass(frozen=True)
class Completion:
    """Completes foldings of ``network``; what ``draft`` says is kept, ``prices`` weigh the memories."""

    network: Network
    device: Device
    clock: float
    draft: PlanDraft
    prices: Mapping[str, float]
    progress: Callable[[str, float | None], None]

    def plan(self, folder: Folder, folding: Folding, sized: bool) -> Plan:
        """The plan of ``folding`` with all depths: the least, or where not ``sized`` those that normally suffice."""
        stages = tuple(self.stage_plan(folder, name, folding) for name in folding.folds)
        streams = tuple(StreamPlan(name, bus) for name, bus in folder.buses.items())
        # A memory that the draft says stays whatever the depth; one that says nothing follows it.
        said = [f for f in self.draft.fifos.values() if f.memory]
        fifos = tuple(FifoPlan(f.name, f.depth or (LUTRAM_DEPTH + 1 if f.memory == "lutram" else 2), f.memory or "auto") for f in said)
        plan = Plan(network_hash(self.network), self.device.name, self.clock, streams, stages, fifos)
        return self.with_depths(plan, folder, sized)

    def stage_plan(self, folder: Folder, name: str, folding: Folding) -> StagePlan:
        f, d, s = folding.folds[name], self.draft.stage(name), folder.summaries[name]
        style = f.style if f.style == "unrolled" else "constant" if f.memory == "logic" and s.kind in CONTRACTIONS else "folded"
        buffer = d.buffer or first_buffer(s, f.pe, f.simd, f.pixels, style)
        memories = d.depth or 2, d.buffer_memory or "auto", f.constants, self.multiplier(s, d.multiplier, style), d.accumulator or "auto"
        return StagePlan(name, f.pe, f.simd, f.pixels, style if d.style in (None, "auto") else d.style, f.memory, buffer, *memories)

    def multiplier(self, s: StageSummary, said: str | None, style: str) -> str:
        """What multiplies: where it follows the widths and would take slices that the device does not have, synthesis places them."""
        if said not in (None, "auto"):
            return str(said)
        wide = s.kind in CONTRACTIONS and style != "unrolled" and not (s.x_bipolar or s.w_bipolar) and s.x_bits + s.w_bits > PRODUCT_BITS
        return "inferred" if wide and not self.device.has_wide_slices else "auto"

    def with_depths(self, plan: Plan, folder: Folder, sized: bool) -> Plan:
        """``plan`` with depths, and memories that go with them."""
        if any(s.style == "unrolled" for s in plan.stages):
            self.progress("making the circuits of unrolled layers", None)
        dataflow = dataflow_of(self.network, plan)
        _refuse_unknown_fifos(self.draft.fifos, [u.name for u in dataflow.units if isinstance(u, Converter | Fifo)])
        fixed = self.fixed(dataflow)
        sizable = [name for unit in dataflow.units for name in channels_of(unit)]
        depths = least_depths(dataflow, fixed, sizable, self.progress) if sized else start_depths(dataflow) | fixed
        chosen = BufferMemories(self.prices, self.draft, folder.summaries).chosen(plan, dataflow, depths)
        return self.checked(chosen) if sized else chosen

    def checked(self, plan: Plan) -> Plan:
        """``plan``, its FIFOs in the memories they were sized in should the cheapest ones cost the interval."""
        if self.keeps_interval(plan):
            return plan
        said = {f.name for f in self.draft.fifos.values() if f.memory}
        automatic = replace(plan, fifos=tuple(f if f.name in said else replace(f, memory="auto") for f in plan.fifos))
        return automatic if automatic != plan and self.keeps_interval(automatic) else plan

    def keeps_interval(self, plan: Plan) -> bool:
        """Whether ``plan`` as it will be built runs at the law of its slowest component."""
        dataflow = dataflow_of(self.network, plan)
        return keeps_interval(TokenNetwork(dataflow), bottleneck(dataflow)[1])

    def fixed(self, dataflow: Dataflow) -> dict[str, int]:
        """Depths that the draft says, by channel."""
        found = {name: f.depth for name, f in self.draft.fifos.items() if f.depth is not None}
        for unit in dataflow.units:
            d = self.draft.stage(unit.name)
            if d.buffer is not None and hasattr(unit, "buffer"):
                found[buffer_name(unit.name)] = d.buffer
            if d.depth is not None:
                found |= dict.fromkeys(outputs_of(unit), d.depth)
        return found


def _refuse_unknown_fifos(given: Iterable[str], known: Sequence[str]) -> None:
    unknown = [n for n in given if n not in known]
    if unknown:
        message = "this plan has no FIFO of this name"
        raise Problems(InputError("PLAN-NAME", message, where=f"fifo {n}", hint=_fifos_hint(n, known)) for n in unknown)


def _fifos_hint(name: str, known: Sequence[str]) -> str:
    """The nearest name, and those there are: lanes decide where FIFOs and converters stand."""
    near = get_close_matches(name, known, 1)
    more = f" and {len(known) - LISTED} more" if len(known) > LISTED else ""
    listed = f"the FIFOs are {', '.join(known[:LISTED])}{more}" if known else "with these lanes there is none"
    return f"Nearest is {near[0]!r}; {listed}" if near else f"{listed[0].upper()}{listed[1:]}"

"""Cost model of a planned network: fabric of every component, and how well its block RAMs are filled.

Circuits of the fabric and memories are known exactly; what is around them is a sum over counts of its structure, fitted to synthesis
(:mod:`hwq.plan.pieces`). LUTs are physical sites, those used as memory included. :data:`ERROR_BAND` says how far an estimate may be off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hwq.network.graph import Network
from hwq.plan.dataflow import Dataflow, dataflow_of
from hwq.plan.design_pieces import frame_pieces, unit_pieces
from hwq.plan.device import Device
from hwq.plan.geometry import ceil_div
from hwq.plan.law import bottleneck
from hwq.plan.memories import Memory, ram
from hwq.plan.pieces import calibration, cost_of, levels_of
from hwq.plan.plan import Plan, StagePlan
from hwq.plan.resources import Resources
from hwq.plan.stage_cost import buffer_of, roms_of
from hwq.plan.stages import stages_of
from hwq.plan.summary import StageSummary, summary_of
from hwq.plan.units import FIFO_EGRESS, Fifo, Unit, UpsampleUnit, WindowUnit

__all__ = ["ERROR_BAND", "Estimate", "estimate"]

# An estimate e stands for e * (1 - band) .. e * (1 + band): the largest error found on designs that the model was not fitted to.
ERROR_BAND = calibration()["error"].get("band", 0.5)


@dataclass(frozen=True)
class Estimate:
    """Fabric of a planned network.

    Parameters
    ----------
    total, per_unit
        In all, and by component.
    utilisation
        Shares of the device by resource.
    error_band
        An estimate e stands for ``e * (1 - error_band) .. e * (1 + error_band)``.
    bram_bits, bram_efficiency
        Bits that lie in block RAMs, and their share of all bits of the block RAMs taken; 1 where none is.
    weight_bits_per_cycle, weight_bandwidth_use
        Bits of weights that all memories and constants deliver a cycle, and the share of them that carries a weight a window needs,
        over the cycles between two frames.
    memories
        The memories of every component that has some.
    levels
        Most LUTs between registers of every component, see :func:`hwq.plan.pieces.levels_of`.
    """

    total: Resources
    per_unit: Mapping[str, Resources]
    utilisation: Mapping[str, float]
    error_band: float = ERROR_BAND
    bram_bits: int = 0
    bram_efficiency: float = 1.0
    weight_bits_per_cycle: int = 0
    weight_bandwidth_use: float = 1.0
    memories: Mapping[str, tuple[Memory, ...]] = field(default_factory=dict)
    levels: Mapping[str, int] = field(default_factory=dict)


def estimate(network: Network, plan: Plan, device: Device) -> Estimate:
    """Fabric that ``plan`` needs on ``device``, estimated from counts; see :data:`ERROR_BAND`."""
    plans = {s.name: s for s in plan.stages}
    summaries = {s.name: summary_of(network, s, plans[s.name].multiplier, plans[s.name].accumulator) for s in stages_of(network)}
    return estimate_of(dataflow_of(network, plan), plan, summaries, device)


def estimate_of(dataflow: Dataflow, plan: Plan, summaries: Mapping[str, StageSummary], device: Device) -> Estimate:
    """:func:`estimate` of a dataflow built already."""
    pieces = {u.name: unit_pieces(u, dataflow, summaries) for u in dataflow.units}
    per_unit = {name: cost_of(found) for name, found in pieces.items()}
    total = sum(per_unit.values(), cost_of(frame_pieces(dataflow)))
    memories = {u.name: unit_memories(u, dataflow, summaries) for u in dataflow.units}
    blocks = [m for found in memories.values() for m in found if m.block_bits]
    used, taken = sum(m.bits for m in blocks), sum(m.block_bits for m in blocks)
    plans = {s.name: s for s in plan.stages}
    bandwidth = sum(_weight_width(s, plans[s.name]) for s in summaries.values())
    wanted = sum(s.weight_bits * _groups_of_windows(s, plans[s.name]) for s in summaries.values())
    interval = bottleneck(dataflow)[1]
    return Estimate(
        total,
        per_unit,
        total.fraction_of(device.capacity),
        bram_bits=used,
        bram_efficiency=used / taken if taken else 1.0,
        weight_bits_per_cycle=bandwidth,
        weight_bandwidth_use=wanted / (bandwidth * interval) if bandwidth else 1.0,
        memories={n: m for n, m in memories.items() if m},
        levels={name: levels_of(found) for name, found in pieces.items()},
    )


def _weight_width(s: StageSummary, p: StagePlan) -> int:
    if p.style == "unrolled":
        return s.weight_bits
    return p.pe * (p.simd if s.kind == "mvu" else 1) * s.w_bits


def _groups_of_windows(s: StageSummary, p: StagePlan) -> int:
    """Times a frame that every weight is read: once for V windows."""
    return s.out_shape[0] * ceil_div(s.out_shape[1], p.pixels)


def unit_memories(unit: Unit, dataflow: Dataflow, summaries: Mapping[str, StageSummary]) -> tuple[Memory, ...]:
    """Every memory of a component: of constants, its input buffer, its Egress."""
    found: list[Memory] = []
    stage = getattr(unit, "stage", None)
    if stage is not None:
        s, p = summaries[stage.name], unit.plan  # type: ignore[attr-defined]
        found += roms_of(s, p.pe, p.simd, p.memory, p.constants, p.style)
        if isinstance(unit, WindowUnit | UpsampleUnit):
            buffer = buffer_of(s, p.pe, p.simd, p.pixels, unit.buffer, p.buffer_memory, p.style)
            found += [buffer] if buffer else []
    if isinstance(unit, Fifo) and unit.memory != "lutram":
        edge = dataflow.edges[unit.outputs[0]]
        return ram(edge.word_bits, unit.depth, unit.memory), ram(edge.word_bits, FIFO_EGRESS)
    depth = getattr(unit, "depth", 0)
    return (*found, *(ram(dataflow.edges[e].word_bits, depth) for e in unit.outputs if depth))

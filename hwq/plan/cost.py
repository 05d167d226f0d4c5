"""Cost model of a planned network: fabric of every component, and how well its block RAMs are filled.

A model from the fabric's structure (6-input LUTs, 64-deep LUT memories, 72-bit block RAM ports, Yosys' choice of
DSP slices), not yet fitted to synthesis: :data:`ERROR_BAND` says how far it may be off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hwq.network.graph import Network
from hwq.plan.dataflow import Dataflow, dataflow_of
from hwq.plan.device import Device
from hwq.plan.geometry import ceil_div
from hwq.plan.law import bottleneck
from hwq.plan.memories import FIFO_CONTROL, FIFO_CONTROL_FF, Memory, fifo_cost, ram
from hwq.plan.plan import Plan, StagePlan
from hwq.plan.resources import Resources
from hwq.plan.stage_cost import buffer_of, roms_of, stage_cost
from hwq.plan.stages import stages_of
from hwq.plan.summary import StageSummary, summary_of
from hwq.plan.units import FIFO_EGRESS, AxiIn, AxiOut, Converter, Fifo, Fork, Unit, UpsampleUnit, WindowUnit

__all__ = ["ERROR_BAND", "STATUS", "Estimate", "axi_cost", "converter_cost", "estimate"]

ERROR_BAND = 0.5  # an estimate e stands for e * (1 - band) .. e * (1 + band)

CONVERTER_BIT = 1.0  # LUT a bit of a block: shift or load
CONVERTER_BIT_FF = 2.0  # fill register and shift register
AXI_CONTROL = 30.0  # framing, packing
AXI_CONTROL_FF = 40.0
STATUS = Resources(lut=250.0, ff=450.0)  # AXI4-Lite registers and counters, once a design


def converter_cost(elements: int, bits: int) -> Resources:
    """A width converter without its Egress; ``elements`` is those of its block."""
    return Resources(lut=10 + CONVERTER_BIT * elements * bits, ff=10 + CONVERTER_BIT_FF * elements * bits)


def axi_cost(bus_bits: int) -> Resources:
    """An AXI4-Stream ingress or egress."""
    return Resources(lut=AXI_CONTROL, ff=AXI_CONTROL_FF) + fifo_cost(bus_bits, 2)


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


def estimate(network: Network, plan: Plan, device: Device) -> Estimate:
    """Fabric that ``plan`` needs on ``device``, estimated from counts; see :data:`ERROR_BAND`."""
    summaries = {s.name: summary_of(network, s) for s in stages_of(network)}
    return estimate_of(dataflow_of(network, plan), plan, summaries, device)


def estimate_of(dataflow: Dataflow, plan: Plan, summaries: Mapping[str, StageSummary], device: Device) -> Estimate:
    """:func:`estimate` of a dataflow built already."""
    per_unit = {u.name: _unit_cost(u, dataflow, summaries) for u in dataflow.units}
    total = sum(per_unit.values(), STATUS)
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


def _unit_cost(unit: Unit, dataflow: Dataflow, summaries: Mapping[str, StageSummary]) -> Resources:
    if isinstance(unit, AxiIn | AxiOut):
        return axi_cost(unit.bus_bits)
    if isinstance(unit, Fork):
        return Resources(lut=2.0 * len(unit.outputs), ff=len(unit.outputs))
    queues = sum((m.cost for m in unit_memories(unit, dataflow, summaries) if m.is_written), Resources())
    controls = (1 + isinstance(unit, WindowUnit | UpsampleUnit)) * len(unit.outputs)
    queues += Resources(lut=FIFO_CONTROL * controls, ff=FIFO_CONTROL_FF * controls)
    if isinstance(unit, Converter):
        return queues + converter_cost(unit.elements, dataflow.edges[unit.outputs[0]].bits)
    if isinstance(unit, Fifo):
        return queues
    p = unit.plan  # type: ignore[attr-defined]
    s = summaries[unit.stage.name]  # type: ignore[attr-defined]
    return queues + stage_cost(s, p.pe, p.simd, p.memory, p.pixels, p.constants, p.style)

"""Pipelining: a combinational circuit cut into stages, with few flip-flops."""

from __future__ import annotations

from dataclasses import replace

from hwq.fabric.cutting import cut
from hwq.fabric.netlist import Chain, Dsp, Lut, Netlist
from hwq.fabric.retime import retimed
from hwq.fabric.stages import assigned

__all__ = ["pipeline"]


def pipeline(
    netlist: Netlist, levels_per_stage: int | None = None, stages: int | None = None, registered_inputs: bool = False
) -> tuple[Netlist, int]:
    """The circuit with flip-flops after every stage, the last included, and its latency in cycles.

    Give ``levels_per_stage`` (then as few stages as that takes) or ``stages`` (at most so many, then as few levels in each). All outputs
    have the same latency: a flip-flop rank after every stage, and one before the first if ``registered_inputs``. A signal needed in
    several later stages passes one line of flip-flops. Cells stand as soon as the levels allow, then move to where flip-flops are saved
    (:mod:`hwq.fabric.retime`).
    """
    assert not netlist.flops, "a circuit with flip-flops is not cut again"
    plan = assigned(netlist, levels_per_stage, stages)
    made, latency = retimed(cut(netlist, plan.stage_of_cell, plan.stages))
    return (_registered(made), latency + 1) if registered_inputs else (made, latency)


def _registered(netlist: Netlist) -> Netlist:
    """The pipeline with one more flip-flop at every input."""
    made = Netlist(netlist.name, dict(netlist.inputs), {}, [], [], netlist.signals)
    held = {b: made.flop(b) for bits in netlist.inputs.values() for b in bits}

    def moved(*bits: int) -> tuple[int, ...]:
        return tuple(held.get(b & ~1, b & ~1) ^ (b & 1) for b in bits)

    for cell in netlist.cells:
        assert not isinstance(cell, Dsp), "slices bring their own registers"
        if isinstance(cell, Lut):
            made.cells.append(replace(cell, pins=moved(*cell.pins)))
        else:
            made.cells.append(Chain(moved(*cell.s), moved(*cell.di), moved(cell.ci)[0], cell.o, cell.co))
    made.flops += [replace(f, d=moved(f.d)[0]) for f in netlist.flops]
    made.outputs.update((name, moved(*bits)) for name, bits in netlist.outputs.items())
    return made

"""Pipelining: a combinational circuit cut into stages, with few flip-flops."""

from __future__ import annotations

from hwq.fabric.cutting import cut
from hwq.fabric.netlist import Netlist
from hwq.fabric.retime import retimed
from hwq.fabric.stages import earliest, latest

__all__ = ["cut", "pipeline"]


def pipeline(
    netlist: Netlist, levels_per_stage: int | None = None, stages: int | None = None, registered_inputs: bool = False
) -> tuple[Netlist, int]:
    """The circuit with flip-flops after every stage, the last included, and its latency in cycles.

    Give ``levels_per_stage`` (then as few stages as that takes) or ``stages`` (at most so many, then as few levels in each). All outputs
    have the same latency: a flip-flop rank after every stage, and one before the first if ``registered_inputs``. A signal needed in
    several later stages passes one line of flip-flops. Cells stand as soon or as late as the levels allow, whichever leads to fewer
    flip-flops after retiming (:mod:`hwq.fabric.retime`).
    """
    assert not netlist.flops, "a circuit with flip-flops is not cut again"
    plans = [find(netlist, levels_per_stage, stages) for find in (earliest, latest)]
    made, latency = min((retimed(cut(netlist, plan.stage_of_cell, plan.stages)) for plan in plans), key=lambda m: len(m[0].flops))
    if registered_inputs:
        made, latency = _registered(made), latency + 1
    return made, latency


def _registered(netlist: Netlist) -> Netlist:
    """The pipeline with one more flip-flop at every input."""
    made = Netlist(netlist.name)
    signal = [0] * netlist.signals
    for name, bits in netlist.inputs.items():
        for bit, own in zip(bits, made.input(name, len(bits)), strict=True):
            signal[bit >> 1] = made.flop(own)
    return _copied(netlist, made, signal)

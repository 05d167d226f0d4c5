"""Frames that are in flight inside a design, and which outputs depend on which inputs: what the queues of flags must hold."""

from __future__ import annotations

from hwq.plan.dataflow import Dataflow
from hwq.plan.geometry import ceil_div
from hwq.plan.units import FIFO_EGRESS, AxiIn, AxiOut

__all__ = ["frames_in_flight", "inputs_of"]


def frames_in_flight(dataflow: Dataflow) -> int:
    """An upper bound of the frames inside the design at a time: the words that fit between ingress and egress, unit by unit."""
    frames = 2
    for unit in dataflow.units:
        into, out = ([dataflow.edges[e].words for e in edges] for edges in (unit.inputs, unit.outputs))
        # A unit holds at most its output words and what it buffers, a frame half read and a frame half written.
        held = getattr(unit, "depth", 1) + FIFO_EGRESS
        frames += ceil_div(held, min(out or into)) + ceil_div(getattr(unit, "buffer", 0), min(into or out)) + 2
    return frames


def inputs_of(dataflow: Dataflow) -> dict[str, list[str]]:
    """For every output unit the input units that it depends on, in order."""
    reach: dict[str, dict[str, None]] = {}
    found = {}
    for unit in dataflow.units:
        sources = {name: None for edge in unit.inputs for name in reach[edge]}
        if isinstance(unit, AxiIn):
            sources = {unit.name: None}
        reach.update(dict.fromkeys(unit.outputs, sources))
        if isinstance(unit, AxiOut):
            found[unit.name] = list(sources)
    return found

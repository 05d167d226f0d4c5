"""Cycle laws: cycles a frame costs each component when its source is always valid and its sink always ready."""

from __future__ import annotations

from hwq.plan.dataflow import Dataflow
from hwq.plan.units import Converter, Unit, WindowUnit

__all__ = ["bottleneck", "unit_cycles"]


def unit_cycles(unit: Unit, dataflow: Dataflow) -> int:
    """Cycles a frame of ``unit`` on its own, in the steady state.

    A unit with a Reader takes a cycle a firing, ``sf * nf`` a vector, but at least one a word of its input; a width converter
    ``max(u, d)`` a block of ``u`` words in and ``d`` out; every other component one cycle a word, on the side that has more.
    """
    if isinstance(unit, WindowUnit):
        return max(unit.geometry.firings, unit.geometry.frame)
    if isinstance(unit, Converter):
        return (unit.blocks - 1) * max(unit.words_in, unit.words_out) + max(unit.last_in, unit.last_out)
    return max(dataflow.edges[e].words for e in (*unit.inputs, *unit.outputs))


def bottleneck(dataflow: Dataflow) -> tuple[Unit, int]:
    """The component with the most cycles a frame, the first of several, and its cycles: the interval of the whole."""
    cycles = [unit_cycles(u, dataflow) for u in dataflow.units]
    most = max(cycles)
    return dataflow.units[cycles.index(most)], most

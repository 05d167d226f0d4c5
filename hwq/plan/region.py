"""Pieces of a dataflow, between a world that offers and takes whatever it can."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import accumulate

from hwq.plan.dataflow import Dataflow
from hwq.plan.units import AxiIn, AxiOut, Fork, Unit, UpsampleUnit, WindowUnit

__all__ = ["around", "between_fork_and_join", "leading_to", "piece"]


def piece(dataflow: Dataflow, names: Collection[str]) -> Dataflow:
    """The units ``names`` of ``dataflow``, with sources and sinks where their streams come from and go to other units.

    Branches of a fork that leave are dropped.
    """
    kept = [u for u in dataflow.units if u.name in names]
    read = {e for u in kept for e in u.inputs}
    kept = [replace(u, outputs=tuple(o for o in u.outputs if o in read)) if isinstance(u, Fork) else u for u in kept]
    written = {e for u in kept for e in u.outputs}
    sources = [AxiIn(f"<{e}", (), (e,), f"<{e}", 1, 1) for u in kept for e in u.inputs if e not in written]
    sinks = [AxiOut(f"{e}>", (e,), (), f"{e}>", 1, 1) for u in kept for e in u.outputs if e not in read]
    return Dataflow((*sources, *kept, *sinks), dataflow.edges)


def leading_to(dataflow: Dataflow, unit: Unit) -> Dataflow:
    """``unit`` and what is in front of it, back to a unit with a buffer of its own."""
    writer = {e: u for u in dataflow.units for e in u.outputs}
    names = {unit.name}
    front = [writer[e] for e in unit.inputs]
    while front:
        u = front.pop()
        if u.name in names:
            continue
        names.add(u.name)
        if not isinstance(u, WindowUnit | UpsampleUnit):
            front += [writer[e] for e in u.inputs] if len(u.inputs) == 1 else []
    return piece(dataflow, names)


def around(dataflow: Dataflow, unit: Unit, *, margin: bool = False) -> Dataflow:
    """The stretch of ``dataflow`` with ``unit`` in it that hangs on to the rest by single streams: from the fork to the join.

    With a ``margin`` also what is before and behind it, as far as the next stretch that has a stage with a window.
    """
    units = dataflow.units
    cuts = _cuts(dataflow)
    at = next(k for k, u in enumerate(units) if u.name == unit.name)
    first = max(n for n, cut in enumerate(cuts) if cut <= at)
    last = min(n for n, cut in enumerate(cuts) if cut > at)
    if margin:
        low, high = first, last
        while first > 0 and not _has_window(units[cuts[first] : cuts[low]]):
            first -= 1
        while last < len(cuts) - 1 and not _has_window(units[cuts[high] : cuts[last]]):
            last += 1
    return piece(dataflow, {u.name for u in units[cuts[first] : cuts[last]]})


def between_fork_and_join(dataflow: Dataflow, unit: Unit) -> Dataflow | None:
    """From the fork that ``unit`` hangs on to where its words meet those of the other branches; None where there is no such fork.

    Streams that pass by, such as the outer skips of a U, come from and go to the world.
    """
    units = dataflow.units
    place = {u.name: k for k, u in enumerate(units)}
    writer = {e: k for k, u in enumerate(units) for e in u.outputs}
    fork = unit
    while not isinstance(fork, Fork):
        if len(fork.inputs) != 1 or (fork is not unit and isinstance(fork, WindowUnit | UpsampleUnit)):
            return None
        fork = units[writer[fork.inputs[0]]]
    reach = _reach(dataflow)
    others = 0
    for k, u in enumerate(units):
        if set(u.inputs) & set(fork.outputs) and not reach[k] >> place[unit.name] & 1:
            others |= reach[k]
    meeting = reach[place[unit.name]] & others
    if not meeting:
        return None
    join = (meeting & -meeting).bit_length() - 1
    inside = reach[place[fork.name]]
    return piece(dataflow, {u.name for k, u in enumerate(units) if inside >> k & 1 and reach[k] >> join & 1})


def _reach(dataflow: Dataflow) -> list[int]:
    """For every unit a set of bits: itself and all that its words come to."""
    readers: dict[str, int] = {e: k for k, u in enumerate(dataflow.units) for e in u.inputs}
    reach = [0] * len(dataflow.units)
    for k in reversed(range(len(reach))):
        reach[k] = 1 << k
        for e in dataflow.units[k].outputs:
            reach[k] |= reach[readers[e]] if e in readers else 0
    return reach


def _cuts(dataflow: Dataflow) -> list[int]:
    """Places in the order of units that no more than one stream crosses, both ends included."""
    units = dataflow.units
    place = {e: k for k, u in enumerate(units) for e in u.outputs}
    crossing = [0] * (len(units) + 2)
    for k, u in enumerate(units):
        for e in u.inputs:
            crossing[place[e] + 1] += 1
            crossing[k + 1] -= 1
    open_streams = list(accumulate(crossing))
    return [k for k in range(len(units) + 1) if open_streams[k] <= 1]


def _has_window(units: Sequence[Unit]) -> bool:
    return any(isinstance(u, WindowUnit) for u in units)

"""Why a FIFO is deep: what its words wait for, and how long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hwq.plan.dataflow import Dataflow
from hwq.plan.region import piece
from hwq.plan.token_network import TokenNetwork
from hwq.plan.units import Fifo, Unit, WindowUnit

__all__ = ["Waiting", "deepest_fifo", "reader_of", "stage_before", "waiting_of"]


@dataclass(frozen=True)
class Waiting:
    """The first word of a frame waits ``cycles`` cycles in FIFO ``fifo`` of ``depth`` words, until ``waits_for`` has its first word
    for ``reader``, which reads both. Of the first frame, which finds everything empty."""

    fifo: str
    depth: int
    reader: str
    waits_for: str
    cycles: int

    def __str__(self) -> str:
        return f"waits {self.cycles} cycles for the first row of {self.waits_for}"


def deepest_fifo(dataflow: Dataflow) -> Waiting | None:
    """What the deepest FIFO waits for, the first of several; None without FIFOs in front of a component with several inputs."""
    fifos = sorted((u for u in dataflow.units if isinstance(u, Fifo)), key=lambda u: -u.depth)
    return next((w for w in (waiting_of(dataflow, u) for u in fifos) if w), None)


def waiting_of(dataflow: Dataflow, fifo: Fifo) -> Waiting | None:
    """What the words of ``fifo`` wait for; None where its reader reads nothing else."""
    join, inner = reader_of(dataflow, fifo)
    others = [e for e in join.inputs if e not in inner.outputs]
    if not others:
        return None
    ready = {e: _first_word(dataflow, dataflow.producer(e), e) for e in join.inputs}
    last = max(others, key=lambda e: ready[e])
    own = next(e for e in join.inputs if e in inner.outputs)
    return Waiting(fifo.name, fifo.depth, join.name, stage_before(dataflow, last), max(0, ready[last] - ready[own]))


def reader_of(dataflow: Dataflow, unit: Unit) -> tuple[Unit, Unit]:
    """The first unit behind ``unit`` that is no FIFO or converter, and the one in front of it."""
    while True:
        reader = dataflow.consumer(unit.outputs[0])
        if len(reader.inputs) != 1 or isinstance(reader, WindowUnit) or len(reader.outputs) != 1:
            return reader, unit
        unit = reader


def _first_word(dataflow: Dataflow, unit: Unit, edge: str) -> int:
    """Cycle of the first word on ``edge`` when nothing behind it holds it back."""
    front = piece(dataflow, {u.name for u in _ancestors(dataflow, unit)})
    run = TokenNetwork(front).start(1)
    run.advance()
    # A full branch that leads nowhere may stop the run, but not before the first word.
    return int(run.result().output_beats[f"{edge}>"][0, 0])


def _ancestors(dataflow: Dataflow, unit: Unit) -> Iterator[Unit]:
    writer = {e: u for u in dataflow.units for e in u.outputs}
    seen, front = {unit.name}, [unit]
    while front:
        u = front.pop()
        yield u
        for before in (writer[e] for e in u.inputs):
            if before.name not in seen:
                seen.add(before.name)
                front.append(before)


def stage_before(dataflow: Dataflow, edge: str) -> str:
    """The stage with a window nearest before ``edge``; the graph input where there is none."""
    unit = dataflow.producer(edge)
    while unit.inputs and not isinstance(unit, WindowUnit):
        unit = dataflow.producer(unit.inputs[0])
    return unit.name

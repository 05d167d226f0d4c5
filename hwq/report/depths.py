"""Buffers and FIFOs of a design: how many bits each stores, and why the largest is as deep as it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hwq.plan.dataflow import Dataflow
from hwq.plan.geometry import Geometry
from hwq.plan.units import Fifo, Unit, UpsampleUnit, WindowUnit, memory_kind
from hwq.plan.waiting import waiting_of
from hwq.report.table import grouped, shortened

__all__ = ["Store", "reason", "stores"]


@dataclass(frozen=True)
class Store:
    """One place where words wait: ``words`` of ``bits`` bits; ``kind`` is ``buffer``, ``FIFO`` or ``FIFO behind``."""

    unit: str
    kind: str
    words: int
    bits: int
    memory: str

    @property
    def total_bits(self) -> int:
        """Bits stored."""
        return self.words * self.bits


def stores(dataflow: Dataflow) -> list[Store]:
    """All of them, those with the most bits first."""
    found = [s for unit in dataflow.units for s in _of_unit(unit, dataflow)]
    return sorted(found, key=lambda s: (-s.total_bits, s.unit, s.kind))


def _of_unit(unit: Unit, dataflow: Dataflow) -> Iterator[Store]:
    if isinstance(unit, WindowUnit | UpsampleUnit):
        memory = memory_kind(unit.plan.buffer_memory, unit.buffer)
        yield Store(unit.name, "buffer", unit.buffer, dataflow.edges[unit.inputs[0]].word_bits, memory)
    if isinstance(unit, Fifo):
        yield Store(unit.name, "FIFO", unit.depth, dataflow.edges[unit.inputs[0]].word_bits, unit.memory)
    elif hasattr(unit, "depth"):
        for edge in unit.outputs or unit.inputs:
            yield Store(unit.name, "FIFO behind", unit.depth, dataflow.edges[edge].word_bits, memory_kind("auto", unit.depth))


def reason(store: Store, dataflow: Dataflow) -> str:
    """In a sentence, what makes ``store`` as deep as it is."""
    unit = next(u for u in dataflow.units if u.name == store.unit)
    if isinstance(unit, WindowUnit) and store.kind == "buffer":
        return _window_reason(unit.geometry, store.words)
    if isinstance(unit, Fifo):
        return _branch_reason(unit, dataflow)
    return "it covers the cycles between taking a word and giving its place back"


def _window_reason(g: Geometry, words: int) -> str:
    rows = (g.window.kernel[0] - 1) * g.window.dilation[0]
    if not rows:
        return f"it holds the {grouped(words)} words of a vector that is read again while the next one arrives"
    ahead = words - rows * g.row
    more = f" and {grouped(ahead)} words ahead" if ahead > 0 else ""
    return f"a window reaches back {rows} row{'s' * (rows != 1)} of {grouped(g.row)} words{more}"


def _branch_reason(fifo: Fifo, dataflow: Dataflow) -> str:
    """What the words of a FIFO wait for."""
    found = waiting_of(dataflow, fifo)
    if found is None:
        return "it lets the stages on both sides work at their own pace"
    reader, other = shortened(found.reader), shortened(found.waits_for)
    return f"the first word of a frame waits {grouped(found.cycles)} cycles in it, until {other!r} gives {reader!r} its own first word"

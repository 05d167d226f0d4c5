"""Bit heaps: sums of weighted bits, reduced by the counters of the fabric."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from hwq.fabric.counters import count, counter
from hwq.fabric.heap_schedule import Schedule, Stage, priced
from hwq.fabric.heap_search import search
from hwq.fabric.heap_store import stored
from hwq.fabric.netlist import FALSE, TRUE, Netlist

__all__ = ["BitHeap", "Goal", "Step", "Sum", "reduce", "schedule_of", "to_rows"]

Goal = Literal["luts", "levels", "slices"]


Weighted = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Step:
    """A counter in place: the (literal, weight) it takes and those it makes; their sums are equal modulo ``2**width``."""

    taken: Weighted
    made: Weighted
    width: int


@dataclass
class BitHeap:
    """Bits (literals of ``netlist``) with weights, and a constant: ``sum(bit << weight) + constant``.

    A ``weight`` is the exponent of a power of two. ``arrival``: levels by signal number (:func:`hwq.fabric.levels.levels`) if bits
    of different levels enter a combinational sum, late ones then take the short ways. ``steps``: the counters that reduced the heap,
    for proofs.
    """

    netlist: Netlist
    arrival: Sequence[int] = ()
    columns: list[list[int]] = field(default_factory=list)
    total: int = 0
    steps: list[Step] = field(default_factory=list)

    @property
    def heights(self) -> tuple[int, ...]:
        """Bits by weight, the constant left aside."""
        return tuple(len(c) for c in self.columns)

    def add(self, bit: int, weight: int = 0) -> None:
        """Adds ``bit << weight``; constants are folded."""
        if bit <= TRUE:
            self.total += bit << weight
            return
        while len(self.columns) <= weight:
            self.columns.append([])
        self.columns[weight].append(bit)

    def constant(self, value: int) -> None:
        """Adds an integer of any sign."""
        self.total += value

    def add_unsigned(self, bits: Sequence[int], weight: int = 0) -> None:
        """Adds the number of ``bits``, least first, times ``2**weight``."""
        for k, bit in enumerate(bits):
            self.add(bit, weight + k)

    def subtract(self, bits: Sequence[int], weight: int = 0) -> None:
        """Subtracts the unsigned number of ``bits``: adds complements, ``-b = ~b - 1`` bit by bit."""
        for k, bit in enumerate(bits):
            self.add(bit ^ 1, weight + k)
            self.total -= 1 << (weight + k)

    def add_signed(self, bits: Sequence[int], weight: int = 0) -> None:
        """Adds a two's complement number: its last bit counts negative."""
        self.add_unsigned(bits[:-1], weight)
        self.subtract(bits[-1:], weight + len(bits) - 1)

    def subtract_signed(self, bits: Sequence[int], weight: int = 0) -> None:
        """Subtracts a two's complement number."""
        self.subtract(bits[:-1], weight)
        self.add(bits[-1], weight + len(bits) - 1)

    def settled(self, width: int) -> list[list[int]]:
        """The heap modulo ``2**width`` as columns, the constant as TRUE bits; ``b + ~b = 1`` and ``b + b = 2b`` folded."""
        total, settled = self.total, []
        doubled: list[int] = []
        for k in range(width):
            times = Counter([*doubled, *(self.columns[k] if k < len(self.columns) else ())])
            for bit in [b for b in times if not b & 1]:
                pairs = min(times[bit], times[bit ^ 1])
                total += pairs << k
                times[bit], times[bit ^ 1] = times[bit] - pairs, times[bit ^ 1] - pairs
            doubled = [b for b, n in times.items() for _ in range(n // 2)]
            settled.append([b for b, n in times.items() if n % 2] + [TRUE] * (total >> k & 1))
        return settled


@dataclass(frozen=True)
class Sum:
    """A sum as bits, least first, ``latency`` cycles after the heap's bits."""

    bits: tuple[int, ...]
    latency: int


def reduce(heap: BitHeap, width: int, registered: bool | int = False, goal: Goal = "luts") -> Sum:
    """The heap's sum modulo ``2**width`` as ``width`` literals.

    ``registered``: flip-flops after every stage of counters (True), after every N stages and the last (N), none (False). ``goal``:
    fewest LUT sites, fewest levels or fewest slices (see :func:`hwq.fabric.heap_schedule.price_of`); the last may have a ternary adder as
    a stage, of two levels.
    """
    columns, latency = _staged(heap, width, int(registered), goal, rows=1)
    return Sum(tuple(c[0] if c else FALSE for c in columns), latency)


def to_rows(
    heap: BitHeap, width: int, rows: int | tuple[int, int] = 2, registered: bool | int = False, goal: Goal = "luts"
) -> tuple[tuple[tuple[int, ...], ...], int]:
    """The heap modulo ``2**width`` as columns of at most ``rows`` literals, and the latency.

    The lowest column of ``rows`` bits may hold one more: the carry input of the adder to come takes it. Or ``rows`` gives the most
    bits of column 0 and of the others.
    """
    columns, latency = _staged(heap, width, int(registered), goal, rows)
    return tuple(tuple(c) for c in columns), latency


@lru_cache(maxsize=4096)
def schedule_of(
    heights: tuple[int, ...], width: int, registered: bool | int = False, goal: Goal = "luts", rows: int | tuple[int, int] = 1
) -> Schedule:
    """The schedule :func:`reduce` (``rows`` 1) and :func:`to_rows` take for column heights (constants count as bits).

    Its ``luts`` are the LUT sites of the sum, its ``stages`` the levels, ``latency`` the cycles.
    """
    place = (tuple(heights), width, int(registered), goal, rows)
    known = stored(*place)
    return search(*place) if known is None else priced(place[0], known, width, int(registered))


def _staged(heap: BitHeap, width: int, every: int, goal: Goal, rows: int | tuple[int, int]) -> tuple[list[list[int]], int]:
    """The columns after all stages, and the registers passed."""
    columns = heap.settled(width)
    level = {b: heap.arrival[b >> 1] for c in columns for b in c if b >> 1 < len(heap.arrival)}
    schedule = schedule_of(tuple(len(c) for c in columns), width, every, goal, rows)
    latency = 0
    for k, stage in enumerate(schedule.stages, 1):
        columns = _counted(heap, columns, stage, level)
        if every and (k % every == 0 or k == len(schedule.stages)):
            columns, latency = [[heap.netlist.flop(b) for b in c] for c in columns], latency + 1
            level = {}
    return columns, latency


def _counted(heap: BitHeap, columns: list[list[int]], stage: Stage, level: dict[int, int]) -> list[list[int]]:
    """Columns after a stage; early bits go first, the last of a counter's own column to its carry input."""
    waiting = [sorted(c, key=lambda b: level.get(b, 0)) for c in columns]
    width = len(columns)
    made: list[list[int]] = [[] for _ in columns]
    for placed in stage:
        kind = counter(placed.kind)
        for _ in range(placed.times):
            taken = [waiting[c][: kind.takes[c - placed.column]] for c in range(placed.column, min(width, placed.column + len(kind.takes)))]
            for k, bits in enumerate(taken):
                del waiting[placed.column + k][: len(bits)]
            late = 1 + max((level.get(b, 0) for c in taken for b in c), default=0)
            counted = count(heap.netlist, kind, taken, width - placed.column)
            heap.steps.append(Step(_weighted(taken, placed.column), _weighted(counted, placed.column), width))
            for k, bits in enumerate(counted):
                made[placed.column + k] += bits
                level.update((b, late) for b in bits)
    return [[b for b in w + m if b != FALSE] for w, m in zip(waiting, made, strict=True)]


def _weighted(columns: Sequence[Sequence[int]], lowest: int) -> Weighted:
    return tuple((b, lowest + k) for k, bits in enumerate(columns) for b in bits)

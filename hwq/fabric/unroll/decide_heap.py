"""From a bit heap to a code: how far to add up before deciding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from hwq.fabric.heap import BitHeap, Goal, Schedule, schedule_of, to_rows
from hwq.fabric.heap import reduce as summed
from hwq.fabric.netlist import FALSE, TRUE, Netlist
from hwq.fabric.unroll.decide import PINS, Steps, decided, decision

__all__ = ["decided_heap"]

MOST_POINTS = 15  # of a decision: its class is a number of four bits, two more bits enter with each stage


@dataclass(frozen=True)
class _Way:
    """A heap (maybe of complements, maybe with one more) added up to ``rows`` rows, the code then taken by ``steps``."""

    heap: BitHeap
    steps: Steps
    width: int
    rows: int
    luts: int
    levels: int


def decided_heap(heap: BitHeap, steps: Steps, width: int, registered: bool, goal: Goal) -> tuple[list[int], int]:
    """The code (``width`` literals) that ``steps`` give the heap's sum, and the latency.

    The cheapest of: the heap or its complement (``V >= t`` is ``not (full - V >= full - t + 1)``), with or without one more, which
    makes a threshold even so that the lowest bit does not matter; added up to one, two or three rows.
    """
    if not steps.points:
        return [TRUE if steps.codes[0] >> k & 1 else FALSE for k in range(width)], 0
    way = _way(heap, steps, width, registered, goal) if len(steps.points) <= MOST_POINTS else None
    return _built(way, width, registered, goal) if way else _by_points(heap, steps, width, registered, goal)


def _way(heap: BitHeap, steps: Steps, code: int, registered: bool, goal: Goal) -> _Way | None:
    """The cheapest way found: of all forms of the heap in two rows, then of the best form in one or three."""

    def price(way: _Way) -> tuple[int, int]:
        return (way.luts, way.levels) if goal == "luts" else (way.levels, way.luts)

    two = [w for form in _forms(heap, steps) if (w := _priced(form, 2, code, registered, goal))]
    best = min(two, key=price, default=None)
    form = (best.heap, best.steps) if best else next(_forms(heap, steps))
    others = [w for rows in (1, 3) if (w := _priced(form, rows, code, registered, goal))]
    return min([*two, *others], key=price, default=None)


def _priced(form: tuple[BitHeap, Steps], rows: int, code: int, registered: bool, goal: Goal) -> _Way | None:
    heap, steps = form
    width = (sum(len(c) << k for k, c in enumerate(heap.columns)) + heap.total).bit_length()
    plan = schedule_of(tuple(len(c) for c in heap.settled(width)), width, registered, goal, rows)
    found = decision(_weights(plan), steps, code)
    return _Way(heap, steps, width, rows, plan.luts + found.luts, len(plan.stages) + len(found.stages)) if found else None


def _weights(plan: Schedule) -> tuple[int, ...]:
    return tuple(k for k, height in enumerate(plan.left) for _ in range(height))


def _forms(heap: BitHeap, steps: Steps) -> Iterator[tuple[BitHeap, Steps]]:
    """Heaps without constant, or of one at the lowest weight, and the function of their sum."""
    plain = steps.shifted(heap.total)
    full = sum(len(c) << k for k, c in enumerate(heap.columns))
    low = next(k for k, c in enumerate(heap.columns) if c)
    for complement in (False, True):
        columns = [[b ^ complement for b in c] for c in heap.columns]
        function = plain.mirrored(full) if complement else plain
        for more in (0, 1 << low):
            yield replace(heap, columns=columns, total=more), function.shifted(-more)


def _built(way: _Way, code: int, registered: bool, goal: Goal) -> tuple[list[int], int]:
    columns, latency = to_rows(way.heap, way.width, way.rows, registered, goal) if way.rows > 1 else _row(way, registered, goal)
    return _from_columns(way.heap.netlist, columns, latency, way.steps, code, registered)


def _row(way: _Way, registered: bool, goal: Goal) -> tuple[tuple[tuple[int, ...], ...], int]:
    total = summed(way.heap, way.width, registered, goal)
    return tuple((b,) for b in total.bits), total.latency


def _from_columns(
    netlist: Netlist, columns: tuple[tuple[int, ...], ...], latency: int, steps: Steps, code: int, registered: bool
) -> tuple[list[int], int]:
    """The code of the sum of columns, whose constants move into the points."""
    constant = sum(1 << k for k, c in enumerate(columns) for b in c if b == TRUE)
    bits = [(b, k) for k, c in enumerate(columns) for b in c if b > TRUE]
    own = steps.shifted(constant).within(0, sum(1 << k for _, k in bits))
    found = decision(tuple(sorted(k for _, k in bits)), own, code)
    assert found, "fewer bits need no more pins"
    made, cycles = decided(netlist, bits, own, code, found, registered=registered)
    return made, latency + cycles


def _by_points(heap: BitHeap, steps: Steps, width: int, registered: bool, goal: Goal) -> tuple[list[int], int]:
    """A code of many points: the sum in full, then each bit of the code as the parity of a few decisions."""
    plain = replace(heap, total=0)
    total = summed(plain, sum(len(c) << k for k, c in enumerate(plain.columns)).bit_length(), registered, goal)
    columns = tuple((b,) for b in total.bits)
    function = steps.shifted(heap.total)
    made = [_parity(heap.netlist, columns, function.bit(k), registered) for k in range(width)]
    latency = max(cycles for _, cycles in made)
    return [_later(heap.netlist, bit, latency - cycles) for bit, cycles in made], total.latency + latency


def _parity(netlist: Netlist, columns: tuple[tuple[int, ...], ...], steps: Steps, registered: bool) -> tuple[int, int]:
    """A function of one bit, and its latency: how many points the sum has passed, modulo 2."""
    groups = [steps.points[k : k + MOST_POINTS] for k in range(0, len(steps.points), MOST_POINTS)]
    found = [_from_columns(netlist, columns, 0, Steps(g, tuple(k & 1 for k in range(len(g) + 1))), 1, registered) for g in groups]
    latency = max((cycles for _, cycles in found), default=0)
    bits = [_later(netlist, code[0], latency - cycles) for code, cycles in found]
    while len(bits) > 1:
        bits = [netlist.lut(lambda *v: sum(v) & 1, *bits[k : k + PINS]) for k in range(0, len(bits), PINS)]
        if registered:
            bits, latency = [netlist.flop(b) for b in bits], latency + 1
    return (bits[0] if bits else FALSE) ^ steps.codes[0], latency


def _later(netlist: Netlist, bit: int, cycles: int) -> int:
    for _ in range(cycles):
        bit = netlist.flop(bit)
    return bit

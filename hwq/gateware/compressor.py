"""Sums of many bits: 6:3 counters as LUT6-sized functions, a register a level, then carry chains."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Value

from hwq.fabric.portable_heap import counter_schedule, heap_levels
from hwq.gateware.pipeline import Pace, named

__all__ = ["compress", "count_six", "full_adder"]


def full_adder(a: Value, b: Value, c: Value) -> tuple[Value, Value]:
    """Bitwise (sum, carry) of three vectors."""
    return a ^ b ^ c, (a & b) | (c & (a ^ b))


def count_six(bits: Sequence[Value]) -> tuple[Value, Value, Value]:
    """Bitwise count of six vectors: its bits of weight 1, 2 and 4. Each is a function of six inputs, one LUT6 a bit."""
    low_a, high_a = full_adder(*bits[:3])
    low_b, high_b = full_adder(*bits[3:])
    ones, carry = low_a ^ low_b, low_a & low_b
    twos, fours = full_adder(high_a, high_b, carry)
    return ones, twos, fours


def compress(m: Module, columns: Sequence[Value], name: str, pace: Pace | None = None, done: int = 0) -> Value:
    """Sum of a bit heap: ``columns[c]`` holds the bits of weight ``2**c``.

    Timing: free-running, ``hwq.fabric.portable_heap.heap_levels`` of the heights. Wide vector operations only: emission costs some
    fifteen cells a column and level, however many bits there are. ``pace`` tells where registers stand, ``done`` of its levels being over.
    """
    heights = tuple(len(c) for c in columns)
    levels, _ = counter_schedule(heights)
    pace = pace or Pace(max(1, heap_levels(heights)), heap_levels(heights))
    heap: list[Value] = [named(m, column, f"{name}_in{c}") for c, column in enumerate(columns)]
    for number, counters in enumerate(levels):
        heap = _level(m, heap, counters, f"{name}_{number}", pace, done + number)
    rows = [
        Cat(*(column[row] if row < len(column) else Const(0, 1) for column in heap)) for row in range(max(len(column) for column in heap))
    ]
    level = done + len(levels)
    while len(rows) > 1:
        pairs = [rows[k : k + 2] for k in range(0, len(rows), 2)]
        rows = [pace.after(m, level, sum(pair[1:], pair[0]), f"{name}_sum{level}_{k}") for k, pair in enumerate(pairs)]
        level += 1
    return rows[0]


def _level(m: Module, heap: Sequence[Value], counters: Sequence[int], name: str, pace: Pace, level: int) -> list[Value]:
    """One level of counters and its registers."""
    after: list[list[Value]] = [[] for _ in range(len(heap) + 2)]
    for c, (column, k) in enumerate(zip(heap, counters, strict=True)):
        taken = min(6 * k, len(column))
        if k:
            padded = named(m, Cat(column[:taken], Const(0, 6 * k - taken)), f"{name}_taken{c}")
            for weight, bits in enumerate(count_six([padded[i * k : (i + 1) * k] for i in range(6)])):
                after[c + weight].append(bits)
        after[c].append(column[taken:])
    while not sum(len(v) for v in after[-1]):
        after.pop()
    return [pace.after(m, level, Cat(*vectors), f"{name}_column{c}") for c, vectors in enumerate(after)]

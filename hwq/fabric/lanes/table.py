"""Front of lanes of any two short encodings: every bit of a raw product is a table of both codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hwq.fabric.heap import BitHeap
from hwq.fabric.lanes.fused import Term, add_terms
from hwq.fabric.netlist import essential

__all__ = ["add_tables"]


def add_tables(heap: BitHeap, x: Sequence[Sequence[int]], w: Sequence[Sequence[int]], raw: Callable[[int, int], int], bits: int) -> None:
    """Adds ``sum(raw(x, w))``, ``bits`` bits each: bits of two pins go into fused adders, others into LUTs, two in one where they fit.

    Both codes together have up to six bits.
    """
    width = len(x[0])
    pins = width + len(w[0])
    values = [raw(i & ((1 << width) - 1), i >> width) for i in range(1 << pins)]
    tables = [sum((v >> k & 1) << i for i, v in enumerate(values)) for k in range(bits)]
    wide = []
    for k, table in enumerate(tables):
        small, used = essential(table, [2 * (p + 1) for p in range(pins)])
        if len(used) == 2:
            a, b = (p // 2 - 1 for p in used)
            rows = [(*xs, *ws) for xs, ws in zip(x, w, strict=True)]
            add_terms(heap, [Term(small, row[a], row[b]) for row in rows], k)
        else:
            wide.append(k)
    for xs, ws in zip(x, w, strict=True):
        for first in range(0, len(wide), 2):
            _add_pair(heap, [*xs, *ws], [(k, tables[k]) for k in wide[first : first + 2]])


def _add_pair(heap: BitHeap, pins: Sequence[int], pair: Sequence[tuple[int, int]]) -> None:
    if len(pair) == 2 and len(pins) <= 5:
        (one, first), (two, second) = pair
        for k, bit in zip((one, two), heap.netlist.lut2(first, second, *pins), strict=True):
            heap.add(bit, k)
    else:
        for k, table in pair:
            heap.add(heap.netlist.lut(table, *pins), k)

"""Counters of seven literals that several heaps share: the reduction of heaps to fewer than seven literals a column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from hwq.fabric.unroll.sums import Heap, Sums

__all__ = ["reduce_shared"]

FULL = 7  # literals of a counter of three outputs in two LUTs


def reduce_shared(sums: Sums, heaps: Sequence[Heap], rows: int) -> None:
    """Replaces sets of seven literals of a column (six where more than one row gains) by their count, shared sets first.

    ``rows``: how many rows use each heap. Rounds, each on the literals there are at its start, until nothing is left to do: a
    round is one level of counters. A counter removes four literals from every heap that has the set, at two LUTs.
    """
    while added := list(_round(sums, heaps, rows)):
        for heap, column, literal in added:
            heap.add(column, literal)


def _round(sums: Sums, heaps: Sequence[Heap], rows: int) -> Iterator[tuple[Heap, int, int]]:
    """Literals (heap, column, literal) that a round adds."""
    for k in range(max(len(h.columns) for h in heaps)):
        for size in (FULL, FULL - 1):
            yield from _common(sums, heaps, k, size)
            yield from _own(sums, heaps, k, size if rows > 1 else FULL)


def _common(sums: Sums, heaps: Sequence[Heap], k: int, size: int) -> Iterator[tuple[Heap, int, int]]:
    """Counters of ``size`` literals that two or more heaps have in column ``k``."""
    from hwq.fabric.unroll.bicliques import bicliques

    here = [h for h in heaps if len(h.columns) > k and len(h.columns[k]) >= size]
    signals = sorted({s for h in here for s in h.columns[k]})
    place = {s: i for i, s in enumerate(signals)}
    matrix = np.zeros((len(here), len(signals)), np.int8)
    for i, heap in enumerate(here):
        for s, inverted in heap.columns[k].items():
            matrix[i, place[s]] = -1 if inverted else 1
    for found in bicliques(matrix, size):
        chosen = [signals[i] for i in found.columns]
        first = here[found.members[0][0]].columns[k]
        made = sums.count(tuple(2 * s + first[s] for s in chosen))
        for row, opposite in found.members:
            for s in chosen:
                del here[row].columns[k][s]
            # The complement of a count of six is one more than what is missing.
            here[row].constant -= (FULL - size) << k if opposite else 0
            yield from ((here[row], k + i, 2 * (made + i) + opposite) for i in range(3))


def _own(sums: Sums, heaps: Sequence[Heap], k: int, size: int) -> Iterator[tuple[Heap, int, int]]:
    """Counters of ``size`` literals of one heap each."""
    for heap in heaps:
        while len(heap.columns) > k and len(heap.columns[k]) >= size:
            chosen = sorted(heap.columns[k])[:size]
            made = sums.count(tuple(2 * s + heap.columns[k].pop(s) for s in chosen))
            yield from ((heap, k + i, 2 * (made + i)) for i in range(3))

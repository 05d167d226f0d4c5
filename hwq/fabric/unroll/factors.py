"""Two ways to factor a binary matrix into shared sums; a layer takes the cheaper.

- *Clusters*: rows in nested clusters. The cells of a cluster are counted once for all its rows, largest clusters first.
- *Triples*: the columns by threes. The carry of three inputs up to a complement has four forms whatever the number of rows, and the
  parity is common to all rows up to a sign: so the parities are again a matrix of +-1, of a third of the columns. A row keeps one
  literal of weight 2 for each triple and one bit that is the parity of all inputs.

Both then share counters of seven literals between heaps (:mod:`hwq.fabric.unroll.sharing`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwq.fabric.unroll.clusters import Cell, cells, nested
from hwq.fabric.unroll.sharing import reduce_shared
from hwq.fabric.unroll.sums import Heap, Sums

__all__ = ["best_factors", "by_clusters", "by_triples"]

Signs = NDArray[np.int8]
MOST_LEVELS = 4  # of nested clusters
MOST_TRIPLED = 1 << 17  # weights; clusters win long before


def best_factors(weights: Signs, extra: Sequence[int | None]) -> Sums:
    """The cheapest of all ways for ``weights`` (rows, columns) of +-1; ``extra`` as in :func:`by_triples`."""
    rows, columns = weights.shape
    levels = [n for n in range(MOST_LEVELS) if 1 << n <= rows and (n < 2 or columns >> ((1 << n) - 1) >= 3)]
    ways = [by_clusters(weights, n) for n in levels[-2:]]
    if rows * columns <= MOST_TRIPLED:
        ways.append(by_triples(weights, extra))
    return min(ways, key=lambda s: s.luts)


def by_clusters(weights: Signs, levels: int) -> Sums:
    """Shared sums by clusters of up to ``2**levels`` rows."""
    rows, columns = weights.shape
    sums = Sums(columns)
    above: dict[int, list[tuple[int, Cell, Heap]]] = {}
    for partition in nested(weights, levels):
        here: dict[int, list[tuple[int, Cell, Heap]]] = {}
        for cluster in partition:
            own = [(cluster[0], cell, _collected(weights, cluster[0], cell, above.get(cluster[0]))) for cell in cells(weights, cluster)]
            here.update(dict.fromkeys(cluster, own))
        heaps = [heap for cluster in partition for _, _, heap in here[cluster[0]]]
        reduce_shared(sums, heaps, len(partition[0]))
        above = here
    sums.rows = [above[row][0][2] for row in range(rows)]
    return sums


def _collected(weights: Signs, row: int, cell: Cell, above: Sequence[tuple[int, Cell, Heap]] | None) -> Heap:
    """The heap of a cell: its columns, or what is left of the cells of the larger cluster that make it up."""
    heap = Heap()
    if above is None:
        for column in cell.columns:
            heap.add(0, 2 * column + int(weights[row, column] < 0))
        return heap
    inside = set(cell.columns)
    for first, part, sum_ in above:
        column = part.columns[0]
        if column in inside:
            heap.absorb(sum_, len(part.columns), bool(weights[first, column] != weights[row, column]))
    return heap


def by_triples(weights: Signs, extra: Sequence[int | None] = ()) -> Sums:
    """Shared sums by triples of columns.

    ``extra`` (0, 1 or None for each row, default None): where it is no None, only ``(sum + extra) >> 1`` matters of a row, and its
    heap, plus ``extra``, is twice that: the parity of all inputs stays out of it.
    """
    rows, columns = weights.shape
    sums = Sums(columns, rows=[Heap() for _ in range(rows)])
    terms = [[2 * c + int(w < 0) for c, w in enumerate(row)] for row in weights]
    while len(terms[0]) > 2:
        order = _alike(np.array(terms) & 1)
        terms = [_by_three(sums, heap, [own[k] for k in order]) for heap, own in zip(sums.rows, terms, strict=True)]
    for heap, own, more in zip(sums.rows, terms, extra or [None] * rows, strict=True):
        _last(sums, heap, own, more)
    reduce_shared(sums, sums.rows, 1)
    return sums


def _alike(inverted: NDArray[np.int64]) -> list[int]:
    """An order of the columns of a binary matrix (rows, columns) that makes the most of each three in a row.

    How often two rows have the same form of a triple grows with the squared correlations of its columns: a greedy choice of the largest.
    """
    columns = inverted.shape[1]
    signs = 1.0 - 2.0 * inverted
    likeness = (signs.T @ signs) ** 2
    np.fill_diagonal(likeness, -1)
    order: list[int] = []
    for _ in range(columns // 3):
        a, b = divmod(int(likeness.argmax()), columns)
        both = np.where((likeness[a] < 0) | (likeness[b] < 0), -1, likeness[a] + likeness[b])
        order += [a, b, int(both.argmax())]
        likeness[order[-3:]], likeness[:, order[-3:]] = -1, -1
    return order + sorted(set(range(columns)) - set(order))


def _by_three(sums: Sums, heap: Heap, terms: list[int]) -> list[int]:
    """Carries of triples of ``terms`` into the heap; their parities, and terms left over."""
    whole = len(terms) // 3 * 3
    groups = [tuple(terms[k : k + 3]) for k in range(0, whole, 3)]
    for group in groups:
        heap.add(1, sums.function("carry", group))
    return [sums.function("parity", group) for group in groups] + terms[whole:]


def _last(sums: Sums, heap: Heap, terms: list[int], extra: int | None) -> None:
    """The last one or two terms into the heap, of which ``(sum + extra) >> 1`` matters."""
    if extra is None:
        for term in terms:
            heap.add(0, term)
        return
    heap.constant -= extra
    if len(terms) == 2:
        # With one more, the carry is the OR.
        heap.add(1, sums.function("carry", tuple(t ^ extra for t in terms)) ^ extra)
    elif extra:
        heap.add(1, terms[0])

"""Literals that several sums have in common: bicliques of a matrix over -1, 0, 1, up to a sign for each row. Compiled; load it late.

A biclique is a set of rows and ``k`` columns on which every row is the same or the exact opposite. Finding the largest is hard;
this greedy search grows sets of rows from every row and its nearest partners, the widest sets first. No randomness, bounded work.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["Common", "bicliques"]


@dataclass(frozen=True)
class Common:
    """``members``: (row, opposite) of at least two rows; ``columns`` on which they agree up to these signs."""

    members: tuple[tuple[int, bool], ...]
    columns: tuple[int, ...]


def bicliques(matrix: NDArray[np.int8], k: int, partners: int = 8) -> list[Common]:
    """Disjoint bicliques of ``k`` columns and two rows or more, of ``matrix`` (rows, columns) in -1, 0, 1; largest first.

    ``partners``: how many second rows are tried for each first.
    """
    rows, columns = matrix.shape
    if rows < 2 or columns < k:
        return []
    most = int(np.abs(matrix).sum()) // (2 * k) + 1
    found = np.zeros((most, 1 + rows + k), np.int64)
    count = _search(_packed(matrix > 0), _packed(matrix < 0), (matrix != 0).sum(0), k, partners, found)
    return [
        Common(tuple((int(v) >> 1, bool(v & 1)) for v in row[1 : 1 + row[0]]), tuple(map(int, row[1 + rows :]))) for row in found[:count]
    ]


def _packed(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    rows, columns = bits.shape
    words = -(-columns // 64)
    wide = np.zeros((rows, words * 64), np.uint64)
    wide[:, :columns] = bits
    return (wide.reshape(rows, words, 64) << np.arange(64, dtype=np.uint64)).sum(2, dtype=np.uint64)


@njit(cache=True)
def _ones(x):  # type: ignore[no-untyped-def]
    x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((x * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(cache=True)
def _overlaps(pos, neg, among, base, overlap):  # type: ignore[no-untyped-def]
    """Columns ``among`` those of ``base`` that each row has alike (even places) and opposite (odd places)."""
    for row in range(pos.shape[0]):
        same = opposite = 0
        for j in range(pos.shape[1]):
            if among[j]:
                p, n = among[j] & pos[base, j], among[j] & neg[base, j]
                same += _ones((p & pos[row, j]) | (n & neg[row, j]))
                opposite += _ones((p & neg[row, j]) | (n & pos[row, j]))
        overlap[2 * row], overlap[2 * row + 1] = same, opposite


@njit(cache=True)
def _narrow(pos, neg, among, base, signed):  # type: ignore[no-untyped-def]
    row, opposite = signed >> 1, signed & 1
    for j in range(among.shape[0]):
        p, n = pos[base, j], neg[base, j]
        among[j] &= (p & neg[row, j]) | (n & pos[row, j]) if opposite else (p & pos[row, j]) | (n & neg[row, j])


@njit(cache=True)
def _largest(values):  # type: ignore[no-untyped-def]
    best = 0
    for i in range(values.shape[0]):
        if values[i] > values[best]:
            best = i
    return best


@njit(cache=True)
def _copy(target, source):  # type: ignore[no-untyped-def]
    for i in range(target.shape[0]):
        target[i] = source[i]


@njit(cache=True)
def _all_columns(pos, neg, base, among):  # type: ignore[no-untyped-def]
    for j in range(among.shape[0]):
        among[j] = pos[base, j] | neg[base, j]


@njit(cache=True)
def _grown(pos, neg, base, partner, k, members, among, overlap):  # type: ignore[no-untyped-def]
    """Rows that agree with ``base`` and ``partner`` on k columns, each time the one that keeps the most; their number."""
    _all_columns(pos, neg, base, among)
    members[0], members[1] = 2 * base, partner
    _narrow(pos, neg, among, base, partner)
    count = 2
    while count < pos.shape[0]:
        _overlaps(pos, neg, among, base, overlap)
        for i in range(count):
            overlap[members[i]] = -1
            overlap[members[i] ^ 1] = -1
        best = _largest(overlap)
        if overlap[best] < k:
            break
        _narrow(pos, neg, among, base, best)
        members[count] = best
        count += 1
    return count


@njit(cache=True)
def _best(pos, neg, base, k, partners, members, among, overlap, inner, rows, columns):  # type: ignore[no-untyped-def]
    """The most rows over the partners of ``base`` that agree on the most columns; 0 if no partner has k."""
    _all_columns(pos, neg, base, columns)
    _overlaps(pos, neg, columns, base, overlap)
    overlap[2 * base] = -1
    overlap[2 * base + 1] = -1
    most = 0
    for _ in range(partners):
        partner = _largest(overlap)
        if overlap[partner] < k:
            break
        overlap[partner] = -1
        count = _grown(pos, neg, base, partner, k, rows, columns, inner)
        if count > most:
            most = count
            _copy(members, rows)
            _copy(among, columns)
    return most


@njit(cache=True)
def _take(pos, neg, members, count, among, k, columns, users):  # type: ignore[no-untyped-def]
    """Takes the ``k`` columns ``among`` with the fewest users from all members; their numbers."""
    one = np.uint64(1)
    for i in range(k):
        best = -1
        for column in range(users.shape[0]):
            if (among[column >> 6] >> np.uint64(column & 63)) & one and (best < 0 or users[column] < users[best]):
                best = column
        bit = one << np.uint64(best & 63)
        among[best >> 6] ^= bit
        columns[i] = best
        users[best] -= count
        for m in range(count):
            pos[members[m] >> 1, best >> 6] &= ~bit
            neg[members[m] >> 1, best >> 6] &= ~bit


@njit(cache=True)
def _search(pos, neg, users, k, partners, found):  # type: ignore[no-untyped-def]
    """Fills ``found`` with (number of rows, signed rows ..., columns ...); how many."""
    n, words = pos.shape
    members, rows, reach = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
    among, columns = np.zeros(words, np.uint64), np.zeros(words, np.uint64)
    overlap, inner = np.zeros(2 * n, np.int64), np.zeros(2 * n, np.int64)
    for base in range(n):
        reach[base] = n
    done = 0
    target = n
    while target >= 2:
        for base in range(n):
            while reach[base] >= target:
                count = _best(pos, neg, base, k, partners, members, among, overlap, inner, rows, columns)
                reach[base] = min(reach[base], count)
                if count < target:
                    break
                found[done, 0] = count
                for i in range(count):
                    found[done, 1 + i] = members[i]
                _take(pos, neg, members, count, among, k, found[done, 1 + n :], users)
                done += 1
        target = min(target - 1, reach[_largest(reach)])
    return done

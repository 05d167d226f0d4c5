"""Common full adders of rows: three single bits that many rows add at one weight, up to the sign of the row.

``a + b + c = sum + 2 carry``, and complementing all three complements both, so that rows of either sign share the two bits. A row's
heap takes :data:`~hwq.fabric.unroll.share_words.BIT` LUTs for the bit that it then need not remove; the adder takes one. Sums and
carries enter the search again.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heapreplace

import numpy as np
from numpy.typing import NDArray

from hwq.fabric.unroll.words import Row, Term, Words

__all__ = ["share_adders"]

LEAST = 3  # rows that make a common full adder worth its LUT
MOST = 60_000  # triples of a round: the best ones, all others wait for the next
LEVELS = 4  # full adders on top of each other

Signs = NDArray[np.int8]
Triple = tuple[int, int, int, int, int, int]  # - rows that have it, columns a < b < c, signs of b and c against a's (1: opposite)


@dataclass
class _Column:
    """The single bits of one weight: which rows have word ``words[k]`` there, as masks: ``having[k] = (positive, negative)``."""

    words: list[int]
    signs: Signs
    having: list[tuple[int, int]]

    def rows(self, triple: Triple) -> tuple[int, int]:
        """Masks of the rows that have the triple, by sign of its first bit."""
        _, a, b, c, b_opposite, c_opposite = triple
        second, third = self.having[b], self.having[c]
        return (
            self.having[a][0] & second[b_opposite] & third[c_opposite],
            self.having[a][1] & second[1 - b_opposite] & third[1 - c_opposite],
        )

    def clear(self, k: int, rows: int) -> None:
        """The rows lose word k."""
        positive, negative = self.having[k]
        self.having[k] = (positive & ~rows, negative & ~rows)


def share_adders(words: Words, *, least: int = LEAST, levels: int = LEVELS) -> None:
    """Makes full adders of common triples of one-bit words and rewrites the rows by them, weight by weight, lowest first."""
    shift = 0
    while any(s >= shift for row in words.rows for _, s in row.terms):
        while _round(words, shift, least, levels):
            pass
        shift += 1


def _round(words: Words, shift: int, least: int, levels: int) -> bool:
    """Takes triples, the one that most rows have first, among the best found at the start; whether there was any."""
    column = _column(words, shift, levels)
    triples, bound = _triples(column.signs, least)
    heapify(triples)
    some = bool(triples)
    while triples:
        positive, negative = column.rows(triples[0])
        count = positive.bit_count() + negative.bit_count()
        if count < bound:
            heappop(triples)
        elif count < -triples[0][0]:
            heapreplace(triples, (-count, *triples[0][1:]))
        else:
            _replace(words, column, heappop(triples), shift)
    return some


def _column(words: Words, shift: int, levels: int) -> _Column:
    narrow = sorted({w for row in words.rows for w, s in row.terms if s == shift and _is_bit(words, w, levels)})
    index = {w: k for k, w in enumerate(narrow)}
    signs = np.zeros((len(words.rows), len(narrow)), np.int8)
    for r, row in enumerate(words.rows):
        for (w, s), negative in row.terms.items():
            if s == shift and w in index:
                signs[r, index[w]] = -1 if negative else 1
    return _Column(narrow, signs, [(_mask(column > 0), _mask(column < 0)) for column in signs.T])


def _mask(rows: NDArray[np.bool_]) -> int:
    return int.from_bytes(np.packbits(rows, bitorder="little").tobytes(), "little")


def _is_bit(words: Words, number: int, levels: int) -> bool:
    return words.words[number].bits == 1 and words.words[number].level < levels


def _triples(signs: Signs, least: int) -> tuple[list[Triple], int]:
    """The triples that most rows have, at least ``least``, and the number of rows from which on they are all there."""
    found = np.zeros((0, 6), np.int64)
    for a in range(signs.shape[1] - 2):
        found = np.concatenate([found, _with(signs, a, least)])
        if len(found) > MOST:
            counts = -found[:, 0]
            least = min(int(counts.max()), 1 + int(np.partition(counts, -MOST)[-MOST]))
            found = found[counts >= least]
    return [(t[0], t[1], t[2], t[3], t[4], t[5]) for t in found.tolist()], least


def _with(signs: Signs, a: int, least: int) -> NDArray[np.int64]:
    """Triples of column a and two later ones that at least ``least`` rows have."""
    having = signs[np.flatnonzero(signs[:, a])]
    relative = having[:, a + 1 :] * having[:, a, None]
    both = np.stack([relative > 0, relative < 0], axis=2).reshape(len(having), -1)
    kept = np.flatnonzero(both.sum(0) >= least)
    chosen = both[:, kept].astype(np.float32)
    counts = np.triu(chosen.T @ chosen, 1)
    i, j = np.nonzero(counts >= least)
    b, c = kept[i], kept[j]
    return np.stack([-counts[i, j].astype(np.int64), np.full(len(i), a), a + 1 + b // 2, a + 1 + c // 2, b % 2, c % 2], axis=1)


def _replace(words: Words, column: _Column, triple: Triple, shift: int) -> None:
    """Makes the full adder of the triple and rewrites the rows that have it."""
    positive, negative = column.rows(triple)
    numbers = [column.words[k] for k in triple[1:4]]
    flips = (False, bool(triple[4]), bool(triple[5]))
    made = words.define_bits(tuple(Term(n, 0, flip) for n, flip in zip(numbers, flips, strict=True)))
    rows = positive | negative
    for k in triple[1:4]:
        column.clear(k, rows)
    for r in range(rows.bit_length()):
        if rows >> r & 1:
            _rewrite(words, words.rows[r], numbers, made, shift)


def _rewrite(words: Words, row: Row, numbers: list[int], made: list[int], shift: int) -> None:
    negative = row.terms[numbers[0], shift]
    for number in numbers:
        del row.terms[number, shift]
    for k, number in enumerate(made):
        row.add(Term(number, shift + k, negative))
    row.constant += (words.words[made[0]].offset << shift) * (1 if negative else -1)

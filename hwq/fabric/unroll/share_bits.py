"""Common full adders of rows: three single bits that many rows add at one weight, up to the sign of the row.

``a + b + c = sum + 2 carry``, and complementing all three complements both, so that rows of either sign share the two bits. A row's
heap takes :data:`~hwq.fabric.unroll.share_words.BIT` LUTs for the bit that it then need not remove; the adder takes one. Sums and
carries enter the search again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwq.fabric.unroll.words import Row, Term, Words

__all__ = ["share_adders"]

LEAST = 3  # rows that make a common full adder worth its LUT
KEEP = 0.85  # a round takes triples that at least this part of the best one's rows have
LEVELS = 6  # full adders on top of each other

Signs = NDArray[np.int8]


@dataclass(frozen=True)
class _Column:
    """The single bits of one weight: ``signs[row, k]`` (0: absent) of word ``words[k]``."""

    words: NDArray[np.int64]
    signs: Signs


@dataclass(frozen=True, order=True)
class _Triple:
    """Columns ``a < b < c`` of :class:`_Column`, signs of b and c against a's; ``missing`` = - rows that have it."""

    missing: int
    a: int
    b: int
    c: int
    b_opposite: bool
    c_opposite: bool


def share_adders(words: Words, *, least: int = LEAST, levels: int = LEVELS) -> None:
    """Makes full adders of common triples of one-bit words and rewrites the rows by them, weight by weight, lowest first."""
    shift = 0
    while any(s >= shift for row in words.rows for _, s in row.terms):
        while _round(words, shift, least, levels):
            pass
        shift += 1


def _round(words: Words, shift: int, least: int, levels: int) -> bool:
    """Takes the triples that about the most rows have; whether there was any."""
    column = _column(words, shift, levels)
    triples = _triples(column, least)
    made = [_replace(words, column, triple, shift, least) for triple in triples]
    return any(made)


def _column(words: Words, shift: int, levels: int) -> _Column:
    narrow = sorted({w for row in words.rows for w, s in row.terms if s == shift and _is_bit(words, w, levels)})
    index = {w: k for k, w in enumerate(narrow)}
    signs = np.zeros((len(words.rows), len(narrow)), np.int8)
    for r, row in enumerate(words.rows):
        for (w, s), negative in row.terms.items():
            if s == shift and w in index:
                signs[r, index[w]] = -1 if negative else 1
    return _Column(np.array(narrow, np.int64), signs)


def _is_bit(words: Words, number: int, levels: int) -> bool:
    return words.words[number].bits == 1 and words.words[number].level < levels


def _triples(column: _Column, least: int) -> list[_Triple]:
    """Triples that at least ``least`` rows have and at least :data:`KEEP` of the best one's; best first."""
    found: list[_Triple] = []
    top = least
    for a in range(column.signs.shape[1] - 2):
        counts = _counts(column.signs, a)
        top = max(top, int(counts.max(initial=0)))
        found += _above(counts, a, max(least, KEEP * top))
    return sorted(t for t in found if -t.missing >= KEEP * top)


def _counts(signs: Signs, a: int) -> NDArray[np.float32]:
    """How many rows have column a with each pair of later columns: index k for sign equal, k + columns for opposite, upper triangle."""
    having = np.flatnonzero(signs[:, a])
    relative = signs[having, a + 1 :] * signs[having, a, None]
    both = np.concatenate([relative > 0, relative < 0], axis=1).astype(np.float32)
    return np.triu(both.T @ both, 1)


def _above(counts: NDArray[np.float32], a: int, bound: float) -> Iterator[_Triple]:
    half = counts.shape[0] // 2
    for i, j in zip(*np.nonzero(counts >= bound), strict=True):
        yield _Triple(-int(counts[i, j]), a, a + 1 + int(i) % half, a + 1 + int(j) % half, i >= half, j >= half)


def _replace(words: Words, column: _Column, triple: _Triple, shift: int, least: int) -> bool:
    """Replaces the triple in every row that still has it, if enough do."""
    signs = column.signs
    a, b, c = (signs[:, k] for k in (triple.a, triple.b, triple.c))
    having = (a != 0) & (b == (-a if triple.b_opposite else a)) & (c == (-a if triple.c_opposite else a))
    if having.sum() < max(least, -KEEP * triple.missing):
        return False
    numbers = [int(column.words[k]) for k in (triple.a, triple.b, triple.c)]
    flips = (False, triple.b_opposite, triple.c_opposite)
    made = words.define_bits(tuple(Term(n, 0, flip) for n, flip in zip(numbers, flips, strict=True)))
    for r in np.flatnonzero(having).tolist():
        _rewrite(words, words.rows[r], numbers, made, shift)
    signs[np.ix_(having, [triple.a, triple.b, triple.c])] = 0
    return True


def _rewrite(words: Words, row: Row, numbers: list[int], made: list[int], shift: int) -> None:
    negative = row.terms[numbers[0], shift]
    for number in numbers:
        del row.terms[number, shift]
    for k, number in enumerate(made):
        row.add(Term(number, shift + k, negative))
    row.constant += (words.words[made[0]].offset << shift) * (1 if negative else -1)

"""Common counters of rows: seven single bits that two rows or more add at one weight, up to the sign of the row.

A slice counts seven bits in two LUTs with its carry chain; complementing all seven complements the count, so that rows of either
sign share it. Every further row saves those two LUTs.
"""

from __future__ import annotations

import numpy as np

from hwq.fabric.unroll.words import Row, Term, Words

__all__ = ["share_counters"]

COUNTED = 7
ROUNDS = 3  # counters on top of each other


def share_counters(words: Words, *, rounds: int = ROUNDS) -> None:
    """Makes counters of common bits and rewrites the rows by them, weight by weight, again on their outputs."""
    for _ in range(rounds):
        made = [_weight(words, shift) for shift in range(1 + max((s for row in words.rows for _, s in row.terms), default=-1))]
        if not any(made):
            return


def _weight(words: Words, shift: int) -> bool:
    """Shares counters of the bits of one weight; whether there were any."""
    from hwq.fabric.unroll.bicliques import bicliques

    narrow = sorted({w for row in words.rows for w, s in row.terms if s == shift and words.words[w].bits == 1})
    matrix = np.zeros((len(words.rows), len(narrow)), np.int8)
    for r, row in enumerate(words.rows):
        for k, word in enumerate(narrow):
            if (word, shift) in row.terms:
                matrix[r, k] = -1 if row.terms[word, shift] else 1
    found = bicliques(matrix, COUNTED)
    for common in found:
        numbers = [narrow[k] for k in common.columns]
        first = words.rows[common.members[0][0]]
        made = words.define_bits(tuple(Term(n, 0, first.terms[n, shift]) for n in numbers))
        for r, opposite in common.members:
            _rewrite(words, words.rows[r], numbers, made, shift, opposite)
    return bool(found)


def _rewrite(words: Words, row: Row, numbers: list[int], made: list[int], shift: int, opposite: bool) -> None:
    for number in numbers:
        del row.terms[number, shift]
    for k, number in enumerate(made):
        row.add(Term(number, shift + k, opposite))
    row.constant += (words.words[made[0]].offset << shift) * (1 if opposite else -1)

"""Common sums of rows: pairs of terms that many rows have, up to sign and shift, become words of their own.

Greedy in rounds: count every pair ``u + s * 2**d * v`` in every row, take the pairs that save most, replace them, count again.
What a pair saves is in LUTs: a row's bit heap takes about :data:`BIT` LUTs for each bit it has to remove, and an adder about one for
each position. After Hartley, "Subexpression sharing in filters using canonic signed digit multipliers" (1996), with this price.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwq.fabric.unroll.words import Row, Term, Words

__all__ = ["BIT", "share_pairs"]

BIT = 0.5  # LUTs that a bit heap takes for each bit it removes, counters of a slice's width registered
ROUNDS = 400
KEEP = 0.85  # a round takes the pairs that save at least this part of the best one's saving
MARGIN = 1.0  # LUTs that a new word has to save to be made

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """Pairs of terms ``low + s * 2**apart * high`` with how often the rows have them."""

    low: Ints
    high: Ints
    apart: Ints
    opposite: Ints
    count: Ints


def share_pairs(words: Words, *, rounds: int = ROUNDS) -> None:
    """Makes words of common pairs and rewrites the rows by them, until nothing more is saved (or ``rounds`` have passed)."""
    for _ in range(rounds):
        pairs = _pairs(words)
        if pairs is None:
            return
        saving = _savings(words, pairs)
        best = saving.max()
        if best < MARGIN:
            return
        chosen = np.flatnonzero(saving >= max(MARGIN, KEEP * best))
        for k in chosen[np.argsort(-saving[chosen], kind="stable")]:
            least = max(2, int(np.ceil(pairs.count[k] * KEEP)))
            _replace(words, int(pairs.low[k]), int(pairs.high[k]), int(pairs.apart[k]), bool(pairs.opposite[k]), least)


def _pairs(words: Words) -> Pairs | None:
    """All pairs whose bits overlap and that at least two rows have (or one row twice)."""
    bits = np.array([w.bits for w in words.words])
    count, far = len(words.words), 64
    keys = []
    for row in words.rows:
        if len(row.terms) < 2:
            continue
        word, shift = np.array(list(row.terms)).T
        sign = np.array(list(row.terms.values()), np.int64)
        order = np.lexsort((word, shift))
        word, shift, sign = word[order], shift[order], sign[order]
        i, j = np.triu_indices(len(word), 1)
        apart = shift[j] - shift[i]
        near = apart < bits[word[i]]
        i, j, apart = i[near], j[near], apart[near]
        keys.append(((word[i] * count + word[j]) * far + apart) * 2 + (sign[i] ^ sign[j]))
    found, number = np.unique(np.concatenate(keys), return_counts=True) if keys else (np.zeros(0, np.int64), np.zeros(0, np.int64))
    found, number = found[number > 1], number[number > 1]
    if not len(found):
        return None
    rest, opposite = np.divmod(found, 2)
    rest, apart = np.divmod(rest, far)
    low, high = np.divmod(rest, count)
    return Pairs(low, high, apart, opposite, number)


def _savings(words: Words, pairs: Pairs) -> NDArray[np.float64]:
    """LUTs that making a word of each pair saves."""
    bits = np.array([w.bits for w in words.words])
    span = np.array([w.largest for w in words.words])
    full = (1 << bits) - 1
    top = span[pairs.low] + (
        np.where(pairs.opposite == 1, full[pairs.high] - _smallest(words)[pairs.high], span[pairs.high]) << pairs.apart
    )
    width = np.ceil(np.log2(top + 1)).astype(np.int64)
    removed = bits[pairs.low] + bits[pairs.high] - width
    positions = np.maximum(bits[pairs.low] - pairs.apart, bits[pairs.high])
    inputs = bits[pairs.low] - pairs.apart + bits[pairs.high]
    table = np.where(inputs <= 5, (width - pairs.apart + 1) // 2, np.where(inputs == 6, width - pairs.apart, 1 << 20))
    return pairs.count * removed * BIT - np.minimum(positions, table)


def _smallest(words: Words) -> Ints:
    return np.array([w.smallest for w in words.words])


def _replace(words: Words, low: int, high: int, apart: int, opposite: bool, least: int) -> None:
    """Replaces the pair in every row, if it still is there ``least`` times."""
    places = [(row, list(_places(row, low, high, apart, opposite))) for row in words.rows]
    if sum(len(found) for _, found in places) < least:
        return
    number = words.define((Term(low, 0, False), Term(high, apart, opposite)))
    word = words.words[number]
    for row, found in places:
        for shift in found:
            negative = row.terms.pop((low, shift))
            del row.terms[high, shift + apart]
            row.add(Term(number, shift, negative))
            row.constant += (word.offset << shift) * (1 if negative else -1)


def _places(row: Row, low: int, high: int, apart: int, opposite: bool) -> Iterator[int]:
    """Shifts at which the row has the pair, no term used twice."""
    used: set[tuple[int, int]] = set()
    for (word, shift), negative in row.terms.items():
        if word != low:
            continue
        ends = {(low, shift), (high, shift + apart)}
        if len(ends) == 2 and not ends & used and row.terms.get((high, shift + apart), 2) == (negative ^ opposite):
            used |= ends
            yield shift

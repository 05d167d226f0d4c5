"""Rows of a constant matrix as signed, shifted words: the form in which unrolled layers share common sums.

A word is an unsigned number on a few bits; a row is a sum of terms ``+-2**shift * word`` and a constant. The complement of a word
costs nothing (``-u = ~u - (2**bits - 1)``), so that signs are wiring and constants.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hwq.numerics.encoding import Bipolar, Encoding

__all__ = ["Row", "Term", "Word", "Words", "signed_digits", "stages_of", "words_of"]


@dataclass(frozen=True)
class Term:
    """``-2**shift * word`` where ``negative``, else ``2**shift * word``; ``word`` is its number."""

    word: int
    shift: int
    negative: bool


@dataclass(frozen=True)
class Word:
    """An unsigned number of ``bits`` bits between ``smallest`` and ``largest``; an input has no terms.

    Else bits ``low .. low + bits - 1`` of ``offset + sum of terms``, a sum that is never negative. ``level``: words under it.
    """

    bits: int
    smallest: int
    largest: int
    terms: tuple[Term, ...] = ()
    offset: int = 0
    low: int = 0
    level: int = 0


@dataclass
class Row:
    """``constant + sum of terms``; the sign of each term by word and shift."""

    terms: dict[tuple[int, int], bool]
    constant: int

    def add(self, term: Term) -> None:
        """Adds a term; equal ones carry over, opposite ones cancel."""
        place = (term.word, term.shift)
        if place not in self.terms:
            self.terms[place] = term.negative
        elif self.terms.pop(place) == term.negative:
            self.add(Term(term.word, term.shift + 1, term.negative))


@dataclass
class Words:
    """Words in the order in which they can be computed (inputs first, word k is column k), and the rows made of them."""

    words: list[Word]
    rows: list[Row] = field(default_factory=list)

    def define(self, terms: tuple[Term, ...]) -> int:
        """A new word that stands for the sum of ``terms``: its number. Its own sum is ``terms + offset``, the offset by the complements."""
        natural, level = self._natural(terms)
        lo, hi = self.interval(terms)
        bits = max(1, (hi + natural).bit_length())
        self.words.append(Word(bits, lo + natural, hi + natural, terms, natural, 0, level))
        return len(self.words) - 1

    def define_bits(self, terms: tuple[Term, ...]) -> list[int]:
        """The same as a word for each bit of the sum, least first."""
        natural, level = self._natural(terms)
        top = self.interval(terms)[1] + natural
        self.words += [Word(1, 0, 1, terms, natural, k, level) for k in range(top.bit_length())]
        return list(range(len(self.words) - top.bit_length(), len(self.words)))

    def _natural(self, terms: tuple[Term, ...]) -> tuple[int, int]:
        """(what complements add to the sum of ``terms``, level of a word made of them)."""
        added = sum((1 << self.words[t.word].bits) - 1 << t.shift for t in terms if t.negative)
        return added, 1 + max(self.words[t.word].level for t in terms)

    def interval(self, terms: tuple[Term, ...]) -> tuple[int, int]:
        """Smallest and largest sum of ``terms``."""
        lo = hi = 0
        for t in terms:
            word = self.words[t.word]
            ends = (word.smallest << t.shift, word.largest << t.shift)
            lo += -ends[1] if t.negative else ends[0]
            hi += -ends[0] if t.negative else ends[1]
        return lo, hi

    def reach(self, row: Row) -> tuple[int, int]:
        """Smallest and largest value of a row, by intervals of its words."""
        lo, hi = self.interval(tuple(Term(w, s, n) for (w, s), n in row.terms.items()))
        return lo + row.constant, hi + row.constant

    def values(self, inputs: NDArray[np.int64]) -> tuple[NDArray, NDArray]:
        """All words (words, n) and rows (rows, n) for the unsigned input words ``inputs`` (columns, n)."""
        found = list(inputs)
        for word in self.words[len(inputs) :]:
            found.append((word.offset + self._sum(found, word.terms)) >> word.low & (1 << word.bits) - 1)
        rows = [row.constant + self._sum(found, tuple(Term(w, s, n) for (w, s), n in row.terms.items())) for row in self.rows]
        return np.array(found), np.array([np.broadcast_to(r, inputs.shape[1:]) for r in rows])

    @staticmethod
    def _sum(found: list[NDArray], terms: tuple[Term, ...]) -> NDArray | int:
        return sum((-1 if t.negative else 1) * (found[t.word] << t.shift) for t in terms)


def signed_digits(value: int) -> list[tuple[int, bool]]:
    """Canonical signed digits of ``value``: (shift, negative), fewest non-zero ones (Reitwiesner 1960)."""
    digits: list[tuple[int, bool]] = []
    negative, rest, shift = value < 0, abs(value), 0
    while rest:
        if rest & 1:
            digit = 2 - (rest & 3)
            digits.append((shift, (digit < 0) != negative))
            rest -= digit
        rest >>= 1
        shift += 1
    return digits


def words_of(weights: NDArray[np.int64], x: Encoding) -> Words:
    """The rows of ``weights`` (rows, columns) on inputs of encoding ``x``, nothing shared yet.

    The word of an input is its code, with the sign bit inverted if ``x`` is signed; bipolar inputs are ``2 * code - 1``.
    """
    scale, base = _affine(x)
    word = Word(x.bits, (x.lo - base) // scale, (x.hi - base) // scale)
    made = Words([word] * weights.shape[1])
    for coefficients in weights.tolist():
        row = Row({}, base * sum(coefficients))
        for column, coefficient in enumerate(coefficients):
            for shift, negative in signed_digits(scale * coefficient):
                row.add(Term(column, shift, negative))
        made.rows.append(row)
    return made


def stages_of(words: Words) -> list[int]:
    """The pipeline stage of every word: inputs 0, as late as the deepest chain of words allows (inputs wait, being fewer than sums).

    Bits of full adders, a LUT each, follow each other within a stage; all others read flip-flops. Words of one sum are made at once, in
    the stage of the first of them that is read.
    """
    count = len(words.words)
    early = [0] * count
    for k, word in enumerate(words.words):
        early[k] = max((early[t.word] + _apart(words, t.word, k) for t in word.terms), default=0)
    late = [max(early)] * count
    for k in reversed(range(count)):
        for t in words.words[k].terms:
            late[t.word] = min(late[t.word], late[k] - _apart(words, t.word, k))
    made: dict[tuple[Term, ...], int] = {}
    for stage, word in zip(late, words.words, strict=True):
        made[word.terms] = min(stage, made.get(word.terms, stage))
    return [made[word.terms] if word.terms else 0 for word in words.words]


def _apart(words: Words, used: int, user: int) -> int:
    """Stages between a word and the one that uses it."""
    return int(bool(words.words[used].terms) and not (_is_lut(words.words[used]) and _is_lut(words.words[user])))


def _is_lut(word: Word) -> bool:
    """Whether the word is a single bit of a sum of up to three: a LUT, no carry chain."""
    return word.bits == 1 and len(word.terms) <= 3


def _affine(x: Encoding) -> tuple[int, int]:
    """(scale, base): the integer of a word ``u`` is ``base + scale * u``."""
    if isinstance(x, Bipolar):
        return 2, -1
    return 1, -(1 << (x.bits - 1)) if x.signed else 0

"""Rows as signed, shifted words."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwq.fabric.unroll.words import Row, Term, Word, Words, signed_digits, stages_of, words_of
from hwq.numerics.encoding import Bipolar, Integer


@given(st.integers(-(1 << 20), 1 << 20))
def test_signed_digits_sum_to_the_number_and_no_two_neighbour(value):
    digits = signed_digits(value)
    assert sum(-(1 << s) if negative else 1 << s for s, negative in digits) == value
    shifts = [s for s, _ in digits]
    assert all(b - a > 1 for a, b in pairwise(shifts))


@pytest.mark.parametrize(
    ("x", "words", "integers"),
    [(Bipolar(), [0, 1], [-1, 1]), (Integer(2, False), [0, 1, 2, 3], [0, 1, 2, 3]), (Integer(3, True), [0, 4, 7], [-4, 0, 3])],
)
def test_rows_are_the_products_with_the_integers_of_the_inputs(x, words, integers):
    weights = np.array([[3], [-5], [0], [7]])
    found = words_of(weights, x)
    _, rows = found.values(np.array([words]))
    assert rows.tolist() == (weights * np.array([integers])).tolist()


def test_terms_carry_and_cancel():
    row = Row({}, 0)
    for negative in (False, False, False, True):
        row.add(Term(0, 0, negative))
    assert row.terms == {(0, 1): False}


def test_a_word_of_a_difference_counts_the_complement():
    words = Words([Word(3, 0, 7), Word(3, 0, 5)])
    number = words.define((Term(0, 0, False), Term(1, 1, True)))
    made = words.words[number]
    assert (made.offset, made.smallest, made.largest, made.bits) == (14, 4, 21, 5)  # a - 2 b + 14, b up to 5


def test_words_are_made_as_late_as_their_readers_allow():
    words = Words([Word(4, 0, 15)] * 4)
    first = words.define((Term(0, 0, False), Term(1, 0, False)))
    second = words.define((Term(first, 0, False), Term(2, 0, False)))
    words.define((Term(second, 0, False), Term(3, 0, False)))
    alone = words.define((Term(2, 0, False), Term(3, 1, True)))
    assert stages_of(words) == [0, 0, 0, 0, 0, 1, 2, 2]
    assert alone == 7


def test_full_adders_follow_each_other_within_a_stage():
    words = Words([Word(1, 0, 1)] * 5)
    total, _ = words.define_bits((Term(0, 0, False), Term(1, 0, True), Term(2, 0, False)))
    words.define_bits((Term(total, 0, False), Term(3, 0, False), Term(4, 0, False)))
    assert stages_of(words) == [0] * 9


def test_words_of_one_sum_are_made_in_one_stage():
    words = Words([Word(1, 0, 1)] * 7)
    ones, twos, fours = words.define_bits(tuple(Term(k, 0, False) for k in range(7)))
    early = words.define((Term(twos, 0, False), Term(fours, 0, False)))
    words.define((Term(early, 0, False), Term(ones, 0, False)))
    assert stages_of(words)[7:] == [0, 0, 0, 1, 2]

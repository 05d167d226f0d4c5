"""Common pairs of terms."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.fabric.unroll.share_words import share_pairs
from hwq.fabric.unroll.words import words_of
from hwq.numerics.encoding import Integer


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([Integer(2, True, True), Integer(4, True), Integer(6, False)]), st.integers(1, 40))
def test_sharing_keeps_every_row_and_words_within_their_intervals(seed, x, most):
    rng = np.random.default_rng(seed)
    weights = rng.integers(-most, most + 1, (8, 6))
    words = words_of(weights, x)
    share_pairs(words)
    values = rng.integers(x.lo, x.hi + 1, (6, 50))
    base = 1 << (x.bits - 1) if x.lo < 0 else 0
    found, rows = words.values(values + base)
    assert rows.tolist() == (weights @ values).tolist()
    for word, numbers in zip(words.words, found, strict=True):
        assert 0 <= word.smallest <= numbers.min()
        assert numbers.max() <= word.largest < 1 << word.bits


def test_a_pair_is_found_in_any_sign_and_shift():
    weights = np.array([[1, 3, 0], [-1, -3, 1], [2, 6, -1], [-4, -12, 0], [1, 3, 2]])
    words = words_of(weights, Integer(8, True))
    share_pairs(words)
    assert [sum(w != 2 for w, _ in row.terms) for row in words.rows] == [1] * 5  # column 2 apart, one common word is left


def test_rows_without_common_terms_stay_as_they_are():
    words = words_of(np.array([[1, 0, 0, 1], [0, 1, 1, 0]]), Integer(8, True))
    share_pairs(words)
    assert len(words.words) == 4

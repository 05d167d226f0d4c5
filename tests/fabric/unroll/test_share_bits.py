"""Common full adders."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.fabric.unroll.share_bits import share_adders
from hwq.fabric.unroll.words import words_of
from hwq.numerics.encoding import Bipolar


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(2, 4))
def test_sharing_keeps_every_row(seed, most, least):
    rng = np.random.default_rng(seed)
    weights = rng.integers(-most, most + 1, (12, 9))
    words = words_of(weights, Bipolar())
    share_adders(words, least=least)
    bits = rng.integers(0, 2, (9, 60))
    found, rows = words.values(bits)
    assert rows.tolist() == (weights @ (2 * bits - 1)).tolist()
    assert set(np.unique(found)) <= {0, 1}


def test_rows_and_their_complements_share_one_adder():
    weights = np.array([[1, -1, 1, 0], [-1, 1, -1, 0], [1, -1, 1, 1], [-1, 1, -1, -1]])
    words = words_of(weights, Bipolar())
    share_adders(words)
    assert len(words.words) == 4 + 2
    assert [len(row.terms) for row in words.rows] == [2, 2, 3, 3]


def test_adders_stand_on_each_other_up_to_the_levels_given():
    weights = np.ones((5, 27), np.int64)
    for levels, expected in ((1, 1), (3, 3)):
        words = words_of(weights, Bipolar())
        share_adders(words, levels=levels)
        assert max(word.level for word in words.words) == expected

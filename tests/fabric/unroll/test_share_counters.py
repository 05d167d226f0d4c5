"""Common counters of seven bits."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.fabric.unroll.share_counters import share_counters
from hwq.fabric.unroll.words import stages_of, words_of
from hwq.numerics.encoding import Bipolar


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3))
def test_sharing_keeps_every_row(seed, most):
    rng = np.random.default_rng(seed)
    base = rng.integers(-most, most + 1, (4, 24))
    weights = base[rng.integers(0, 4, 12)] * rng.choice([1, -1], (12, 1)) * rng.choice([1, 1, 1, -1, 0], (12, 24))
    words = words_of(weights, Bipolar())
    share_counters(words)
    bits = rng.integers(0, 2, (24, 60))
    found, rows = words.values(bits)
    assert rows.tolist() == (weights @ (2 * bits - 1)).tolist()
    assert set(np.unique(found)) <= {0, 1}


def test_rows_and_their_opposites_share_counters_on_counters():
    row = np.array([1, -1] * 25)[:49]
    words = words_of(np.array([row, -row]), Bipolar())
    share_counters(words)
    assert words.rows[0].terms.keys() == words.rows[1].terms.keys()
    assert len(words.rows[0].terms) < 49 - 4 * 7  # seven counters of inputs, then counters of their outputs
    assert max(stages_of(words)) >= 1  # a counter reads flip-flops behind the one before


def test_single_rows_keep_their_bits_for_their_own_heap():
    words = words_of(np.ones((1, 30), np.int64), Bipolar())
    share_counters(words)
    assert len(words.words) == 30

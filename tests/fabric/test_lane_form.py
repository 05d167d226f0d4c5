"""The form of a lane: its circuit, and what the weights alone decide."""

from __future__ import annotations

import numpy as np
import pytest

from hwq.fabric.lane_form import lane_form
from hwq.numerics.encoding import parse_encoding


def form_of(x, w, n=8, tallied=True):
    return lane_form(parse_encoding(x), parse_encoding(w), n, tallied)


@pytest.mark.parametrize(
    ("x", "w", "circuit"),
    [
        ("BIPOLAR", "BIPOLAR", "xnor"),
        ("BIPOLAR", "TERNARY", "masked"),
        ("TERNARY", "BIPOLAR", "masked"),
        ("TERNARY", "TERNARY", "ternary"),
        ("INT8", "BIPOLAR", "planes"),
        ("BIPOLAR", "UINT4", "planes"),
        ("INT2", "INT2", "table"),
        ("INT4", "INT4", "product"),
        ("FIXED<30,3>", "FIXED<30,3>", "multiply"),
    ],
)
def test_the_circuit_follows_from_the_encodings(x, w, circuit):
    assert form_of(x, w).circuit == circuit


@pytest.mark.parametrize(
    ("x", "w", "of_weight"),
    [
        ("BIPOLAR", "TERNARY", {-1: 0, 0: 1, 1: 0}),
        ("TERNARY", "TERNARY", {-1: 1, 0: 2, 1: 0}),
        ("INT4", "BIPOLAR", {-1: 1, 1: 0}),
        ("UINT4", "BIPOLAR", {-1: 1, 1: 16}),
    ],
)
def test_a_tally_counts_what_each_weight_adds(x, w, of_weight):
    form = form_of(x, w, 5)
    weights = np.random.default_rng(0).choice(list(of_weight), (50, 5))
    expected = [sum(of_weight[int(v)] for v in row) for row in weights]
    np.testing.assert_array_equal(form.tally(form.w.encode(weights)), expected)
    assert form.word_bits == 5 * form.w.bits + (5 * max(of_weight.values())).bit_length()


@pytest.mark.parametrize(("x", "w"), [("BIPOLAR", "BIPOLAR"), ("TERNARY", "BIPOLAR"), ("BIPOLAR", "INT4"), ("INT4", "INT4")])
def test_where_a_tally_helps_nothing_there_is_none(x, w):
    assert form_of(x, w).tally_bits == 0
    assert form_of(x, w).word_bits == 8 * form_of(x, w).w.bits


def test_without_being_asked_for_there_is_no_tally():
    assert form_of("BIPOLAR", "TERNARY", tallied=False).tally_bits == 0

"""The form of a lane: its circuit, and what the weights alone decide."""

from __future__ import annotations

import numpy as np
import pytest

from hwq.fabric.lane_form import lane_form
from hwq.fabric.weight_code import Levels
from hwq.numerics.encoding import parse_encoding


def form_of(x, w, n=8, apart=True, multiplier="auto"):
    return lane_form(parse_encoding(x), parse_encoding(w), n, apart, multiplier)


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
    assert form_of(x, w, apart=False).circuit == circuit


@pytest.mark.parametrize(
    ("x", "w", "of_weight"),
    [
        ("BIPOLAR", "TERNARY", {-1: -1, 0: 0, 1: -1}),
        ("TERNARY", "TERNARY", {-1: -1, 0: 0, 1: -2}),
        ("INT4", "BIPOLAR", {-1: -7, 1: -8}),
        ("UINT4", "BIPOLAR", {-1: -15, 1: 0}),
        ("UINT4", "TERNARY", {-1: -15, 0: 0, 1: 0}),
        ("BIPOLAR", "UINT2", {0: 0, 1: -1, 2: -2, 3: -3}),
    ],
)
def test_the_weights_share_is_the_least_product_of_each(x, w, of_weight):
    form = form_of(x, w, 5)
    weights = np.random.default_rng(0).choice(list(of_weight), (50, 5))
    expected = [sum(of_weight[int(v)] for v in row) for row in weights]
    np.testing.assert_array_equal(form.share(form.w.encode(weights)), expected)
    assert form.circuit == "coded"
    assert form.word_bits == 5 * form.w.bits


@pytest.mark.parametrize(("x", "w"), [("BIPOLAR", "BIPOLAR"), ("TERNARY", "BIPOLAR"), ("INT4", "INT4")])
def test_where_nothing_is_gained_the_share_is_that_of_any_weights(x, w):
    form = form_of(x, w)
    assert not form.apart
    assert set(form.bases) == {form.low}
    assert form == form_of(x, w, apart=False)


@pytest.mark.parametrize(
    ("x", "w", "multiplier", "circuit"),
    [
        ("INT4", "INT4", "auto", "product"),
        ("INT4", "INT4", "dsp", "dsp"),
        ("UINT2", "INT2", "dsp", "dsp"),
        ("INT8", "INT8", "auto", "dsp"),
        ("INT8", "INT8", "lut", "product"),
        ("FIXED<30,3>", "INT8", "lut", "product"),
        ("UINT8", "TERNARY", "auto", "coded"),
        ("UINT8", "TERNARY", "dsp", "dsp"),
        ("BIPOLAR", "INT4", "dsp", "coded"),
        ("BIPOLAR", "BIPOLAR", "dsp", "xnor"),
        ("TERNARY", "TERNARY", "dsp", "dsp"),
    ],
)
def test_what_multiplies_is_chosen_by_widths_or_as_asked_for(x, w, multiplier, circuit):
    assert form_of(x, w, multiplier=multiplier).circuit == circuit


@pytest.mark.parametrize(("x", "apart"), [("UINT4", False), ("UINT8", True)])
def test_codes_that_are_no_numbers_are_not_multiplied_as_such(x, apart):
    with pytest.raises(ValueError, match=f"^codes of LEVELS5 times {x} are no numbers to multiply: apart={apart}$"):
        lane_form(parse_encoding(x), Levels((-50, 0, 13, 77, 100)), 4, apart)

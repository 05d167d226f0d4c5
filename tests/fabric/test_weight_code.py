"""Codes of weights: every code stands for an integer, every weight has a code, and the cheapest is found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwq.errors import InputError
from hwq.fabric.weight_code import Bases, Levels, Powers, WeightCode, codes_of, distinct
from hwq.numerics.encoding import Bipolar, Integer

INT8 = Integer(8, True)


def encodings(values) -> set[str]:
    return {f"{c.factor}*{c.encoding.name}" for c in codes_of(np.array(values), INT8)[1:]}


@given(st.lists(st.integers(-128, 127), min_size=1, max_size=20))
def test_every_code_is_exact(values):
    weights = np.array(values)
    for code in codes_of(weights, INT8):
        codes = code.encode(weights)
        assert codes.min() >= 0
        assert codes.max() < 1 << code.bits
        np.testing.assert_array_equal(code.decode(codes), weights)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([-3, 3], {"3*BIPOLAR", "3*LEVELS2"}),
        ([0, 5, -5], {"5*TERNARY", "5*LEVELS3"}),
        ([0, 1, -4, 2], {"1*INT3", "1*POWERS3ZS", "1*LEVELS4"}),
        ([8, 16, 64], {"8*UINT4", "8*POWERS4", "8*LEVELS3"}),
        ([-7, -3, 3, 7], {"1*INT4", "1*BASES2_5", "1*LEVELS4"}),
        ([-3, -1, 1, 3], {"1*INT3", "1*BASES1_2", "1*LEVELS4"}),
        ([-128, 1, 127, 5], {"1*INT8", "1*LEVELS4"}),
        (range(-40, 40), {"1*INT7"}),
        ([0, 0], set()),
    ],
)
def test_what_codes_weights_have(values, expected):
    assert encodings(list(values)) == expected


def test_the_first_code_is_the_networks_own():
    assert codes_of(np.array([1, 2]), INT8)[0] == WeightCode(INT8)
    assert codes_of(np.array([1, -1]), Bipolar()) == (WeightCode(Bipolar()),)


def test_wide_weights_are_not_counted():
    assert distinct(np.array([1 << 30]), Integer(32, True)) is None
    assert codes_of(np.array([1 << 30]), Integer(32, True)) == (WeightCode(Integer(32, True)),)


@pytest.mark.parametrize(
    ("encoding", "integers"),
    [
        (Powers(3, True, True), (0, 1, 2, 4, 0, -1, -2, -4)),
        (Powers(2, False, False), (1, 2)),
        (Powers(2, True, False), (0, 1, 2, 2)),
        (Powers(1, False, True), (1, -1)),
        (Bases((1, 3)), (-4, -2, 2, 4)),
        (Levels((-5, 2, 3)), (-5, 2, 3, 3)),
    ],
)
def test_the_integer_of_every_code(encoding, integers):
    assert encoding.integers == integers
    np.testing.assert_array_equal(encoding.decode(np.arange(1 << encoding.bits)), integers)
    assert (encoding.lo, encoding.hi) == (min(integers), max(integers))
    every = np.arange(encoding.lo - 2, encoding.hi + 3)
    assert every[encoding.contains(every)].tolist() == sorted(set(integers))


def test_a_weight_without_a_code_is_refused():
    with pytest.raises(InputError, match="7 is not one of the integers of LEVELS2"):
        WeightCode(Levels((1, 2))).encode([1, 7])
    with pytest.raises(InputError, match="no multiple of 3"):
        WeightCode(Bipolar(), 3).encode([3, 4])

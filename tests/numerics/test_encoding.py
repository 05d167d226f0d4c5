"""Encodings: codes and integers, both ways, and their names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwq.errors import InputError
from hwq.numerics.encoding import Bipolar, Encoding, Fixed, Integer, parse_encoding, smallest_integer

ENCODINGS = st.one_of(
    st.just(Bipolar()),
    st.builds(Integer, st.integers(2, 16), st.booleans(), st.booleans()),
    st.integers(2, 16).flatmap(lambda w: st.builds(Fixed, st.just(w), st.integers(1, w))),
)


@given(ENCODINGS)
def test_every_integer_has_a_code_of_its_own_and_comes_back(encoding: Encoding) -> None:
    integers = np.arange(encoding.lo, encoding.hi + 1, encoding.step)
    codes = encoding.encode(integers)
    assert codes.min() >= 0
    assert codes.max() < 1 << encoding.bits
    assert len(np.unique(codes)) == len(integers)
    np.testing.assert_array_equal(encoding.decode(codes), integers)


@given(ENCODINGS)
def test_names_read_back_as_the_same_encoding(encoding: Encoding) -> None:
    assert parse_encoding(encoding.name) == encoding


@pytest.mark.parametrize(
    ("name", "lo", "hi", "bits"),
    [
        ("BIPOLAR", -1, 1, 1),
        ("BINARY", 0, 1, 1),
        ("TERNARY", -1, 1, 2),
        ("UINT8", 0, 255, 8),
        ("INT4", -8, 7, 4),
        ("INT4_NARROW", -7, 7, 4),
        ("FIXED<16,6>", -32768, 32767, 16),
    ],
)
def test_qonnx_names_mean_their_ranges(name: str, lo: int, hi: int, bits: int) -> None:
    e = parse_encoding(name)
    assert (e.lo, e.hi, e.bits) == (lo, hi, bits)


def test_signed_codes_are_twos_complement() -> None:
    np.testing.assert_array_equal(Integer(4, True).encode([-8, -1, 0, 7]), [8, 15, 0, 7])
    np.testing.assert_array_equal(Bipolar().encode([-1, 1]), [0, 1])


@pytest.mark.parametrize("bad", ["UINT0", "INT1", "INT99", "FLOAT32", "FIXED<4,9>", "", "int"])
def test_unknown_names_are_refused_with_the_names_that_exist(bad: str) -> None:
    with pytest.raises(InputError, match=r"(no encoding hwq knows|bits was asked|needs 1 <= i <= w)"):
        parse_encoding(bad)


@pytest.mark.parametrize("bad", [0, 2, -2])
def test_integers_outside_the_encoding_have_no_code(bad: int) -> None:
    with pytest.raises(InputError, match=f"{bad} is not one of the integers of BIPOLAR"):
        Bipolar().encode([1, bad])


@given(st.integers(-(2**40), 2**40), st.integers(0, 2**40))
def test_the_smallest_integer_encoding_holds_the_range_and_one_bit_less_does_not(lo: int, span: int) -> None:
    hi = lo + span
    e = smallest_integer(lo, hi)
    assert e.lo <= lo
    assert hi <= e.hi
    if e.bits > 1 + e.signed:
        less = Integer(e.bits - 1, e.signed)
        assert lo < less.lo or hi > less.hi

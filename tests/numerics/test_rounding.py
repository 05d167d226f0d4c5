"""Rounding modes against Python's exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwq.numerics.rounding import Rounding, round_float, shift_right


def exact(x: Fraction, mode: Rounding) -> int:
    """The mode's definition on rational numbers."""
    floor = math.floor(x)
    fraction = x - floor
    if mode is Rounding.FLOOR:
        return floor
    if mode is Rounding.CEIL:
        return math.ceil(x)
    if mode is Rounding.TOWARD_ZERO:
        return math.trunc(x)
    if mode is Rounding.AWAY:
        return math.ceil(x) if x > 0 else floor
    if fraction != Fraction(1, 2):
        return floor + (fraction > Fraction(1, 2))
    up = {Rounding.HALF_EVEN: floor % 2 == 1, Rounding.HALF_UP: True, Rounding.HALF_AWAY: x > 0, Rounding.HALF_TOWARD_ZERO: x < 0}
    return floor + up[mode]


HARD = [0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 0.49999999999999994, -0.49999999999999994, 4503599627370495.5, -1e-20, 0.0]


@pytest.mark.parametrize("mode", list(Rounding))
@given(x=st.one_of(st.sampled_from(HARD), st.floats(-1e6, 1e6), st.integers(-100, 100).map(lambda n: n / 2)))
def test_rounding_equals_exact_rational_rounding(mode: Rounding, x: float) -> None:
    assert round_float(np.array([x]), mode)[0] == exact(Fraction(x), mode)


@pytest.mark.parametrize("mode", [Rounding.FLOOR, Rounding.HALF_EVEN])
@given(x=st.integers(-(2**50), 2**50), shift=st.integers(0, 40))
def test_a_shift_rounds_the_exact_quotient(mode: Rounding, x: int, shift: int) -> None:
    assert shift_right(np.array([x]), shift, mode)[0] == exact(Fraction(x, 1 << shift), mode)


def test_a_shift_knows_no_other_mode() -> None:
    with pytest.raises(ValueError, match=r"^a shift rounds by floor or half_even, not ceil$"):
        shift_right(np.array([1]), 1, Rounding.CEIL)

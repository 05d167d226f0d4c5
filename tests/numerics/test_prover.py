"""The prover: every form equals its staircase on every reachable integer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.errors import InputError
from hwq.numerics.interval import Interval
from hwq.numerics.prover import Identity, ProofError, Thresholds, evaluate, prove
from hwq.numerics.requantize import MultiplyShift, fit_multiply_shift
from hwq.numerics.rounding import Rounding
from hwq.numerics.staircase import by_bisection, by_enumeration


def every_integer(reach: Interval) -> np.ndarray:
    """All integers of the widest channel's count, clipped to each channel's own (C, N)."""
    count = int(((reach.hi - reach.lo) // reach.step).max()) + 1
    return np.minimum(reach.lo[:, None] + reach.step * np.arange(count), reach.hi[:, None])


@st.composite
def tables(draw: st.DrawFn, monotone: bool = True) -> tuple[Interval, np.ndarray]:
    """A random function as a table (C, N): a staircase rising or falling, or any."""
    channels, count, step = draw(st.integers(1, 4)), draw(st.integers(1, 40)), draw(st.sampled_from([1, 2]))
    lo = np.array(draw(st.lists(st.integers(-50, 50), min_size=channels, max_size=channels)))
    rows = []
    for _ in range(channels):
        row = draw(st.lists(st.integers(-8, 8), min_size=count, max_size=count))
        rows.append(sorted(row, reverse=draw(st.booleans())) if monotone else row)
    return Interval(lo, lo + step * (count - 1), step), np.array(rows)


def lookup(reach: Interval, table: np.ndarray):
    def codes(x: np.ndarray) -> np.ndarray:
        return np.take_along_axis(table, (x - reach.lo[:, None]) // reach.step, axis=1)

    return codes


@given(tables())
def test_bisection_and_enumeration_find_the_same_staircase(case: tuple[Interval, np.ndarray]) -> None:
    reach, table = case
    codes = lookup(reach, table)
    one, other = by_bisection(codes, reach), by_enumeration(codes, reach)
    np.testing.assert_array_equal(one.points, other.points)
    np.testing.assert_array_equal(one.steps * one.used, other.steps * other.used)
    np.testing.assert_array_equal(one.codes(every_integer(reach)), table)
    assert one.range == (table.min(), table.max())


@given(tables(monotone=False), st.integers(0, 20))
def test_any_function_equals_its_proven_form_everywhere(case: tuple[Interval, np.ndarray], few: int) -> None:
    reach, table = case
    proof = prove(by_enumeration(lookup(reach, table), reach), int(table.min()), int(table.max()), few=few)
    np.testing.assert_array_equal(evaluate(proof.form, every_integer(reach)), table)


@given(tables(), st.integers(0, 3))
def test_a_multiply_shift_equals_its_staircase_everywhere(case: tuple[Interval, np.ndarray], slack: int) -> None:
    reach, table = case
    low, high = int(table.min()) - slack, int(table.max()) + slack
    fit = fit_multiply_shift(by_enumeration(lookup(reach, table), reach), low, high)
    if fit is not None:
        np.testing.assert_array_equal(evaluate(fit, every_integer(reach)), table)


def affine_codes(scale: np.ndarray, offset: np.ndarray, low: int, high: int):
    return lambda x: np.rint(np.clip(x * scale[:, None] + offset[:, None], low, high)).astype(np.int64)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([4, 6, 8]), st.integers(6, 14), st.sampled_from([1, 2]))
def test_every_affine_quantizer_has_a_multiply_shift(seed: int, bits: int, range_bits: int, step: int) -> None:
    random = np.random.default_rng(seed)
    hi = 1 << range_bits
    reach = Interval(np.full(6, -hi), np.full(6, hi), step)
    scale = (random.uniform(0.3, 3, 6) * 2.0 ** (bits - range_bits - 1) * random.choice([-1, 1], 6)).astype(np.float32).astype(np.float64)
    codes = affine_codes(scale, random.normal(size=6).astype(np.float32), 0, (1 << bits) - 1)
    proof = prove(by_bisection(codes, reach), 0, (1 << bits) - 1, codes=codes, few=0)
    x = every_integer(reach)
    np.testing.assert_array_equal(evaluate(proof.form, x), codes(x))
    assert isinstance(proof.form, MultiplyShift)


@pytest.mark.parametrize("shift", [1, 2, 5])
def test_ties_of_power_of_two_scales_round_half_to_even(shift: int) -> None:
    reach = Interval(np.array([-1000]), np.array([1000]))
    codes = affine_codes(np.array([2.0**-shift]), np.zeros(1), -(1 << 15), 1 << 15)
    fit = fit_multiply_shift(by_bisection(codes, reach), -(1 << 15), 1 << 15)
    assert fit is not None
    assert (fit.rounding, int(fit.multiplier[0]), fit.shift) == (Rounding.HALF_EVEN, 1, shift)
    x = every_integer(reach)
    np.testing.assert_array_equal(evaluate(fit, x), codes(x))


def test_floor_of_a_power_of_two_is_a_plain_shift() -> None:
    reach = Interval(np.array([-100]), np.array([100]))
    fit = fit_multiply_shift(by_bisection(lambda x: x >> 3, reach), -13, 12)
    assert fit is not None
    assert (fit.rounding, int(fit.multiplier[0]), int(fit.offset[0]), fit.shift) == (Rounding.FLOOR, 1, 0, 3)


def test_an_identity_needs_no_hardware() -> None:
    reach = Interval(np.array([-3, 0]), np.array([4, 2]))
    assert isinstance(prove(by_bisection(lambda x: x, reach), -3, 4).form, Identity)
    assert not isinstance(prove(by_bisection(lambda x: -x, reach), -4, 3).form, Identity)


def test_a_clip_of_many_levels_is_multiplication_by_one() -> None:
    reach = Interval(np.array([-500]), np.array([500]))
    form = prove(by_bisection(lambda x: np.clip(x, 0, 255), reach), 0, 255).form
    assert isinstance(form, MultiplyShift)
    assert (int(form.multiplier[0]), int(form.offset[0]), form.shift) == (1, 0, 0)


def test_channels_that_agree_share_one_row_of_thresholds() -> None:
    reach = Interval(np.full(5, -9), np.full(5, 9))
    form = prove(by_bisection(lambda x: (x >= 2).astype(np.int64), reach), 0, 1).form
    assert isinstance(form, Thresholds)
    np.testing.assert_array_equal(form.points, [[2]])


def test_thresholds_are_reachable_integers() -> None:
    """A bipolar sum reaches every other integer; of the equal thresholds 1 and 2 the reachable one is taken."""
    reach = Interval(np.array([-4]), np.array([4]), 2)
    np.testing.assert_array_equal(by_bisection(lambda x: (x >= 1).astype(np.int64), reach).points, [[2]])


def test_constant_channels_and_saturated_ends() -> None:
    reach = Interval(np.array([-9, -9, 5]), np.array([9, 9, 5]))
    codes = affine_codes(np.array([0.0, 1.0, 1.0]), np.array([7.0, 0.0, 0.0]), 0, 15)
    for few in (0, 15):
        form = prove(by_bisection(codes, reach), 0, 15, codes=codes, few=few).form
        x = every_integer(reach)
        np.testing.assert_array_equal(evaluate(form, x), codes(x))


def test_one_wrong_channel_falls_back_to_thresholds() -> None:
    """A staircase with uneven steps has no multiply-shift; the layer keeps one form for all its channels."""
    reach = Interval(np.zeros(2, np.int64), np.full(2, 100))
    uneven = np.array([1, 2, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 99])

    def codes(x: np.ndarray) -> np.ndarray:
        return np.stack([x[0] // 6, (x[1][:, None] >= uneven).sum(1)])

    assert isinstance(prove(by_bisection(codes, reach), 0, 17, codes=codes).form, Thresholds)


def test_a_wide_range_that_is_not_monotone_is_refused() -> None:
    reach = Interval(np.array([0]), np.array([1 << 25]))
    with pytest.raises(InputError, match="33554433 reachable integers"):
        by_enumeration(lambda x: x & 1, reach)


def test_too_many_levels_are_refused() -> None:
    with pytest.raises(InputError, match="more than thresholds can follow"):
        by_bisection(lambda x: x, Interval(np.array([0]), np.array([1 << 20])))


def test_a_wrong_form_is_never_handed_out() -> None:
    """The last comparison is against the specification, not against the staircase it was read from."""
    reach = Interval(np.array([0]), np.array([40]))
    stairs = by_bisection(lambda x: x // 3, reach)
    with pytest.raises(ProofError, match="not equal"):
        prove(stairs, 0, 13, codes=lambda x: (x + 1) // 3)


@pytest.mark.parametrize(("half", "form"), [(2_000_000, MultiplyShift), (150_000_000, Thresholds)])
def test_a_large_layer_is_proven_with_wide_accumulators(half: int, form: type) -> None:
    """Where a channel would need a product beyond 62 bits, thresholds remain."""
    random = np.random.default_rng(0)
    reach = Interval(np.full(128, -half), np.full(128, half))
    scale = random.uniform(0.5, 2, 128) * 127 / half
    codes = affine_codes(scale, random.uniform(50, 200, 128), 0, 255)
    proof = prove(by_bisection(codes, reach), 0, 255, codes=codes)
    assert isinstance(proof.form, form)
    assert proof.checked > 128 * 255


def smallest_shift(table: np.ndarray, lo: int, low: int, high: int) -> int | None:
    """By trying every multiplier and offset of every shift up to 4."""
    x = np.arange(lo, lo + len(table))
    for shift in range(5):
        reach = (int(np.abs(table).max()) + 9) << shift
        for multiplier in range(-reach, reach + 1):
            offsets = np.arange(-reach - abs(multiplier) * 12, reach + abs(multiplier) * 12 + 1)[:, None]
            if (np.clip((multiplier * x + offsets) >> shift, low, high) == table).all(1).any():
                return shift
    return None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=7).map(sorted), st.integers(-3, 2), st.booleans())
def test_the_shift_is_the_smallest_there_is(row: list[int], lo: int, falling: bool) -> None:
    table = np.array(row[::-1] if falling else row)
    reach = Interval(np.array([lo]), np.array([lo + len(table) - 1]))
    fit = fit_multiply_shift(by_enumeration(lookup(reach, table[None]), reach), 0, 3)
    expected = smallest_shift(table, lo, 0, 3)
    if expected is not None:
        assert fit is not None
        assert (fit.rounding, fit.shift) == (Rounding.FLOOR, expected)
    elif fit is not None and fit.rounding is Rounding.FLOOR:
        assert fit.shift > 4


def test_levels_beyond_comparators_are_refused_where_no_multiplier_gives_them() -> None:
    count = 5000
    reach = Interval(np.zeros(1, np.int64), np.array([count * count]))
    stairs = by_bisection(lambda x: np.sqrt(x.astype(np.float64)).astype(np.int64), reach)
    with pytest.raises(InputError, match="5000 changes by one"):
        prove(stairs, 0, count)

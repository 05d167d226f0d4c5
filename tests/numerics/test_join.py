"""The join prover against brute force over every combination."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwq.numerics import join
from hwq.numerics.grid import common_grid
from hwq.numerics.interval import Interval
from hwq.numerics.join import JoinTooWide, prove_join
from hwq.numerics.prover import Thresholds, evaluate


def interval(lo: int, hi: int, channels: int, step: int = 1) -> Interval:
    return Interval(np.full(channels, lo), np.full(channels, hi), step)


def everywhere(reaches: list[Interval]) -> list[np.ndarray]:
    """All combinations, (C, N) for each operand."""
    axes = [np.arange(0, int((r.hi[0] - r.lo[0]) // r.step) + 1) for r in reaches]
    grid = np.meshgrid(*axes, indexing="ij")
    return [r.lo[:, None] + r.step * g.reshape(1, -1) for r, g in zip(reaches, grid, strict=True)]


@given(
    st.lists(st.floats(0.05, 3).map(np.float32), min_size=2, max_size=3),
    st.lists(st.booleans(), min_size=3, max_size=3),
    st.integers(1, 40),
    st.booleans(),
    st.floats(0.1, 2),
)
def test_the_form_equals_the_code_on_every_combination(
    scales: list[float], signs: list[bool], top: int, falling: bool, unit: float
) -> None:
    n = len(scales)
    slopes = np.array([[s * (1 if sign else -1)] * 2 for s, sign in zip(scales, signs, strict=False)], np.float64) * [1.0, 1.75]
    reaches = [interval(-4, 7, 2), interval(0, 10, 2), interval(-3, 3, 2, 2)][:n]

    def codes(xs: tuple[np.ndarray, ...]) -> np.ndarray:
        real = sum(s[:, None] * x for s, x in zip(slopes, xs, strict=True))
        return np.clip(np.rint((-real if falling else real) / unit), 0, top).astype(np.int64)

    direction = -1 if falling else 1
    proof = prove_join(codes, reaches, slopes * direction, np.full(2, 1 / unit), 0, top)
    assert proof is not None
    xs = everywhere(reaches)
    sums = sum(m[:, None] * x for m, x in zip(proof.coefficients, xs, strict=True))
    np.testing.assert_array_equal(evaluate(proof.form, sums), codes(tuple(xs)))
    assert isinstance(proof.form, Thresholds) == (top <= 15)


def test_a_coefficient_that_is_off_by_one_is_not_accepted() -> None:
    """Equal scales want equal coefficients: the smallest are 1 and 1."""

    def codes(xs: tuple[np.ndarray, ...]) -> np.ndarray:
        return np.clip(np.rint((xs[0] + xs[1]) * 0.3), 0, 7).astype(np.int64)

    reaches = [interval(0, 15, 1), interval(0, 15, 1)]
    proof = prove_join(codes, reaches, np.full((2, 1), 0.3), np.ones(1), 0, 7)
    assert proof is not None
    np.testing.assert_array_equal(proof.coefficients, [[1], [1]])
    assert proof.bits == 1


def test_too_many_combinations_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(join, "MAX_POINTS", 100)
    with pytest.raises(JoinTooWide) as caught:
        prove_join(lambda xs: xs[0] * 0, [interval(0, 15, 1), interval(0, 31, 1)], np.ones((2, 1)), np.ones(1), 0, 7)
    assert caught.value.points == 16 * 7


def test_a_code_that_no_linear_sum_gives_has_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(join, "MAX_COEFFICIENT_BITS", 6)
    proof = prove_join(lambda xs: (xs[0] * xs[1] >= 6).astype(np.int64), [interval(0, 9, 1)] * 2, np.ones((2, 1)), np.ones(1), 0, 1)
    assert proof is None


@given(st.lists(st.lists(st.integers(-9, 9), min_size=2, max_size=2), min_size=1, max_size=4), st.floats(1e-3, 10))
def test_a_common_grid_is_exact_and_coarsest(rows: list[list[int]], unit: float) -> None:
    scales = np.array(rows, np.float64) * unit
    grid = common_grid(scales, 1 << 60)
    assert grid is not None
    integers, units = grid
    for c in range(2):
        exact = [Fraction(float(v)) for v in scales[:, c]]
        assert [int(k) * Fraction(float(units[c])) for k in integers[:, c]] == exact
        assert np.gcd.reduce(integers[:, c]) in (0, 1)


def test_scales_without_a_small_measure_have_no_grid() -> None:
    assert common_grid([[0.1], [0.137]], 255) is None
    grid = common_grid([[0.5], [0.75]], 255)
    assert grid is not None
    integers, unit = grid
    assert integers.T.tolist() == [[2, 3]]
    assert unit.tolist() == [0.25]

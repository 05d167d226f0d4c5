"""Weights by value: a grid is accepted only where it reproduces every weight bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.frontend.lattice import encoding_of, fit_lattice, why_no_lattice


def reproduced(values: np.ndarray, fit: object) -> bool:
    made = (fit.integers * fit.scale).astype(values.dtype)  # type: ignore[attr-defined]
    return bool((made == values).all())


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 127), st.booleans(), st.sampled_from([np.float32, np.float64]))
def test_a_grid_is_found_without_being_told(seed: int, levels: int, per_channel: bool, dtype: type) -> None:
    random = np.random.default_rng(seed)
    integers = random.integers(-levels, levels + 1, (17, 6))
    scale = random.uniform(1e-4, 10, 6 if per_channel else ()).astype(dtype)
    values = (integers * scale).astype(dtype)
    fit = fit_lattice(values)
    assert fit is not None
    assert reproduced(values, fit)
    assert np.abs(fit.integers).max() <= 127


@given(st.integers(0, 2**32 - 1))
def test_a_stated_scale_is_kept(seed: int) -> None:
    """Even numbers times 0.1 are also integers times 0.2: the graph's own scale wins."""
    random = np.random.default_rng(seed)
    values = (2 * random.integers(-50, 50, (9, 4)) * np.float32(0.1)).astype(np.float32)
    fit = fit_lattice(values, (np.float32(0.1),))
    assert fit is not None
    assert fit.stated
    assert fit.scale == np.float32(0.1)


def test_one_changed_bit_is_enough_to_refuse() -> None:
    values = (np.random.default_rng(0).integers(-7, 8, (40, 3)) * np.float32(0.37)).astype(np.float32)
    assert fit_lattice(values) is not None
    row = int(np.argmax(np.abs(values[:, 0])))
    values[row, 0] = np.nextafter(values[row, 0], np.float32(9))
    assert fit_lattice(values, (np.float32(0.37),)) is None


def test_float_weights_are_refused() -> None:
    assert fit_lattice(np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32), (np.float32(0.01),)) is None


def test_a_wrong_stated_scale_is_not_believed() -> None:
    values = np.array([[0.5], [-1.0], [1.5]], np.float32)
    for wrong in (np.float32(0.4), np.float32(0.0), np.float32(-0.5), np.float32(np.nan), np.ones((2, 7), np.float32)):
        fit = fit_lattice(values, (wrong,))
        assert fit is not None
        assert not fit.stated
        assert reproduced(values, fit)


def test_codes_are_kept_as_they_stand_when_asked() -> None:
    values = np.array([[3.0], [-3.0]])
    reduced, kept = fit_lattice(values), fit_lattice(values, reduce=False)
    assert reduced is not None
    assert kept is not None
    np.testing.assert_array_equal(reduced.integers, [[1], [-1]])
    np.testing.assert_array_equal(kept.integers, [[3], [-3]])


@pytest.mark.parametrize(
    ("integers", "name"),
    [([1, -1], "BIPOLAR"), ([1, 0, -1], "TERNARY"), ([0, 0], "TERNARY"), ([-2, 1], "INT2"), ([5], "INT4_NARROW"), ([-128, 3], "INT8")],
)
def test_the_narrowest_encoding_of_weights(integers: list[int], name: str) -> None:
    assert encoding_of(np.array(integers)).name == name


def test_why_there_is_no_grid() -> None:
    wide = np.array([[40000.0, -3.0], [1.0, 2.0]], np.float32) * np.float32(0.5)
    assert "at most 32767 (16 bits)" in why_no_lattice(wide, (np.float32(0.5),))[0]
    dorefa = 2 * np.round(np.linspace(0, 1, 40).reshape(-1, 2) * 15) / 15 - 1
    rounded = (dorefa * (1 + 1e-6 * np.sin(100 * dorefa))).astype(np.float32)
    assert fit_lattice(rounded) is None
    assert "only up to float rounding" in why_no_lattice(rounded)[0]
    assert "unquantized" in why_no_lattice(np.random.default_rng(0).normal(size=(40, 20)))[0]

"""The engines of the contraction give the integers of plain int64 arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.network.ops import Conv, Window
from hwq.network.ops.contraction import Matrix, PackedWeights
from hwq.numerics.encoding import Integer

ALPHABETS = ([-1, 1], [0, 1], [-1, 0, 1], [0, 1, 2, 3], [-2, -1, 0, 1], [5], [-3, -1, 1, 3])


def by_definition(x: np.ndarray, weights: np.ndarray, window: Window) -> np.ndarray:
    """One einsum a tap."""
    taps = window.taps(x.astype(np.int64))
    kernel = weights.reshape(len(weights), -1, weights.shape[3])
    return sum(np.einsum("nhwi,oi->nhwo", tap, kernel[:, k]) for k, tap in enumerate(taps))


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_popcounts_of_packed_planes_are_the_sum_of_products(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    channels = data.draw(st.sampled_from([32, 63, 64, 65, 130]))
    kernel = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    window = Window(
        kernel,
        data.draw(st.tuples(st.integers(1, 2), st.integers(1, 2))),
        data.draw(st.tuples(*[st.integers(0, 1)] * 4)),
        data.draw(st.tuples(st.integers(1, 2), st.integers(1, 2))),
    )
    x = rng.choice(data.draw(st.sampled_from(ALPHABETS)), (2, 6, 5, channels)).astype(np.int8)
    weights = rng.choice(data.draw(st.sampled_from(ALPHABETS)), (data.draw(st.integers(1, 9)), *kernel, channels))
    np.testing.assert_array_equal(PackedWeights(weights).convolve(x, window), by_definition(x, weights, window))


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_a_convolution_is_exact_whatever_engine_it_chooses(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    weights = rng.choice(data.draw(st.sampled_from([[1], [-1, 1], [-1, 0, 1], [-8, 7], [1 << 20, 1]])), (3, 3, 3, 64))
    span = data.draw(st.sampled_from([1, 2, 4, 9, 33, 255]))
    low = data.draw(st.sampled_from([0, -1, -128, 100, 511, 1023, 1 << 23, -(1 << 30), 1 << 36]))
    padding = data.draw(st.sampled_from([(0, 0, 0, 0), (1, 1, 1, 1), (1, 0, 0, 2)]))
    x = rng.integers(low, low + span, (2, 5, 4, 64))
    op = Conv(weights, Integer(24, True), padding=padding)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hwq.network.ops.contraction.LEAST_PRODUCTS", 0)
        np.testing.assert_array_equal(op.golden(x), by_definition(x, weights, op.window))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 8, 12, 16, 24, 30]), st.sampled_from([1, 8, 16, 24]))
def test_float_products_are_exact_at_any_width(seed: int, x_bits: int, w_bits: int) -> None:
    rng = np.random.default_rng(seed)
    x, w = (rng.integers(-(1 << bits), 1 << bits, (4, 200), np.int64) for bits in (x_bits, w_bits))
    matrix = Matrix(w)
    expected = [[sum(int(a) * int(b) for a, b in zip(p, q, strict=True)) for q in w] for p in x]
    np.testing.assert_array_equal(matrix.product(x.astype(matrix.exact_type(x))), expected)

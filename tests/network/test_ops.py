"""What each op of the Network means, against loops written from its definition."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.errors import InputError
from hwq.network.ops import ArgMax, Conv, Requantize, Saturating, Threshold
from hwq.numerics.encoding import Bipolar, Integer
from hwq.numerics.interval import Interval
from hwq.numerics.rounding import Rounding

INT4 = Integer(4, True)


def conv_by_loops(op: Conv, x: np.ndarray) -> np.ndarray:
    """Sum over kh, kw, channel; taps outside the image contribute nothing."""
    n, h, w, _ = x.shape
    oh, ow, o = op.shape(x.shape[1:])
    kh, kw, i = op.weights.shape[1:]
    y = np.zeros((n, oh, ow, o), np.int64)
    for f, r, c, m in product(range(n), range(oh), range(ow), range(o)):
        acc = 0
        chunk_sum = 0
        for position, (a, b, k) in enumerate(product(range(kh), range(kw), range(i)), 1):
            row = r * op.stride[0] - op.padding[0] + a * op.dilation[0]
            column = c * op.stride[1] - op.padding[1] + b * op.dilation[1]
            inside = 0 <= row < h and 0 <= column < w
            channel = m // (o // op.groups) * i + k
            chunk_sum += int(op.weights[m, a, b, k]) * int(x[f, row, column, channel]) if inside else 0
            if isinstance(op.accumulation, Saturating) and (position % op.accumulation.chunk == 0 or position == kh * kw * i):
                acc = max(-(2 ** (op.accumulation.bits - 1)), min(2 ** (op.accumulation.bits - 1) - 1, acc + chunk_sum))
                chunk_sum = 0
        y[f, r, c, m] = acc if isinstance(op.accumulation, Saturating) else chunk_sum
    return y


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Conv, np.ndarray]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    o, i = groups * draw(st.integers(1, 3)), draw(st.integers(1, 3))
    accumulation = draw(st.sampled_from([None, Saturating(5, 1), Saturating(4, 3), Saturating(6, 5)]))
    op = Conv(
        rng.integers(-8, 8, (o, *kernel, i)),
        INT4,
        draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        draw(st.tuples(*[st.integers(0, 2)] * 4)),
        dilation,
        groups,
        *([accumulation] if accumulation else []),
    )
    size = [dilation[k] * (kernel[k] - 1) + 1 + draw(st.integers(0, 3)) for k in range(2)]
    return op, rng.integers(-8, 8, (2, *size, groups * i))


@settings(deadline=None, max_examples=60)
@given(convolutions())
def test_convolution_is_the_sum_its_definition_says(case: tuple[Conv, np.ndarray]) -> None:
    op, x = case
    np.testing.assert_array_equal(op.golden(x), conv_by_loops(op, x))


@settings(deadline=None, max_examples=60)
@given(convolutions())
def test_convolution_stays_in_its_interval(case: tuple[Conv, np.ndarray]) -> None:
    op, x = case
    c = x.shape[3]
    reach = op.interval(Interval(np.full(c, -8), np.full(c, 7)), x.shape[1:])
    y = op.golden(x)
    assert (y >= reach.lo).all()
    assert (y <= reach.hi).all()


def test_the_interval_of_an_exact_sum_is_reached_at_both_ends() -> None:
    rng = np.random.default_rng(0)
    op = Conv(rng.integers(-8, 8, (5, 1, 1, 9)), INT4)
    reach = op.interval(Interval(np.full(9, -8), np.full(9, 7)), (1, 1, 9))
    for end, extreme in ((reach.hi, np.where(op.matrix > 0, 7, -8)), (reach.lo, np.where(op.matrix > 0, -8, 7))):
        y = op.golden(extreme.reshape(5, 1, 1, 9)).reshape(5, 5)
        np.testing.assert_array_equal(np.diag(y), end)


def test_bipolar_sums_reach_every_other_integer_unless_padded() -> None:
    w = np.ones((1, 3, 3, 1), np.int64)
    x = Interval(np.full(1, -1), np.full(1, 1), 2)
    assert Conv(w, Bipolar()).interval(x, (3, 3, 1)).step == 2
    assert Conv(w, Bipolar(), padding=(1, 1, 1, 1)).interval(x, (3, 3, 1)).step == 1


def test_large_products_are_summed_exactly_beyond_float64() -> None:
    big = 2**40 + 1
    op = Conv(np.full((1, 1, 1, 3), big), Integer(42, True))
    x = np.array([2**15 + 1, 1, -(2**15)]).reshape(1, 1, 1, 3)
    assert op.golden(x).item() == big * (2**15 + 1 + 1 - 2**15)


@st.composite
def staircases(draw: st.DrawFn) -> Threshold:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    c, k = draw(st.integers(1, 4)), draw(st.integers(1, 7))
    rows = draw(st.sampled_from([1, c]))
    steps = rng.choice([-1, 1], (rows, k)) if draw(st.booleans()) else np.ones((rows, k), np.int64)
    out = draw(st.sampled_from([Integer(5, True), Integer(5, False)]))
    return Threshold(rng.integers(-20, 20, (rows, k)), steps, np.full(rows, 7), out)


@settings(deadline=None)
@given(staircases())
def test_threshold_counts_signed_steps(op: Threshold) -> None:
    c = 4 if len(op.thresholds) == 1 else len(op.thresholds)
    x = np.arange(-25, 25).reshape(-1, 1, 1, 1) * np.ones((1, 1, 1, c), np.int64)
    got = op.golden(x)
    for n, value in enumerate(range(-25, 25)):
        for ch in range(c):
            row = ch % len(op.thresholds)
            index = op.base[row] + sum(s for t, s in zip(op.thresholds[row], op.steps[row], strict=True) if value >= t)
            assert got[n, 0, 0, ch] == op.out.lo + index


@settings(deadline=None)
@given(staircases(), st.integers(-25, 10), st.integers(0, 30), st.sampled_from([1, 2]))
def test_the_interval_of_a_staircase_is_exact(op: Threshold, lo: int, span: int, step: int) -> None:
    c = len(op.thresholds)
    hi = lo + span * step
    reach = op.interval(Interval(np.full(c, lo), np.full(c, hi), step), (1, 1, c))
    y = op.golden(np.arange(lo, hi + 1, step).reshape(-1, 1, 1, 1) * np.ones((1, 1, 1, c), np.int64))
    np.testing.assert_array_equal(reach.lo, y.reshape(-1, c).min(0))
    np.testing.assert_array_equal(reach.hi, y.reshape(-1, c).max(0))


def test_bipolar_threshold_gives_minus_one_and_plus_one() -> None:
    op = Threshold(np.array([[3]]), np.array([[1]]), np.array([0]), Bipolar())
    np.testing.assert_array_equal(op.golden(np.array([2, 3]).reshape(2, 1, 1, 1)).ravel(), [-1, 1])


def test_requantize_multiplies_adds_shifts_and_clips() -> None:
    op = Requantize(np.array([3, -5]), np.array([1, 2]), 2, Rounding.FLOOR, -4, 7, INT4)
    x = np.array([[-9, 4], [6, -3], [1, 0]]).reshape(3, 1, 1, 2)
    expected = [[max(-4, min(7, (m * v + b) // 4)) for v, m, b in zip(row, (3, -5), (1, 2), strict=True)] for row in x.reshape(3, 2)]
    np.testing.assert_array_equal(op.golden(x).reshape(3, 2), expected)


def test_requantize_half_even_takes_ties_to_even() -> None:
    op = Requantize(np.array([1]), np.array([0]), 1, Rounding.HALF_EVEN, -8, 7, INT4)
    x = np.array([-5, -3, -1, 1, 3, 5]).reshape(6, 1, 1, 1)
    np.testing.assert_array_equal(op.golden(x).ravel(), [-2, -2, 0, 0, 2, 2])


def test_argmax_ties_take_the_lowest_index() -> None:
    x = np.array([[1, 5, 5, 2], [0, 0, 0, 0], [-3, -2, -1, -1]]).reshape(3, 1, 1, 4)
    np.testing.assert_array_equal(ArgMax().golden(x).ravel(), [1, 0, 2])


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^3 input channels, the weights want 2$"):
        Conv(np.ones((1, 1, 1, 2), np.int64), INT4).shape((1, 1, 3))
    with pytest.raises(ValueError, match=r"^a kernel of 3x1 does not fit an image of 2x5$"):
        Conv(np.ones((1, 3, 1, 2), np.int64), INT4).shape((2, 5, 2))


@pytest.mark.parametrize(("bits", "chunk"), [(1, 4), (49, 4), (8, 0), (10**9, 1)])
def test_impossible_accumulators_are_refused(bits: int, chunk: int) -> None:
    with pytest.raises(InputError, match=r"2\.\.48 bits"):
        Saturating(bits, chunk)

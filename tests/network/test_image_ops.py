"""What the ops on images mean, against loops written from their definitions."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.network.ops import (
    Add,
    BorderAffine,
    Concat,
    Flatten,
    Lookup,
    Mul,
    Op,
    Pad,
    Pool,
    Split,
    TopK,
    Upsample,
    Window,
)
from hwq.numerics.encoding import Bipolar, Integer
from hwq.numerics.interval import Interval

INT4 = Integer(4, True)


def image(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-8, 8, shape)


def in_interval(op: Op, *xs: np.ndarray) -> None:
    reach = op.intervals(tuple(Interval(x.min((0, 1, 2)), x.max((0, 1, 2))) for x in xs), tuple(x.shape[1:] for x in xs))
    for y, r in zip(op.run(*xs), reach, strict=True):
        assert (y >= r.lo).all()
        assert (y <= r.hi).all()


@st.composite
def pools(draw: st.DrawFn) -> tuple[Pool, np.ndarray]:
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    # Padding below the kernel, as frameworks demand, so that no window is empty.
    padding = draw(st.tuples(*[st.integers(0, k - 1) for k in (*kernel, *kernel)])) if dilation == (1, 1) else (0, 0, 0, 0)
    window = Window(kernel, draw(st.tuples(st.integers(1, 3), st.integers(1, 3))), padding, dilation)
    size = [dilation[k] * (kernel[k] - 1) + 1 + draw(st.integers(0, 4)) for k in range(2)]
    return Pool(draw(st.sampled_from(["max", "min", "sum"])), window), image(draw(st.integers(0, 999)), 2, *size, 3)


@settings(deadline=None, max_examples=80)
@given(pools())
def test_pool_takes_the_taps_inside_the_image(case: tuple[Pool, np.ndarray]) -> None:
    op, x = case
    w = op.window
    _, h, width, _ = x.shape
    y = op.golden(x)
    assert y.shape[1:] == op.shape(x.shape[1:])
    for f, r, c, k in product(*map(range, y.shape)):
        rows = [r * w.stride[0] - w.padding[0] + a * w.dilation[0] for a in range(w.kernel[0])]
        columns = [c * w.stride[1] - w.padding[1] + b * w.dilation[1] for b in range(w.kernel[1])]
        taps = [int(x[f, i, j, k]) for i in rows for j in columns if 0 <= i < h and 0 <= j < width]
        assert y[f, r, c, k] == {"max": max, "min": min, "sum": sum}[op.mode](taps)
    in_interval(op, x)


def test_a_window_in_the_padding_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="padding alone"):
        Pool("max", Window((2, 2), (1, 1), (2, 0, 0, 0))).shape((4, 4, 1))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 999), st.integers(2, 4), st.booleans())
def test_add_weighs_its_inputs(seed: int, inputs: int, per_channel: bool) -> None:
    xs = [image(seed + k, 2, 3, 2, 4) for k in range(inputs)]
    coefficients = np.random.default_rng(seed).integers(-5, 6, (inputs, 4 if per_channel else 1))
    op = Add(coefficients)
    (y,) = op.run(*xs)
    for place in product(*map(range, y.shape)):
        weights = [int(c[place[3] if per_channel else 0]) for c in coefficients]
        assert y[place] == sum(w * int(x[place]) for w, x in zip(weights, xs, strict=True))
    in_interval(op, *xs)


def test_a_sum_of_two_bipolar_tensors_reaches_every_other_integer() -> None:
    reach = Interval(np.array([-1]), np.array([1]), 2)
    (total,) = Add(np.ones((2, 1), np.int64)).intervals((reach, reach), ((1, 1, 1),) * 2)
    assert (total.lo[0], total.hi[0], total.step) == (-2, 2, 2)


def test_products_stay_in_the_corners_of_their_intervals() -> None:
    a, b = image(1, 4, 3, 3, 5), image(2, 4, 3, 3, 5)
    np.testing.assert_array_equal(
        Mul().run(a, b)[0], np.array([int(p) * int(q) for p, q in zip(a.flat, b.flat, strict=True)]).reshape(a.shape)
    )
    in_interval(Mul(), a, b)


def test_split_undoes_concat() -> None:
    parts = [image(k, 2, 3, 4, size) for k, size in enumerate((3, 1, 2))]
    (whole,) = Concat().run(*parts)
    assert whole.shape == (2, 3, 4, 6)
    for part, back in zip(parts, Split((3, 1, 2)).run(whole), strict=True):
        np.testing.assert_array_equal(part, back)


def test_concat_of_unlike_encodings_holds_them_all() -> None:
    reach = Interval(np.zeros(2, np.int64), np.ones(2, np.int64))
    (e,) = Concat().encodings((reach,), (Integer(4, False), Bipolar()))
    assert (e.lo, e.hi) == (-16, 15)
    assert Concat().encodings((reach,), (Bipolar(), Bipolar())) == (Bipolar(),)


@pytest.mark.parametrize(
    ("op", "shapes"),
    [
        (Add(np.ones((2, 1), np.int64)), ((2, 2, 3), (2, 2, 4))),
        (Mul(), ((2, 2, 3), (1, 1, 3))),
        (Concat(), ((2, 2, 3), (2, 3, 3))),
        (Split((1, 2)), ((2, 2, 4),)),
        (Pad((0, 0, -1, 0)), ((2, 2, 4),)),
        (Upsample((0, 1)), ((2, 2, 4),)),
        (TopK(5), ((2, 2, 4),)),
        (Lookup(np.zeros((3, 2), np.int64), 0, 1, INT4), ((2, 2, 4),)),
    ],
)
def test_what_does_not_fit_is_refused(op: Op, shapes: tuple[tuple[int, int, int], ...]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        op.shapes(shapes)


def test_upsampling_repeats_the_nearest_pixel() -> None:
    x = image(3, 2, 3, 2, 2)
    y = Upsample((2, 3)).golden(x)
    for r, c in product(range(6), range(6)):
        np.testing.assert_array_equal(y[:, r, c], x[:, r // 2, c // 3])


def test_padding_is_the_integer_zero() -> None:
    x = image(4, 1, 2, 2, 1)
    y = Pad((1, 0, 2, 3)).golden(x)
    assert y.shape == (1, 5, 5, 1)
    np.testing.assert_array_equal(y[:, 1:3, :2], x)
    assert np.count_nonzero(y) == np.count_nonzero(x)
    assert Pad((1, 0, 0, 0)).encoding(Interval(np.array([-1]), np.array([1])), Bipolar()).contains(0).all()


def test_flattening_keeps_the_order_of_the_stream() -> None:
    x = image(5, 2, 2, 3, 4)
    np.testing.assert_array_equal(Flatten().golden(x)[:, 0, 0], [list(f.ravel()) for f in x])


def test_a_table_maps_every_integer_of_its_domain() -> None:
    x = 2 * image(6, 2, 3, 3, 2) + 1
    table = np.random.default_rng(0).integers(-8, 8, (2, 16))
    op = Lookup(table, -15, 2, INT4)
    y = op.golden(x)
    for place in product(*map(range, x.shape)):
        assert y[place] == table[place[3]][(int(x[place]) + 15) // 2]
    in_interval(op, x)


def test_border_classes_choose_scale_and_offset() -> None:
    x = image(7, 2, 3, 4, 2)
    rng = np.random.default_rng(1)
    op = BorderAffine(np.array([0, 1, 0]), np.array([0, 1, 1, 2]), rng.integers(1, 4, (2, 3)), rng.integers(-9, 9, (2, 3, 2)))
    y = op.golden(x)
    for f, r, c, k in product(*map(range, x.shape)):
        a, b = op.rows[r], op.columns[c]
        assert y[f, r, c, k] == op.scale[a, b] * x[f, r, c, k] + op.offset[a, b, k]
    in_interval(op, x)


def test_top_k_lists_the_largest_first_and_ties_by_index() -> None:
    x = np.array([[[[3, 7, 7, -1, 7]]]])
    np.testing.assert_array_equal(TopK(4).golden(x)[0, 0, 0], [1, 2, 4, 0])

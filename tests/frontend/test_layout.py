"""Layouts by digits say the same as index arrays, whatever reshapes and transpositions lie between."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hwq.frontend.arrangement import Arrangement
from hwq.frontend.layout import Layout
from hwq.network.host import run_steps

H, W, C = 4, 6, 5


def nchw() -> tuple[Layout, np.ndarray]:
    """An image of the source over a leaf (H, W, C), and the same by positions."""
    return Layout.channels_first((1, C, H, W)), np.arange(H * W * C).reshape(H, W, C).transpose(2, 0, 1)[None]


@st.composite
def views(draw: st.DrawFn) -> tuple[Layout, np.ndarray]:
    """Some reshapes and transpositions, half of them along the borders of channels, rows and columns."""
    layout, index = nchw()
    for _ in range(draw(st.integers(0, 4))):
        if draw(st.booleans()):
            perm = [0, *draw(st.permutations(range(1, index.ndim)))]
            layout, index = layout.transposed(perm), index.transpose(perm)
            continue
        factors = draw(st.one_of(st.just([5, 2, 2, 2, 3]), st.permutations([5, 2, 2, 2, 3])))
        cuts = sorted(draw(st.sets(st.integers(1, 4), max_size=4)))
        shape = [1, *(int(np.prod(f)) for f in np.split(np.array(factors), cuts))]
        layout, index = layout.reshaped(shape), index.reshape(shape)
    return layout, index


@given(views())
def test_positions_follow_numpy(view: tuple[Layout, np.ndarray]) -> None:
    layout, index = view
    assert layout.shape == index.shape
    np.testing.assert_array_equal(layout.positions(), index)
    assert layout.in_order == bool((index.reshape(-1) == np.arange(index.size)).all())
    assert layout.same(Layout.at(index))


@given(views(), st.integers(0, 2**32 - 1))
def test_constants_reach_the_leaf_as_numpy_broadcasts_them(view: tuple[Layout, np.ndarray], seed: int) -> None:
    layout, index = view
    random = np.random.default_rng(seed)
    value = random.normal(size=[n if random.integers(2) else 1 for n in index.shape])
    expected = np.empty(index.size)
    expected[index.reshape(-1)] = np.broadcast_to(value, index.shape).reshape(-1)
    got = layout.to_leaf(value, C)
    assert got is not None
    np.testing.assert_array_equal(np.broadcast_to(got, (H * W, C)).reshape(-1) if got.size <= C else got, expected)
    if (expected.reshape(-1, C) == expected[:C]).all():
        assert got.size <= C


@given(views())
def test_values_move_out_of_the_leaf_and_back(view: tuple[Layout, np.ndarray]) -> None:
    layout, index = view
    values = np.random.default_rng(0).integers(0, 99, (2, H, W, C))
    out = layout.from_leaf(values)
    np.testing.assert_array_equal(out, values.reshape(2, -1)[:, index.reshape(-1)].reshape(2, *index.shape[1:]))
    np.testing.assert_array_equal(layout.into_leaf(out).reshape(values.shape), values)
    again = Layout.from_document(layout.document())
    np.testing.assert_array_equal(again.positions(), index)
    if layout.index is None:
        np.testing.assert_array_equal(run_steps(layout.host_steps(), values), out)


@given(views())
def test_a_rearranged_leaf_keeps_every_element(view: tuple[Layout, np.ndarray]) -> None:
    layout, index = view
    moved = layout.through([(H, W * C, W), (W, C, 1), (C, 1, H * W)])  # to the order channel, row, column
    place = np.arange(H * W * C).reshape(C, H, W).transpose(1, 2, 0).reshape(-1)
    np.testing.assert_array_equal(moved.positions(), place[index])


def test_an_operand_that_would_enlarge_the_tensor_is_none() -> None:
    layout, _ = nchw()
    assert layout.to_leaf(np.ones((2, C, H, W)), C) is None
    assert layout.to_leaf(np.ones((7, 1)), C) is None


def test_large_images_need_no_index() -> None:
    layout = Layout.channels_first((1, 1 << 12, 1 << 12, 1 << 12)).reshaped((1, 1 << 36))
    assert layout.axes == ((), ((1 << 12, 1), (1 << 24, 1 << 12)))


def test_an_input_becomes_an_image_whatever_order_the_model_has() -> None:
    x = np.arange(2 * C * H * W).reshape(2, C, H, W)
    first = Arrangement.image(Layout.of((1, C, H, W)), 1)
    np.testing.assert_array_equal(run_steps(first.steps(), x), x.transpose(0, 2, 3, 1))
    flat = Arrangement.image(Layout.of((1, C * H * W)).reshaped((1, C, H, W)), 1)
    np.testing.assert_array_equal(run_steps(flat.steps(), x.reshape(2, -1)), x.transpose(0, 2, 3, 1))
    last = Arrangement.image(Layout.of((1, H * W, C)), -1)
    assert last.shape == (1, H * W, C)
    assert last.in_order

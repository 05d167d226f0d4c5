"""The Network as a graph: what is known without running it, and the golden run."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hwq.errors import InputError
from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.ops import Conv, Flatten, Op, Pad, Pool, Upsample, Window
from hwq.numerics.encoding import Integer
from tests.network.networks import BIPOLAR, dense_network, integers


def linear(o: int, i: int) -> Conv:
    return Conv(np.ones((o, 1, 1, i), np.int64), BIPOLAR)


def test_accumulators_get_exactly_the_bits_their_weights_need() -> None:
    network = dense_network((12, 7, 5))
    assert network.tensors["acc0"].interval.bounds == (-12, 12)
    assert network.tensors["acc0"].encoding == Integer(5, True)


def test_batches_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    network = dense_network((12, 7, 5))
    x = integers(np.random.default_rng(0), BIPOLAR, (37, 1, 1, 12))
    whole = network.run({"x": x}, keep=["code0", "acc1"])
    monkeypatch.setattr("hwq.network.graph.MOST_FRAMES", 10)
    pieces = network.run({"x": x}, keep=["code0", "acc1"])
    for name in whole:
        np.testing.assert_array_equal(whole[name], pieces[name])


def test_an_input_may_be_kept_beside_outputs() -> None:
    network = dense_network()
    x = integers(np.random.default_rng(0), BIPOLAR, (3, 1, 1, 12))
    np.testing.assert_array_equal(network.run({"x": x}, keep=["x"])["x"], x)


@pytest.mark.parametrize(
    ("nodes", "outputs", "code"),
    [
        ([("a", "x", "y"), ("a", "y", "z")], "z", "NETWORK-NAME"),
        ([("a", "nowhere", "y")], "y", "NETWORK-ORDER"),
        ([("a", "x", "x")], "x", "NETWORK-ORDER"),
        ([("a", "x", "y")], "z", "NETWORK-OUTPUT"),
        ([("a", "x", "y")], "y y", "NETWORK-OUTPUT"),
    ],
)
def test_graphs_that_make_no_sense_are_refused(nodes: list[tuple[str, str, str]], outputs: str, code: str) -> None:
    built = tuple(Node(name, linear(4, 4), (i,), (o,)) for name, i, o in nodes)
    with pytest.raises(InputError) as error:
        Network("n", (NetworkInput("x", (1, 1, 4), BIPOLAR),), built, tuple(outputs.split()))
    assert error.value.code == code


def test_a_shape_error_names_the_layer() -> None:
    with pytest.raises(InputError, match=r"^fc1: 4 input channels, the weights want 5$"):
        Network("n", (NetworkInput("x", (1, 1, 4), BIPOLAR),), (Node("fc1", linear(3, 5), ("x",), ("y",)),), ("y",))


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (Upsample((20_000, 20_000)), "fc: its shape is (80000, 80000, 2), expected at most"),
        (Pad((10**9,) * 4), "fc: its shape is (2000000004, 2000000004, 2), expected at most"),
        (Pool("sum", Window((2, 2), padding=(10**9,) * 4)), "makes an image of 2000000004x2000000004, expected at most"),
        (Pool("max", Window((10**5, 10**5), padding=(10**5,) * 4)), "makes an image of 200004x200004, expected at most"),
        (Pool("max", Window((10**9, 1))), "does not fit an image of 4x4"),
        (Pool("max", Window((0, 2))), "a kernel of (0, 2), expected 1 or more"),
        (Pool("sum", Window((2, 2), (0, 1))), "a stride of (0, 1), expected 1 or more"),
        (Pool("sum", Window((2, 2), padding=(0, -1, 0, 0))), "padding of (0, -1, 0, 0), expected 0 or more"),
        (Conv(np.ones((1, 2, 2, 2), np.int64), BIPOLAR, (1, -1)), "a stride of (1, -1), expected 1 or more"),
        (Conv(np.ones((1, 2, 2, 2), np.int64), BIPOLAR, dilation=(0, 0)), "a dilation of (0, 0), expected 1 or more"),
    ],
)
def test_a_layer_out_of_all_bounds_is_refused_before_anything_of_its_size_is_made(op: Op, message: str) -> None:
    tracemalloc.start()
    with pytest.raises(InputError) as error:
        Network("n", (NetworkInput("x", (4, 4, 2), BIPOLAR),), (Node("fc", op, ("x",), ("y",)),), ("y",))
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    assert error.value.where == "fc"
    assert message in str(error.value)


@pytest.mark.parametrize("shape", [(1 << 14, 1 << 14, 2), (1, 1, 1 << 25), (0, 4, 2)])
def test_an_input_out_of_all_bounds_is_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(InputError, match=r"^x: its shape is"):
        Network("n", (NetworkInput("x", shape, BIPOLAR),), (Node("flat", Flatten(), ("x",), ("y",)),), ("y",))


def test_two_inputs_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="two inputs have this name"):
        Network("n", (NetworkInput("x", (1, 1, 4), BIPOLAR),) * 2, (Node("fc", linear(4, 4), ("x",), ("y",)),), ("y",))


@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 4), st.integers(0, 5), st.integers(0, 5), st.integers(1, 3))
def test_valid_taps_are_those_inside_the_image(n: int, k: int, stride: int, before: int, after: int, dilation: int) -> None:
    assume(n + before + after >= dilation * (k - 1) + 1)
    window = Window((k, 1), (stride, 1), (before, 0, after, 0), (dilation, 1))
    image = np.ones((1, n, 1, 1), np.int64)
    np.testing.assert_array_equal(window.valid_rows(n), sum(window.taps(image)).ravel())

"""Padding that a sliding window cannot hold becomes a layer of its own, and changes no integer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.ops import Conv, Pool, Window
from hwq.numerics.encoding import Bipolar, Encoding, Integer
from hwq.plan.geometry import Geometry
from hwq.transform.padding import split_padding


def network(op: Conv | Pool, shape: tuple[int, int, int], encoding: Encoding) -> Network:
    return Network("n", (NetworkInput("x", shape, encoding),), (Node("layer", op, ("x",), ("y",)),), ("y",))


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_every_window_moves_forward_and_no_integer_changes(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    kernel = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    window = Window(kernel, data.draw(st.tuples(*[st.integers(1, 3)] * 2)), data.draw(st.tuples(*[st.integers(0, 4)] * 4)))
    h, w = data.draw(st.tuples(st.integers(4, 6), st.integers(4, 6)))
    if data.draw(st.booleans()):
        op: Conv | Pool = Conv(rng.integers(-2, 2, (3, *kernel, 2)), Integer(2, True), window.stride, window.padding)
    else:
        op = Pool("sum", window)
    before = network(op, (h, w, 2), Integer(3, True))
    after = split_padding(before)
    x = rng.integers(-4, 4, (3, h, w, 2))
    np.testing.assert_array_equal(after.run({"x": x})["y"], before.run({"x": x})["y"])
    last = after.nodes[-1]
    assert isinstance(last.op, Conv | Pool)
    height, width, _ = after.tensors[last.inputs[0]].shape
    assert Geometry(height, width, 1, last.op.window).moves_forward


def test_padding_that_a_window_holds_stays() -> None:
    usual = network(Pool("max", Window((3, 3), (2, 2), (1, 1, 1, 1))), (8, 8, 4), Integer(4, True))
    assert split_padding(usual) is usual


@pytest.mark.parametrize("encoding", [Bipolar(), Integer(3, True), Integer(2, False)])
@pytest.mark.parametrize(
    "op",
    [
        Pool("max", Window((2, 2), padding=(1, 1, 1, 1))),
        Pool("min", Window((2, 2), padding=(1, 1, 1, 1))),
        Pool("sum", Window((2, 2), padding=(1, 1, 1, 1))),
        Conv(np.array([1, -1]).reshape(1, 1, 1, 2), Bipolar(), padding=(1, 1, 1, 1)),
        Conv(np.ones((1, 3, 3, 2), np.int64), Bipolar(), stride=(2, 2), padding=(2, 2, 2, 2)),
        Conv(np.ones((1, 1, 1, 2), np.int64), Bipolar(), stride=(2, 2), padding=(1, 1, 0, 0)),
    ],
)
def test_padding_means_the_same_in_every_encoding(op: Conv | Pool, encoding: Encoding) -> None:
    before = network(op, (5, 5, 2), encoding)
    after = split_padding(before)
    assert len(after.nodes) == 2
    x = encoding.lo + encoding.step * np.random.default_rng(0).integers(0, (encoding.hi - encoding.lo) // encoding.step + 1, (4, 5, 5, 2))
    np.testing.assert_array_equal(after.run({"x": x})["y"], before.run({"x": x})["y"])

"""The Network as a graph: what is known without running it, and the golden run."""

from __future__ import annotations

import numpy as np
import pytest

from hwq.errors import InputError
from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.ops import Conv
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
    ],
)
def test_graphs_that_make_no_sense_are_refused(nodes: list[tuple[str, str, str]], outputs: str, code: str) -> None:
    built = tuple(Node(name, linear(4, 4), (i,), (o,)) for name, i, o in nodes)
    with pytest.raises(InputError) as error:
        Network("n", (NetworkInput("x", (1, 1, 4), BIPOLAR),), built, (outputs,))
    assert error.value.code == code


def test_a_shape_error_names_the_layer() -> None:
    with pytest.raises(InputError, match=r"^fc1: 4 input channels, the weights want 5$"):
        Network("n", (NetworkInput("x", (1, 1, 4), BIPOLAR),), (Node("fc1", linear(3, 5), ("x",), ("y",)),), ("y",))

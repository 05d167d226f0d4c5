"""Orientation changes no output bit and leaves no falling channel where it may turn one."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.ops import Conv, Requantize, Saturating, Threshold
from hwq.numerics.encoding import Bipolar, Integer
from hwq.numerics.rounding import Rounding
from hwq.transform.orient import orient


def network(seed: int, bipolar: bool, accumulation: object = None, staircase: str = "threshold") -> Network:
    random = np.random.default_rng(seed)
    encoding = Bipolar() if bipolar else Integer(3, True, narrow=True)
    weights = random.choice([-1, 1], (5, 1, 1, 7)) if bipolar else random.integers(-3, 4, (5, 1, 1, 7))
    conv = Conv(weights, encoding, **({} if accumulation is None else {"accumulation": accumulation}))
    if staircase == "threshold":
        thresholds = np.sort(random.integers(-20, 20, (5, 3)), axis=1)
        steps = np.where(random.random((5, 1)) < 0.5, 1, -1) * np.ones((1, 3), np.int64)
        op: object = Threshold(thresholds, steps, np.where(steps[:, 0] > 0, 0, 3), Integer(2, False))
    else:
        op = Requantize(random.integers(-9, 10, 5), random.integers(-99, 99, 1), 4, Rounding.HALF_EVEN, -20, 20, Integer(6, True))
    nodes = (Node("fc", conv, ("x",), ("a",)), Node("act", op, ("a",), ("y",)))
    return Network("n", (NetworkInput("x", (1, 1, 7), encoding),), nodes, ("y",))


def inputs(n: Network, seed: int) -> dict[str, np.ndarray]:
    encoding = n.inputs[0].encoding
    index = np.random.default_rng(seed).integers(0, (encoding.hi - encoding.lo) // encoding.step + 1, (50, 1, 1, 7))
    return {"x": encoding.lo + encoding.step * index}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.sampled_from(["threshold", "requantize"]))
def test_orientation_changes_no_output(seed: int, bipolar: bool, staircase: str) -> None:
    before = network(seed, bipolar, staircase=staircase)
    after = orient(before)
    x = inputs(before, seed)
    np.testing.assert_array_equal(before.run(x)["y"], after.run(x)["y"])
    op = after.nodes[1].op
    reach = after.tensors["a"].interval
    if isinstance(op, Threshold):
        inside = (op.thresholds <= reach.hi[:, None]) & (op.thresholds > reach.lo[:, None])
        assert not (inside & (op.steps < 0)).any()
    else:
        assert (op.multiplier >= 0).all()


def test_saturating_accumulators_are_left_alone() -> None:
    before = network(3, True, Saturating(4, 2))
    after = orient(before)
    np.testing.assert_array_equal(before.nodes[0].op.weights, after.nodes[0].op.weights)


def test_weights_whose_encoding_would_widen_are_left_alone() -> None:
    base = network(1, False)
    weights = np.full((1, 1, 1, 7), -4)
    conv = Conv(weights, Integer(3, True))
    op = Threshold(np.array([[0]]), np.array([[-1]]), np.array([1]), Integer(1, False))
    before = Network("n", base.inputs, (Node("fc", conv, ("x",), ("a",)), Node("act", op, ("a",), ("y",))), ("y",))
    np.testing.assert_array_equal(orient(before).nodes[0].op.weights, weights)


def test_accumulators_with_two_readers_are_left_alone() -> None:
    n = network(5, True)
    twice = Network("n", n.inputs, (*n.nodes, Node("other", n.nodes[1].op, ("a",), ("z",))), ("y", "z"))
    np.testing.assert_array_equal(orient(twice).nodes[0].op.weights, n.nodes[0].op.weights)

"""Which way a layer is unrolled, and that a binary one takes a few columns of other weights along."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.fabric.simulate import Simulator
from hwq.fabric.unroll import layer
from hwq.fabric.unroll.layer import unrolled_layer
from hwq.fabric.unroll.outputs import Comparison, Integers, RowOutput, Staircase
from hwq.numerics.encoding import Bipolar, Integer


def outputs(rng: np.random.Generator, rows: int) -> list[RowOutput]:
    """One of each kind in turn."""
    found: list[RowOutput] = []
    for k, t in enumerate(rng.integers(-8, 9, rows)):
        kinds = (Comparison(int(t), falling=bool(t & 1)), Integers(Integer(9, True), int(t)))
        found.append((*kinds, Staircase((-6, int(t), 7), (1, 1, 1), 0, Integer(2, False)))[k % 3])
    return found


@settings(max_examples=12)
@given(st.integers(0, 999), st.integers(1, 5), st.integers(9, 24), st.integers(1, 2), st.booleans())
def test_a_binary_layer_with_some_other_columns_is_the_matrix_product(seed, rows, columns, wide, registered):
    rng = np.random.default_rng(seed)
    weights = np.concatenate([rng.choice([-1, 1], (rows, columns)), rng.integers(-9, 10, (rows, wide))], axis=1)
    weights = weights[:, rng.permutation(columns + wide)]
    codes, rule = rng.integers(0, 2, (columns + wide, 64)), outputs(rng, rows)
    made = unrolled_layer(weights, Bipolar(), rule, registered=registered)
    words = np.array([sum(int(bit) << k for k, bit in enumerate(vector)) for vector in codes.T], object)
    simulator = Simulator(made.netlist, 64)
    for _ in range(made.latency + 1):
        y = simulator.cycle({"x": words})["y"]
    place = 0
    for output, sums in zip(rule, weights @ (2 * codes - 1), strict=True):
        got = [int(v) >> place & ((1 << output.bits) - 1) for v in y]
        if isinstance(output, Comparison):
            expected = [int((s >= output.threshold) != output.falling) for s in sums]
        elif isinstance(output, Integers):
            expected = [int(s + output.bias) & 511 for s in sums]
        else:
            expected = [sum(int(s >= p) for p in output.points) for s in sums]
        assert got == expected
        place += output.bits


@pytest.mark.parametrize(("wide", "way"), [(0, "binary_layer"), (2, "binary_layer"), (6, "general_layer")])
def test_few_other_columns_leave_a_layer_binary(monkeypatch, wide, way):
    asked: list[str] = []

    def watched(which: str):
        made = getattr(layer, which)
        return lambda *args, **options: (asked.append(which), made(*args, **options))[1]

    for which in ("binary_layer", "general_layer"):
        monkeypatch.setattr(layer, which, watched(which))
    weights = np.ones((2, 10), np.int64)
    weights[:, :wide] = 3
    unrolled_layer(weights, Bipolar(), [Comparison(0)] * 2)
    assert asked == [way]

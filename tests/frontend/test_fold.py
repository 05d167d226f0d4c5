"""Constants are folded with the quantization steps that the graph states for them."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from hwq.errors import InputError
from hwq.frontend.fold import fold
from hwq.frontend.source import SourceNode
from hwq.frontend.step import Step
from hwq.frontend.values import Constant

PER_ROW = np.array([[0.5], [0.25], [2.0]])
VALUES = np.arange(12, dtype=np.float64).reshape(3, 4) * PER_ROW


def folded(op: str, *inputs: Constant, outputs: int = 1, **attributes: Any) -> tuple[Constant, ...]:
    names = tuple(f"i{k}" for k in range(len(inputs)))
    node = SourceNode("layer", op, names, tuple(f"o{k}" for k in range(outputs)), attributes)
    return fold(Step(node, "layer", inputs, cast("Any", None), cast("Any", None)))


def whole(made: Constant) -> None:
    """Every element is an integer times the step stated for it."""
    (scale,) = made.scales
    assert np.array_equal(made.array / scale, np.rint(made.array / scale))
    np.testing.assert_array_equal(np.unique(np.broadcast_to(scale, made.array.shape)), np.unique(scale))


WEIGHTS = Constant(VALUES, (PER_ROW,))


def test_moving_the_elements_moves_their_steps() -> None:
    (turned,) = folded("Transpose", WEIGHTS, perm=[1, 0])
    whole(turned)
    np.testing.assert_array_equal(turned.scales[0][0], PER_ROW[:, 0])


def test_every_part_of_a_split_keeps_its_own_steps() -> None:
    parts = folded("Split", WEIGHTS, Constant(np.array([1, 2])), outputs=2, axis=0)
    for part in parts:
        whole(part)
    assert set(parts[1].scales[0].flat) == {0.25, 2.0}


def test_joined_weights_keep_the_steps_of_both() -> None:
    other = Constant(np.array([[3.0, 6.0, 0.0, 9.0]]), (np.asarray(3.0),))
    (joined,) = folded("Concat", WEIGHTS, other, axis=0)
    whole(joined)
    assert joined.array.shape == (4, 4)
    (plain,) = folded("Concat", WEIGHTS, Constant(np.ones((1, 4))), axis=0)
    assert plain.scales == ()


def test_a_scale_that_spreads_over_a_tensor_is_its_step() -> None:
    (made,) = folded("Mul", Constant(np.arange(12.0).reshape(3, 4)), Constant(PER_ROW))
    np.testing.assert_array_equal(made.scales[0], PER_ROW)


def test_what_cannot_be_computed_names_the_layer() -> None:
    with pytest.raises(InputError, match="layer: the operator Frob"):
        folded("Frob", WEIGHTS)

"""The Model speaks the user's language at its edges and refuses what it cannot mean."""

from __future__ import annotations

import numpy as np
import pytest

from hwq.errors import InputError
from hwq.network.host import HostStep, apply_step, run_steps
from tests.network.networks import dense_network
from tests.network.test_file import model_of

MODEL = model_of(dense_network((12, 7, 5)))


def test_encode_gives_the_integers_of_the_head() -> None:
    x = np.array([[0.0, 0.5, 1.0] * 4], np.float32)
    np.testing.assert_array_equal(MODEL.encode({"x": x})["x"].ravel(), [-1, 1, 1] * 4)


@pytest.mark.parametrize(
    ("x", "code"),
    [
        (np.zeros((2, 11), np.float32), "INPUT-SHAPE"),
        (np.zeros(12, np.float32), "INPUT-SHAPE"),
        (np.float32(1), "INPUT-SHAPE"),
        (np.full((1, 12), np.nan, np.float32), "INPUT-NAN"),
        (np.full((1, 12), np.inf), "INPUT-NAN"),
        (np.array([["a"] * 12]), "INPUT-DTYPE"),
        (np.array([[None] * 12]), "INPUT-DTYPE"),
        (np.zeros((1, 12), np.complex64), "INPUT-DTYPE"),
    ],
)
def test_arrays_the_model_cannot_take_are_refused(x: np.ndarray, code: str) -> None:
    with pytest.raises(InputError) as error:
        MODEL.encode({"x": x})
    assert error.value.code == code


def test_a_missing_input_is_named() -> None:
    with pytest.raises(InputError, match=r"^the model wants an input 'x', given: 'image'$"):
        MODEL.encode({"image": np.zeros((1, 12))})


def test_outputs_are_cast_once_at_the_end() -> None:
    y = MODEL.run({"x": np.ones((3, 12), np.float32)})["y"]
    assert y.dtype == np.float32
    assert y.shape == (3, 5)
    integer = MODEL.network.run(MODEL.encode({"x": np.ones((3, 12))}))["acc1"].reshape(3, 5)
    np.testing.assert_array_equal(y, (integer * 0.1).astype(np.float32))


def test_topk_ties_take_the_lowest_index() -> None:
    x = np.array([[1.0, 3.0, 3.0, 2.0]])
    np.testing.assert_array_equal(apply_step(HostStep("topk", attributes={"axis": 1, "k": 3}), x), [[1, 2, 3]])


def test_a_step_outside_the_closed_set_is_refused() -> None:
    with pytest.raises(InputError, match="host programs have no op 'eval'"):
        run_steps((HostStep("eval"),), np.zeros((1, 2)))

"""The source executor against onnxruntime, op by op, and its independence of the batch."""

from __future__ import annotations

import numpy as np
import pytest

from hwq.errors import InputError
from hwq.frontend.execute import execute
from hwq.frontend.onnx_reader import read_onnx
from tests.frontend.onnx_models import Graph

EXACT = ["Abs", "Neg", "Relu", "Floor", "Ceil", "Round", "Sign", "LeakyRelu", "ThresholdedRelu", "Flatten", "Identity", "Reciprocal"]
ROUNDED = ["Exp", "Sigmoid", "Tanh", "Erf", "Softplus", "Softsign", "HardSigmoid", "HardSwish", "Elu", "Softmax", "LogSoftmax"]


def session(model: bytes, x: np.ndarray) -> np.ndarray:
    import onnxruntime

    made = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return np.concatenate([made.run(None, {"x": f[None]})[0] for f in x])


@pytest.mark.parametrize("op", EXACT + ROUNDED)
def test_an_op_equals_onnxruntime(op: str) -> None:
    graph = Graph(shape=(1, 12), opset=14)
    y = graph.add(op, "x")
    model = graph.model(y)
    x = (np.random.default_rng(0).integers(-9, 10, (7, 12)) / 2 + 0.25 * (op in ("Reciprocal",))).astype(np.float32)
    ours, theirs = execute(read_onnx(model), {"x": x})[y], session(model, x)
    if op in EXACT:
        np.testing.assert_array_equal(ours, theirs)
    else:  # library functions: a few units in the last place
        assert np.abs(ours - theirs).max() <= 8 * np.spacing(np.float32(max(1.0, np.abs(theirs).max())))


@pytest.mark.parametrize("target", [[1, -1], [1, 12], [-1, 12], [0, -1], [1, 3, 4]])
def test_a_batch_goes_through_reshapes_frame_by_frame(target: list[int]) -> None:
    graph = Graph(shape=(1, 2, 6))
    y = graph.add("Reshape", "x", graph.constant(target, np.int64))
    source = read_onnx(graph.model(y))
    x = np.random.default_rng(0).normal(size=(5, 2, 6)).astype(np.float32)
    np.testing.assert_array_equal(execute(source, {"x": x})[y], execute(source, {"x": x}, batch=1)[y])
    assert len(execute(source, {"x": x})[y]) == 5


def test_intermediate_tensors_are_kept_and_overridden() -> None:
    graph = Graph(shape=(1, 3))
    a = graph.add("Relu", "x")
    y = graph.add("Neg", a)
    source = read_onnx(graph.model(y))
    x = np.array([[-1, 2, 3]], np.float32)
    np.testing.assert_array_equal(execute(source, {"x": x}, keep=[a, "x"])[a], [[0, 2, 3]])
    np.testing.assert_array_equal(execute(source, {"x": x}, override={a: np.array([[5, 5, 5]])})[y], [[-5, -5, -5]])


def test_the_precision_is_the_models() -> None:
    from dataclasses import replace

    graph = Graph(shape=(1, 1))
    y = graph.add("Mul", "x", graph.constant(0.1))
    source = read_onnx(graph.model(y))
    x = np.array([[0.3]], np.float32)
    assert execute(source, {"x": x})[y].dtype == np.float32
    wide = execute(replace(source, precision="float64"), {"x": x})[y]
    assert wide[0, 0] == np.float64(np.float32(0.3)) * np.float64(np.float32(0.1))


def test_an_unknown_op_and_a_missing_input_are_named() -> None:
    graph = Graph(shape=(1, 1))
    y = graph.add("Mystery", "x", name="m")
    source = read_onnx(graph.model(y))
    with pytest.raises(InputError, match="m: the operator Mystery"):
        execute(source, {"x": np.zeros((1, 1))})
    with pytest.raises(InputError, match="wants the inputs x"):
        execute(source, {})

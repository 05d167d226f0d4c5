"""The source executor against onnxruntime, op by op, and its independence of the batch."""

from __future__ import annotations

import io
import tracemalloc
import warnings

import numpy as np
import pytest
import torch

from hwq.errors import InputError
from hwq.frontend.execute import execute
from hwq.frontend.live import live_graph
from hwq.frontend.onnx_reader import read_onnx
from tests.frontend.onnx_models import Graph
from tests.frontend.test_aten_windows import Forked

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


@pytest.mark.parametrize("free", [True, False])
def test_a_network_exported_by_torch_equals_onnxruntime(free: bool) -> None:
    """Residual, concat of an upsampled branch, two inputs, three outputs; sizes computed in the graph where the batch is free."""
    import onnxruntime

    torch.manual_seed(4)
    module = Forked().eval()
    x, bias = torch.randn(3, 3, 8, 8), torch.randn(3, 4)
    file = io.BytesIO()
    names = ["pixels", "scores", "again"]
    axes = {name: {0: "N"} for name in ["image", "bias", *names]} if free else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (x, bias), file, dynamo=False, input_names=["image", "bias"], output_names=names, dynamic_axes=axes)
    model = file.getvalue()
    feed = {"image": x.numpy(), "bias": bias.numpy()}
    theirs = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(names, feed)
    ours = execute(read_onnx(model), feed)
    for name, other in zip(names, theirs, strict=True):
        assert ours[name].shape == other.shape
        assert np.abs(ours[name] - other).max() <= 1e-5 * max(1.0, np.abs(other).max())


def test_a_constant_joins_every_frame() -> None:
    graph = Graph(shape=(1, 2))
    y = graph.add("Concat", "x", graph.constant([[7]]), axis=1)
    x = np.array([[1, 2], [3, 4]], np.float32)
    np.testing.assert_array_equal(execute(read_onnx(graph.model(y)), {"x": x})[y], [[1, 2, 7], [3, 4, 7]])


@pytest.mark.parametrize(("largest", "axis"), [(1, -1), (0, 1)])
def test_topk_equals_onnxruntime(largest: int, axis: int) -> None:
    graph = Graph(shape=(1, 9, 5), opset=14)
    y = graph.add("TopK", "x", graph.constant([3], np.int64), outputs=2, largest=largest, axis=axis)
    model = graph.model(y, f"{y}_1", types={f"{y}_1": 7})
    x = np.random.default_rng(2).integers(-4, 5, (6, 9, 5)).astype(np.float32)  # many ties: the lower index comes first
    made = execute(read_onnx(model), {"x": x})
    np.testing.assert_array_equal(made[y], session(model, x))
    import onnxruntime

    places = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(made[f"{y}_1"], np.concatenate([places.run([f"{y}_1"], {"x": f[None]})[0] for f in x]))


def test_tensors_that_nobody_reads_any_more_are_let_go() -> None:
    graph = Graph(shape=(1, 1 << 20))
    y = "x"
    for _ in range(40):
        y = graph.add("Neg", y)
    source = read_onnx(graph.model(y))
    tracemalloc.start()
    execute(source, {"x": np.zeros((1, 1 << 20), np.float32)})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * (4 << 20)


def test_all_inputs_that_an_output_needs_are_asked_for() -> None:
    graph = live_graph(Forked().eval(), (torch.zeros(2, 3, 8, 8), torch.zeros(2, 4)))
    image = np.zeros((1, 3, 8, 8), np.float32)
    assert execute(graph, {"image": image}, keep=["pixels"])["pixels"].shape == (1, 2, 8, 8)
    with pytest.raises(InputError, match="image, bias"):
        execute(graph, {"image": image})


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

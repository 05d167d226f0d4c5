"""Nodes of old opsets mean today what they meant then: against onnxruntime, which still runs them."""

from __future__ import annotations

import numpy as np
import pytest

from hwq.frontend.execute import execute
from hwq.frontend.onnx_reader import read_onnx
from tests.frontend.onnx_models import Graph

X = np.arange(2 * 6 * 4 * 4, dtype=np.float32).reshape(2, 6, 4, 4)


def upsample(graph: Graph) -> list[str]:
    return [graph.add("Upsample", "x", graph.constant([1, 1, 2, 3]), mode="nearest")]


def old_resize(graph: Graph) -> list[str]:
    return [graph.add("Resize", "x", graph.constant([1, 1, 2, 2]), mode="nearest")]


def new_resize(graph: Graph) -> list[str]:
    return [graph.add("Resize", "x", "", graph.constant([1, 1, 2, 2]), mode="nearest")]


def plain_split(graph: Graph) -> list[str]:
    first = graph.add("Split", "x", outputs=3, axis=1)
    return [first, f"{first}_1", f"{first}_2"]


def attribute_split(graph: Graph) -> list[str]:
    first = graph.add("Split", "x", outputs=2, axis=1, split=[2, 4])
    return [first, f"{first}_1"]


def old_slice(graph: Graph) -> list[str]:
    return [graph.add("Slice", "x", axes=[1, 3], starts=[1, -3], ends=[4, 1000])]


def old_pad(graph: Graph) -> list[str]:
    return [graph.add("Pad", "x", pads=[0, 0, 1, 0, 0, 0, 0, 2], value=-1.0)]


def old_squeeze(graph: Graph) -> list[str]:
    return [graph.add("Squeeze", graph.add("Unsqueeze", "x", axes=[2]), axes=[2])]


def old_reduce(graph: Graph) -> list[str]:
    return [graph.add("ReduceSum", "x", axes=[2, 3], keepdims=0)]


def old_clip(graph: Graph) -> list[str]:
    return [graph.add("Clip", "x", min=3.0, max=9.0)]


CASES = [
    (9, upsample), (10, old_resize), (18, new_resize), (11, plain_split), (13, plain_split), (11, attribute_split), (9, old_slice),
    (9, old_pad), (11, old_squeeze), (11, old_reduce), (9, old_clip),
]  # fmt: skip


@pytest.mark.parametrize(("opset", "build"), CASES)
def test_a_node_means_what_its_opset_says(opset: int, build: object) -> None:
    import onnxruntime

    graph = Graph(shape=(1, *X.shape[1:]), opset=opset)
    outputs = build(graph)  # type: ignore[operator]
    model = graph.model(*outputs)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    made = execute(read_onnx(model), {"x": X})
    theirs = [session.run(None, {"x": frame[None]}) for frame in X]
    for k, output in enumerate(outputs):
        np.testing.assert_array_equal(made[output], np.concatenate([t[k] for t in theirs]))


def test_a_split_into_a_number_of_parts_leaves_the_rest_to_the_last() -> None:
    graph = Graph(shape=(1, 7), opset=18)
    first = graph.add("Split", "x", outputs=3, axis=1, num_outputs=3)
    model = graph.model(first, f"{first}_2")
    made = execute(read_onnx(model), {"x": np.arange(7, dtype=np.float32)[None]})
    assert [v.shape for v in made.values()] == [(1, 3), (1, 1)]


def test_a_model_with_a_fixed_batch_takes_single_frames() -> None:
    graph = Graph(shape=(8, 6, 4, 4), opset=18)
    wide = graph.add("Resize", "x", "", "", graph.constant([8, 6, 8, 8], np.int64), coordinate_transformation_mode="asymmetric")
    y = graph.add("Reshape", wide, graph.constant([8, -1], np.int64))
    source = read_onnx(graph.model(y))
    assert source.inputs[0].shape == (1, 6, 4, 4)
    np.testing.assert_array_equal(execute(source, {"x": X})[y], X.repeat(2, 2).repeat(2, 3).reshape(2, -1))


@pytest.mark.parametrize("batch", [1, 4])
def test_shapes_computed_in_the_graph_follow_the_batch(batch: int) -> None:
    graph = Graph(shape=("N", 6, 4, 4), opset=13)
    size = graph.add("Gather", graph.add("Shape", "x"), graph.constant(0, np.int64), axis=0)
    target = graph.add("Concat", graph.add("Unsqueeze", size, graph.constant([0], np.int64)), graph.constant([-1], np.int64), axis=0)
    y = graph.add("Reshape", "x", target)
    np.testing.assert_array_equal(execute(read_onnx(graph.model(y)), {"x": X}, batch=batch)[y], X.reshape(2, -1))

"""Convolutional and branching networks: outputs against onnxruntime, every discrete tensor against the source executor."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, load_from_string

from hwq.errors import InputError, Problems
from hwq.frontend.lower import lower
from hwq.frontend.onnx_reader import read_onnx
from hwq.frontend.options import ReadOptions
from hwq.frontend.rung1 import compare_with_source
from hwq.network.model import Model
from tests.frontend.onnx_images import IMAGES, SAME, Images, rgb


def by_onnxruntime(model: bytes, x: np.ndarray, **more: np.ndarray) -> list[np.ndarray]:
    """Outputs frame by frame, without the rewrites that move roundings."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feeds = [{"x": f[None], **{k: v[n : n + 1] for k, v in more.items()}} for n, f in enumerate(x)]
    return [np.concatenate(v) for v in zip(*(session.run(None, feed) for feed in feeds), strict=True)]


def frames(shape: tuple[int, ...], count: int = 6) -> np.ndarray:
    return (np.random.default_rng(5).integers(-64, 64, (count, *shape)) / 16).astype(np.float32)


def kinds(model: Model) -> list[str]:
    return [n.op.kind for n in model.network.nodes]


@pytest.mark.parametrize("name", sorted(IMAGES))
def test_golden_equals_onnxruntime_and_every_code_the_source(name: str) -> None:
    graph, outputs, expected = IMAGES[name]()
    indices = {n.output[-1]: TensorProto.INT64 for n in graph.nodes if n.op_type in ("ArgMax", "TopK")}
    binary = graph.model(*outputs, types=indices)
    source = read_onnx(binary)
    model = lower(source)
    assert kinds(model) == expected
    x = frames(tuple(graph.shape[1:]))
    got = model.run({"x": x})
    for output, reference in zip(outputs, by_onnxruntime(binary, x), strict=True):
        np.testing.assert_array_equal(got[output], reference)
        assert len(np.unique(reference)) > 5
    comparison = compare_with_source(model, {"x": x}, source)
    assert comparison.exact
    assert comparison.outputs_different == 0
    assert len(comparison.layers) >= sum(kind == "conv" for kind in expected[1:])


def test_raw_pixels_with_an_offset_keep_real_zero_at_the_border() -> None:
    """``--input-offset``: integer 0 is no longer the real 0, which zero padding still is."""
    g = Images(2, 5, 5)
    y = g.conv("x", 3, 2, **SAME)
    binary = g.model(y)
    x = (np.random.default_rng(0).integers(0, 16, (4, 2, 5, 5)) / 8 - 0.75).astype(np.float32)
    for offset, border in (("-3/4", True), ("0", False)):
        model = lower(read_onnx(binary), ReadOptions(input_encoding="UINT4", input_scale="1/8", input_offset=offset))
        assert ("border_affine" in kinds(model)) == border
        inputs = x if border else x + np.float32(0.75)
        np.testing.assert_array_equal(model.run({"x": inputs})[y], by_onnxruntime(binary, inputs)[0])


def test_an_image_input_is_an_image_and_a_flattened_one_a_vector() -> None:
    g, x = rgb()
    image = lower(read_onnx(g.model(g.conv(x, 2, 3))))
    assert image.network.inputs[0].shape == (8, 8, 3)
    g, x = rgb()
    vector = lower(read_onnx(g.model(g.dense(g.add("Flatten", x), 192, 2))))
    assert vector.network.inputs[0].shape == (1, 1, 192)


def test_several_inputs_meet() -> None:
    """Two inputs of which one has a layer in front of the sum."""
    g, x = rgb()
    y = g.conv(g.q(g.add("Add", g.q(g.conv(x, 3, 3, **SAME), signed=True), g.q("z", signed=True))), 2, 3)
    model = load_from_string(g.model(y))
    model.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, (1, 3, 8, 8)))
    read = lower(read_onnx(model.SerializeToString()))
    a, b = frames((3, 8, 8)), frames((3, 8, 8))[::-1].copy()
    np.testing.assert_array_equal(read.run({"x": a, "z": b})[y], by_onnxruntime(model.SerializeToString(), a, z=b)[0])


def refused(graph: Images, *outputs: str, options: ReadOptions | None = None) -> list[InputError]:
    with pytest.raises(Problems) as caught:
        lower(read_onnx(graph.model(*outputs)), options)
    return list(caught.value.entries())  # type: ignore[arg-type]


def transposed(g: Images, x: str) -> str:
    return g.add("ConvTranspose", x, g.weights(3, 4, 2, 2), name="up")


def bilinear(g: Images, x: str) -> str:
    return g.add("Resize", x, "", g.constant([1, 1, 2, 2]), mode="linear", name="up")


def uneven(g: Images, x: str) -> str:
    scales = g.constant([1, 1, 1.5, 1.5])
    return g.add("Resize", x, "", scales, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor", name="up")


def reflected(g: Images, x: str) -> str:
    return g.conv(g.add("Pad", x, g.ints(0, 0, 1, 1, 0, 0, 1, 1), mode="reflect", name="pad"), 4, 3)


def unquantized_relu(g: Images, x: str) -> str:
    return g.conv(g.add("Relu", g.add("Add", g.conv(x, 4, 3), g.constant(0.3))), 4, 4, name="second")


def unquantized_branch(g: Images, x: str) -> str:
    y = g.add("Relu", g.norm(g.conv(x, 3, 3, **SAME), 3), name="act")
    return g.add("Add", x, y, name="skip")


def no_grid(g: Images, x: str) -> str:
    a, b = g.q(g.conv(x, 4, 3), 0.1), g.q(g.conv(x, 4, 3), 0.23)
    return g.conv(g.add("Add", a, b, name="skip"), 2, 4)


def padded_off_grid(g: Images, x: str) -> str:
    codes = g.add("Round", g.add("Clip", g.conv(x, 3, 3), g.constant(-2.0), g.constant(2.0)))
    x = g.add("Add", g.add("Mul", codes, g.constant(0.1)), g.constant(0.0377))
    x = g.add("Add", g.add("Mul", x, g.constant(0.31)), g.constant(0.0171))
    return g.conv(x, 2, 3, name="edge", **SAME)


def three_axes(g: Images, x: str) -> str:
    x = g.add("Reshape", x, g.ints(1, 3, 2, 4, 8))
    return g.add("Conv", x, g.weights(2, 3, 1, 1, 1), name="volume")


def vector_as_image(g: Images, x: str) -> str:
    x = g.q(g.dense(g.add("Flatten", x), 192, 32))
    return g.conv(g.add("Reshape", x, g.ints(1, 2, 4, 4)), 2, 2, name="decoder")


def recurrent(g: Images, x: str) -> str:
    return g.add("GRU", x, g.weights(3, 4), g.weights(3, 4), name="memory")


REFUSALS = [
    (transposed, "up", "transposed convolution", "upsampling"),
    (bilinear, "up", "linear", "nearest"),
    (uneven, "up", "no whole factor", "whole factor"),
    (reflected, "pad", "reflect", "zeros"),
    (unquantized_relu, "second", "not quantized", "quantizer"),
    (unquantized_branch, "skip", "'act'", "shared quantizer"),
    (no_grid, "skip", "no common grid (scales 0.1, 0.23)", "--residual-encoding"),
    (padded_off_grid, "edge", "padding cannot be exact", "zero point"),
    (three_axes, "volume", "(2, 3, 1, 1, 1)", "one or two axes"),
    (vector_as_image, "decoder", "made of a vector", "layout"),
    (recurrent, "memory", "recurrent", "one-dimensional"),
]


@pytest.mark.parametrize(("make", "where", "words", "hint"), REFUSALS)
def test_what_has_no_exact_form_is_refused_by_the_layers_name(make: object, where: str, words: str, hint: str) -> None:
    g, x = rgb()
    (problem,) = refused(g, make(g, x))  # type: ignore[operator]
    assert problem.where == where
    assert words in problem.message
    assert hint in (problem.hint or "")


def test_all_problems_of_a_network_are_told_at_once() -> None:
    g, x = rgb()
    x = g.q(g.add("Conv", x, g.constant(g.random.normal(size=(4, 3, 3, 3))), name="first"), 0.5)
    x = g.add("Conv", x, g.constant(g.random.normal(size=(4, 4, 3, 3))), name="second")
    y = g.add("Conv", g.add("Relu", g.add("Add", x, g.constant(0.3)), name="act"), g.weights(2, 4, 3, 3), name="third")
    assert [p.where for p in refused(g, y)] == ["first", "second", "third"]


def test_sizes_are_checked_before_memory_is_taken() -> None:
    g, x = rgb()
    y = g.add("Pad", x, g.ints(0, 0, 1 << 20, 1 << 20, 0, 0, 1, 1), name="pad")
    (problem,) = refused(g, y)
    assert (problem.where, problem.code) == ("pad", "TENSOR-SIZE")

"""Convolutions and pools in numpy against onnxruntime and torch: integers exactly, floats up to the order of sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional as f

from hwq.errors import InputError
from hwq.frontend.execute import execute
from hwq.frontend.numpy_ops import compute
from hwq.frontend.numpy_windows import window_count
from hwq.frontend.onnx_reader import read_onnx
from hwq.frontend.window_shape import WindowShape
from tests.frontend.onnx_models import Graph

RNG = np.random.default_rng(5)


def integers(*shape: int) -> np.ndarray:
    return RNG.integers(-9, 10, shape).astype(np.float32)


def close(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Equal but for the order in which float32 numbers were added."""
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    assert np.abs(ours - theirs).max(initial=0) <= 1e-5 * max(1.0, np.abs(theirs).max(initial=0))


def by_onnxruntime(op: str, x: np.ndarray, *constants: np.ndarray, opset: int = 22, **attributes: Any) -> tuple[np.ndarray, np.ndarray]:
    """The op's result for a batch: ours, and onnxruntime's frame by frame."""
    import onnxruntime

    graph = Graph(shape=(1, *x.shape[1:]), opset=opset)
    y = graph.add(op, "x", *(graph.constant(c, c.dtype) for c in constants), **attributes)
    model = graph.model(y)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return execute(read_onnx(model), {"x": x})[y], np.concatenate([session.run(None, {"x": frame[None]})[0] for frame in x])


CONVOLUTIONS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "1x1": ((2, 6, 5, 7), (4, 6, 1, 1), {}),
    "1x1 strided": ((2, 6, 5, 7), (4, 6, 1, 1), {"strides": [2, 3]}),
    "3x3": ((2, 3, 8, 9), (5, 3, 3, 3), {"pads": [1, 1, 1, 1]}),
    "asymmetric": ((2, 3, 8, 9), (5, 3, 3, 2), {"pads": [2, 0, 1, 1], "strides": [2, 1]}),
    "dilated": ((2, 3, 12, 9), (5, 3, 3, 3), {"dilations": [2, 3], "pads": [0, 3, 0, 3]}),
    "grouped": ((2, 6, 7, 7), (4, 3, 3, 3), {"group": 2, "pads": [1, 1, 1, 1]}),
    "depthwise": ((2, 6, 7, 7), (6, 1, 3, 3), {"group": 6, "strides": [2, 2], "pads": [0, 0, 1, 1]}),
    "depthwise, two outputs a channel": ((2, 3, 7, 7), (6, 1, 3, 3), {"group": 3}),
    "one dimension": ((2, 4, 20), (6, 4, 5), {"strides": [3], "pads": [2, 1]}),
    "one dimension, depthwise": ((2, 4, 20), (4, 1, 5), {"group": 4, "dilations": [2]}),
    "same upper": ((2, 3, 8, 9), (5, 3, 3, 4), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    "same lower": ((2, 3, 8, 9), (5, 3, 3, 4), {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    "valid": ((2, 3, 8, 9), (5, 3, 3, 4), {"auto_pad": "VALID"}),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_convolution_equals_onnxruntime(name: str) -> None:
    x_shape, w_shape, attributes = CONVOLUTIONS[name]
    x, w, b = integers(*x_shape), integers(*w_shape), integers(w_shape[0])
    np.testing.assert_array_equal(*by_onnxruntime("Conv", x, w, b, **attributes))
    real = [RNG.normal(size=v.shape).astype(np.float32) for v in (x, w)]
    close(*by_onnxruntime("Conv", *real, **attributes))


@pytest.mark.parametrize("strip", [1, 200, 1 << 22])
def test_strips_of_rows_change_nothing(strip: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwq.frontend.numpy_windows.STRIP", strip)
    x, w = integers(2, 4, 11, 6), integers(6, 2, 3, 2)
    attributes = {"group": 2, "strides": [2, 1], "dilations": [1, 2], "pads": [2, 0, 1, 1]}
    theirs = f.conv2d(f.pad(torch.from_numpy(x), (0, 1, 2, 1)), torch.from_numpy(w), stride=(2, 1), dilation=(1, 2), groups=2)
    np.testing.assert_array_equal(compute("Conv", [x, w], attributes)[0], theirs.numpy())


POOLS: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "2x2": ((2, 3, 8, 9), {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "overlapping": ((2, 3, 9, 9), {"kernel_shape": [3, 3], "strides": [2, 2]}),
    "padded": ((2, 3, 9, 9), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "asymmetric": ((2, 3, 9, 8), {"kernel_shape": [3, 3], "strides": [2, 1], "pads": [1, 0, 0, 2]}),
    "ceil": ((2, 3, 8, 9), {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
    "ceil padded": ((2, 3, 8, 7), {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1}),
    "one dimension": ((2, 3, 17), {"kernel_shape": [4], "strides": [4]}),
    "dilated": ((2, 3, 12, 12), {"kernel_shape": [3, 3], "dilations": [2, 1], "pads": [1, 0, 1, 0]}),
    "same upper": ((2, 3, 8, 9), {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
}


@pytest.mark.parametrize("name", POOLS)
def test_a_max_pool_equals_onnxruntime(name: str) -> None:
    shape, attributes = POOLS[name]
    np.testing.assert_array_equal(*by_onnxruntime("MaxPool", -np.abs(integers(*shape)), **attributes))


@pytest.mark.parametrize("include", [0, 1])
@pytest.mark.parametrize("name", POOLS)
def test_an_average_pool_equals_onnxruntime(name: str, include: int) -> None:
    shape, attributes = POOLS[name]
    close(*by_onnxruntime("AveragePool", integers(*shape), count_include_pad=include, **attributes))


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool"])
@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (2, 3, 9)])
def test_a_global_pool_equals_onnxruntime(op: str, shape: tuple[int, ...]) -> None:
    close(*by_onnxruntime(op, integers(*shape)))


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    ceil=st.booleans(),
    include=st.booleans(),
)
def test_pools_equal_torch(
    size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int], ceil: bool, include: bool
) -> None:
    assume(all(2 * p <= k and z + 2 * p >= k for p, k, z in zip(padding, kernel, size, strict=True)))
    x = np.arange(2 * size[0] * size[1], dtype=np.float32).reshape(1, 2, *size) % 7 - 3
    attributes = {"kernel_shape": kernel, "strides": stride, "pads": padding * 2, "ceil_mode": int(ceil)}
    largest = f.max_pool2d(torch.from_numpy(x), kernel, stride, padding, ceil_mode=ceil)
    np.testing.assert_array_equal(compute("MaxPool", [x], attributes)[0], largest.numpy())
    mean = f.avg_pool2d(torch.from_numpy(x), kernel, stride, padding, ceil, include)
    np.testing.assert_array_equal(compute("AveragePool", [x], attributes | {"count_include_pad": int(include)})[0], mean.numpy())


def test_the_divisor_of_an_average_counts_what_the_model_says() -> None:
    shape = WindowShape.of({"strides": [2], "pads": [1, 0], "ceil_mode": 1}, (4,), (3,))
    assert shape.out == (2,)
    np.testing.assert_array_equal(window_count(shape, include_pad=False), [2, 3])
    np.testing.assert_array_equal(window_count(shape, include_pad=True), [3, 3])


@pytest.mark.parametrize(
    ("op", "shapes", "attributes"),
    [
        ("Conv", [(1, 3, 8, 8), (4, 2, 3, 3)], {}),
        ("Conv", [(1, 4, 8, 8), (3, 2, 3, 3)], {"group": 2}),
        ("Conv", [(1, 3, 2, 2), (4, 3, 3, 3)], {}),
        ("Conv", [(1, 3, 8), (4, 3, 3, 3)], {}),
        ("Conv", [(1, 3, 8, 8), (4, 3, 3, 3)], {"strides": [0, 1]}),
        ("Conv", [(1, 3, 8, 8), (4, 3, 3, 3)], {"pads": [1, 1]}),
        ("Conv", [(1, 3, 8, 8), (4, 3, 3, 3)], {"auto_pad": "SOMEHOW"}),
        ("MaxPool", [(1, 3, 8, 8)], {}),
        ("MaxPool", [(1, 3, 8, 8)], {"kernel_shape": [2, 2], "pads": [2, 2, 2, 2]}),
        ("AveragePool", [(1, 3)], {"kernel_shape": [2]}),
        ("GlobalAveragePool", [(1, 3)], {}),
    ],
)
def test_operands_that_do_not_fit_are_refused(op: str, shapes: list[tuple[int, ...]], attributes: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        compute(op, [np.zeros(s, np.float32) for s in shapes], attributes)
    assert caught.value.code == "OP-OPERANDS"


def test_memory_is_checked_before_it_is_taken() -> None:
    x = np.zeros((1, 1, 8, 8), np.float32)
    for op, inputs, attributes in (
        ("Conv", [x, np.zeros((1, 1, 1, 1), np.float32)], {"pads": [1 << 20] * 4}),
        ("AveragePool", [x], {"kernel_shape": [1 << 20] * 2, "pads": [1 << 19] * 4}),
    ):
        with pytest.raises(InputError) as caught:
            compute(op, inputs, attributes)
        assert caught.value.code == "TENSOR-SIZE"

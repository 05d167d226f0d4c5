"""Resize, Upsample and Pad in numpy against onnxruntime and torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as f

from hwq.errors import InputError
from hwq.frontend.numpy_ops import compute
from tests.frontend.test_numpy_windows import by_onnxruntime

X = np.arange(2 * 3 * 5 * 4, dtype=np.float32).reshape(2, 3, 5, 4)
NOTHING = np.zeros(0, np.float32)


@pytest.mark.parametrize("coordinates", ["asymmetric", "half_pixel", "pytorch_half_pixel", "align_corners"])
@pytest.mark.parametrize("rounding", ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
@pytest.mark.parametrize("scales", [(1, 1, 2, 3), (1, 1, 0.5, 1.5), (1, 1, 1, 4)])
def test_resize_by_scales_equals_onnxruntime(coordinates: str, rounding: str, scales: tuple[float, ...]) -> None:
    factors = np.asarray(scales, np.float32)
    ours, theirs = by_onnxruntime(
        "Resize", X, NOTHING, factors, opset=18, coordinate_transformation_mode=coordinates, nearest_mode=rounding
    )
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("sizes", [(1, 3, 10, 8), (1, 3, 7, 3), (1, 3, 5, 4)])
def test_resize_to_sizes_equals_onnxruntime(sizes: tuple[int, ...]) -> None:
    rule = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    np.testing.assert_array_equal(*by_onnxruntime("Resize", X, NOTHING, NOTHING, np.asarray(sizes, np.int64), opset=18, **rule))


@pytest.mark.parametrize("size", [(10, 12), (7, 9), (3, 2)])
def test_nearest_interpolation_is_torch_s(size: tuple[int, int]) -> None:
    rule = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    (ours,) = compute("Resize", [X, None, None, np.asarray([1, 3, *size])], rule)
    np.testing.assert_array_equal(ours, f.interpolate(torch.from_numpy(X), size).numpy())


def test_the_upsample_of_old_opsets_repeats_pixels() -> None:
    (ours,) = compute("Upsample", [X, np.asarray([1, 1, 2, 2], np.float32)], {"mode": "nearest"})
    np.testing.assert_array_equal(ours, X.repeat(2, 2).repeat(2, 3))


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
def test_padding_equals_onnxruntime(mode: str) -> None:
    pads = np.asarray([0, 0, 1, 2, 0, 0, 3, 0], np.int64)
    value = [np.asarray(-1.5, np.float32)] if mode == "constant" else []
    np.testing.assert_array_equal(*by_onnxruntime("Pad", X, pads, *value, opset=19, mode=mode))


def test_negative_padding_cuts_and_axes_choose() -> None:
    np.testing.assert_array_equal(*by_onnxruntime("Pad", X, np.asarray([0, 0, -1, 2, 0, 0, -2, -1], np.int64), opset=19))
    (ours,) = compute("Pad", [X, np.asarray([1, 2, 0, 3]), np.asarray(0, np.float32), np.asarray([-1, 2])], {})
    np.testing.assert_array_equal(ours, np.pad(X, [(0, 0), (0, 0), (2, 3), (1, 0)]))


@pytest.mark.parametrize(
    ("inputs", "attributes"),
    [
        ([X, None, None, np.asarray([1, 3, 6, 6])], {"mode": "linear"}),
        ([X, None, np.asarray([1, 1, 2, 2.0]), np.asarray([1, 3, 6, 6])], {}),
        ([X, None, None, None], {}),
        ([X, None, np.asarray([2.0])], {}),
        ([X, None, None, np.asarray([1, 3, 6, 6])], {"keep_aspect_ratio_policy": "not_larger"}),
    ],
)
def test_resizes_without_a_meaning_are_refused(inputs: list[np.ndarray | None], attributes: dict[str, str]) -> None:
    with pytest.raises(InputError) as caught:
        compute("Resize", inputs, attributes)
    assert caught.value.code == "OP-OPERANDS"


def test_memory_is_checked_before_it_is_taken() -> None:
    with pytest.raises(InputError) as caught:
        compute("Resize", [X, None, np.asarray([1, 1, 1e6, 1e6], np.float32)], {})
    assert caught.value.code == "TENSOR-SIZE"

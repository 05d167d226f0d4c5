"""The numpy meaning of ops that lay elements out anew without computing: nearest-neighbour Resize, Upsample and Pad."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["RESAMPLE_OPS", "RESAMPLE_SIZES", "nearest_index", "pads_of", "resize_targets"]

Array = NDArray[Any]
Attributes = Mapping[str, Any]

# Coordinate in the input of element k of the output: ONNX's coordinate_transformation_mode, (k, input size, output size, scale).
COORDINATES: dict[str, Callable[[NDArray[np.float64], int, int, float], NDArray[np.float64]]] = {
    "asymmetric": lambda k, size, out, s: k / s,
    "half_pixel": lambda k, size, out, s: (k + 0.5) / s - 0.5,
    "pytorch_half_pixel": lambda k, size, out, s: (k + 0.5) / s - 0.5 if out > 1 else 0 * k,
    "half_pixel_symmetric": lambda k, size, out, s: size / 2 * (1 - out / (size * s)) + (k + 0.5) / s - 0.5,
    "align_corners": lambda k, size, out, s: k * (size - 1) / (out - 1) if out > 1 else 0 * k,
}
# ONNX's nearest_mode.
ROUNDINGS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
}


def nearest_index(size: int, out: int, scale: float, attributes: Attributes) -> NDArray[np.int64]:
    """Which of ``size`` elements each of ``out`` elements repeats, by ONNX's rules for Resize in nearest mode.

    Raises ``ValueError`` for modes of other kinds.
    """
    mode, rounding = attributes.get("coordinate_transformation_mode", "half_pixel"), attributes.get("nearest_mode", "round_prefer_floor")
    if attributes.get("mode", "nearest") != "nearest" or mode not in COORDINATES or rounding not in ROUNDINGS:
        raise ValueError(f"interpolation {attributes.get('mode', 'nearest')!r}, {mode!r}, {rounding!r}")
    if scale == 1 and size == out:
        return np.arange(size)
    place = COORDINATES[mode](np.arange(out, dtype=np.float64), size, out, scale)
    return np.clip(ROUNDINGS[rounding](place), 0, size - 1).astype(np.int64)


def resize_targets(x: Array, scales: Any, sizes: Any, a: Attributes) -> list[tuple[int, int, float]]:
    """(axis, output size, scale) of the axes that change; the batch stays."""
    if (scales is None or not np.size(scales)) == (sizes is None or not np.size(sizes)):
        raise ValueError("either scales or sizes")
    if a.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise ValueError(f"the aspect ratio policy {a['keep_aspect_ratio_policy']!r}")
    given = sizes if scales is None or not np.size(scales) else scales
    values = np.asarray(given).reshape(-1).tolist()
    axes = [int(v) % x.ndim for v in a.get("axes") or range(x.ndim)]
    made = []
    for axis, value in zip(axes, values, strict=True):
        if axis == 0 and value == 1:
            continue
        out, scale = (int(np.floor(x.shape[axis] * value)), float(value)) if given is scales else (int(value), value / x.shape[axis])
        made.append((axis, out, scale))
    return made


def _resize(i: list[Any], a: Attributes) -> Array:
    x: Array = i[0]
    scales, sizes = (i[k] if len(i) > k else None for k in (2, 3))
    for axis, out, scale in resize_targets(x, scales, sizes, a):
        x = np.take(x, nearest_index(x.shape[axis], out, scale, a), axis=axis)
    return x


def _upsample(i: list[Any], a: Attributes) -> Array:
    """The op of opset 9: Resize with the oldest rule."""
    scales = i[1] if len(i) > 1 else a["scales"]
    rule = {"mode": a.get("mode", "nearest"), "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return _resize([i[0], None, scales], rule)


def _pads(x: Array, pads: Sequence[int], axes: Any) -> list[tuple[int, int]]:
    """(before, after) of every axis; negative numbers cut."""
    chosen = [int(v) % x.ndim for v in (range(x.ndim) if axes is None else np.asarray(axes).reshape(-1))]
    if len(pads) != 2 * len(chosen):
        raise ValueError(f"padding {list(pads)} for {len(chosen)} axes")
    made = [(0, 0)] * x.ndim
    for k, axis in enumerate(chosen):
        made[axis] = (int(pads[k]), int(pads[k + len(chosen)]))
    return made


def pads_of(i: list[Any], a: Attributes) -> list[tuple[int, int]]:
    """(before, after) of every axis of a Pad node with the operands ``i``; negative numbers cut."""
    pads = np.asarray(i[1]).reshape(-1).tolist() if len(i) > 1 and i[1] is not None else a["pads"]
    return _pads(i[0], pads, i[3] if len(i) > 3 else None)


def _pad(i: list[Any], a: Attributes) -> Array:
    x: Array = i[0]
    pads = pads_of(i, a)
    mode = a.get("mode", "constant")
    x = x[tuple(slice(max(0, -b), z - max(0, -e)) for z, (b, e) in zip(x.shape, pads, strict=True))]
    grow = [(max(0, b), max(0, e)) for b, e in pads]
    if mode != "constant":
        kinds: dict[str, Any] = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}
        if mode not in kinds:
            raise ValueError(f"padding {mode!r}")
        return np.pad(x, grow, mode=kinds[mode])
    value = i[2] if len(i) > 2 and i[2] is not None and np.size(i[2]) else a.get("value", 0)
    return np.pad(x, grow, constant_values=np.asarray(value).reshape(-1)[0])


RESAMPLE_OPS: dict[str, Callable[[list[Any], Attributes], Any]] = {"Resize": _resize, "Upsample": _upsample, "Pad": _pad}


def _resized(i: list[Any], a: Attributes) -> int:
    shape = list(i[0].shape)
    for axis, out, _ in resize_targets(i[0], i[2] if len(i) > 2 else None, i[3] if len(i) > 3 else None, a):
        shape[axis] = max(out, shape[axis])
    return prod(shape)


# Elements that an op takes from memory.
RESAMPLE_SIZES: dict[str, Callable[[list[Any], Attributes], int]] = {
    "Resize": _resized,
    "Upsample": lambda i, a: _resized([i[0], None, i[1] if len(i) > 1 else a["scales"]], {}),
    "Pad": lambda i, a: prod(z + max(0, b) + max(0, e) for z, (b, e) in zip(i[0].shape, pads_of(i, a), strict=True)),
}

"""The numpy meaning of convolutions and pools over (N, C, ...) tensors of any number of spatial axes, in the operands' float format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.frontend.numpy_saturating import product_of
from hwq.frontend.window_shape import WindowShape

__all__ = ["WINDOW_OPS", "WINDOW_SIZES"]

Array = NDArray[Any]
Attributes = Mapping[str, Any]
STRIP = 1 << 22  # elements of the matrix of windows at a time: it stays near the processor


def _conv(i: list[Any], a: Attributes) -> Array:
    """``y[n, o, p] = sum over (k, c) of x[n, c, p * stride + k * dilation - pad] * w[o, c, k] (+ b[o])``, group by group.

    A saturating accumulator adds in this order, channels innermost, padding taps included.
    """
    x, w = i[0], i[1]
    scale = a.get("input_scale") if a.get("accumulation") else None
    if scale is not None:
        x = np.rint(x / scale)
    groups = int(a.get("group", 1))
    shape = _conv_shape(x, w, groups, a)
    w = w.astype(np.result_type(x, w), copy=False)
    x = _padded(x.astype(w.dtype, copy=False), shape, 0)
    if w.shape[1] == 1 and groups > 1 and scale is None:
        y = _depthwise(x, w, shape)
    else:
        matrix, product = _rows(w, groups), product_of(a)
        y = np.zeros((len(x), len(w), *shape.out), w.dtype)
        for k, frame in enumerate(x):
            for first, part, strip in _strips(frame, shape):
                columns = product(matrix, _columns(part, groups, strip))
                y[k, :, first : first + strip.out[0]] = columns.reshape(len(w), *strip.out)
    if scale is not None:
        y *= w.dtype.type(scale)
    if len(i) > 2 and i[2] is not None:
        y += i[2].astype(y.dtype, copy=False).reshape(-1, *[1] * len(shape.out))
    return y


def _conv_shape(x: Array, w: Array, groups: int, a: Attributes) -> WindowShape:
    if x.ndim < 3 or w.ndim != x.ndim:
        raise ValueError(f"a tensor of shape {x.shape} and weights of shape {w.shape}")
    if groups < 1 or x.shape[1] != w.shape[1] * groups or w.shape[0] % groups:
        raise ValueError(f"{x.shape[1]} channels, weights of shape {w.shape} and {groups} groups")
    return WindowShape.of(a, x.shape[2:], w.shape[2:])


def _rows(w: Array, groups: int) -> Array:
    """Weights (O, C, taps) as a matrix a group: (groups, O / groups, taps * C), channels innermost."""
    return np.moveaxis(w.reshape(groups, len(w) // groups, w.shape[1], -1), 2, 3).reshape(groups, len(w) // groups, -1)


def _strips(frame: Array, shape: WindowShape) -> Iterator[tuple[int, Array, WindowShape]]:
    """One frame in strips of whole output rows whose windows fit in ``STRIP`` elements: (first row, the input from there, shape)."""
    per_row = frame.shape[0] * prod(shape.kernel) * prod(shape.out[1:])
    rows = max(1, STRIP // max(1, per_row))
    for first in range(0, shape.out[0], rows):
        strip = replace(shape, out=(min(rows, shape.out[0] - first), *shape.out[1:]))
        yield first, frame[:, first * shape.stride[0] :], strip


def _columns(frame: Array, groups: int, shape: WindowShape) -> Array:
    """The windows of one frame (C, ...) as a matrix a group: (groups, taps * C / groups, positions)."""
    parts = frame.reshape(groups, -1, *frame.shape[1:])
    if prod(shape.kernel) == 1:
        windows = _tap(parts, (0,) * len(shape.kernel), shape)
    else:
        windows = np.stack([_tap(parts, tap, shape) for tap in np.ndindex(shape.kernel)], axis=1)
    return windows.reshape(groups, -1, prod(shape.out))


def _depthwise(x: Array, w: Array, shape: WindowShape) -> Array:
    x = np.repeat(x, len(w) // x.shape[1], axis=1)
    factors = w.reshape(len(w), *shape.kernel, *[1] * len(shape.out))
    y = np.zeros((len(x), len(w), *shape.out), w.dtype)
    for tap in np.ndindex(shape.kernel):
        y += _tap(x, tap, shape) * factors[(slice(None), *tap)]
    return y


def _tap(x: Array, tap: tuple[int, ...], shape: WindowShape) -> Array:
    """What one tap sees of the padded ``x`` (..., spatial), at every position of the window."""
    places = zip(tap, shape.dilation, shape.out, shape.stride, strict=True)
    cut: list[Any] = [slice(k * d, k * d + (o - 1) * s + 1, s) for k, d, o, s in places]
    return x[(..., *cut)]


def _padded(x: Array, shape: WindowShape, value: float) -> Array:
    """``x`` with the padding of its last axes, the overhang of ``ceil_mode`` included."""
    pads = [(b, a + o) for b, a, o in zip(shape.before, shape.after, shape.overhang, strict=True)]
    if not any(b or a for b, a in pads):
        return x
    return np.pad(x, [(0, 0)] * (x.ndim - len(pads)) + pads, constant_values=value)


def _pool_shape(x: Array, a: Attributes) -> WindowShape:
    if x.ndim < 3:
        raise ValueError(f"a pool over a tensor of shape {x.shape}")
    shape = WindowShape.of(a, x.shape[2:], a["kernel_shape"])
    reach = [(k - 1) * d + 1 for k, d in zip(shape.kernel, shape.dilation, strict=True)]
    if any(p >= r for p, r in zip((*shape.before, *shape.after), reach * 2, strict=True)):
        raise ValueError(f"padding {shape.before}, {shape.after} that holds whole windows of {shape.kernel}")
    return shape


def _max_pool(i: list[Any], a: Attributes) -> Array:
    """The largest element of each window; padding never wins."""
    x = i[0]
    shape = _pool_shape(x, a)
    padded = _padded(x, shape, -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min)
    y: Array | None = None
    for tap in np.ndindex(shape.kernel):
        seen = _tap(padded, tap, shape)
        y = seen.copy() if y is None else np.maximum(y, seen, out=y)
    assert y is not None
    return y


def _average_pool(i: list[Any], a: Attributes) -> Array:
    """The sum of each window divided by its elements: those of the image, or (``count_include_pad``) of the stated padding too."""
    x = i[0]
    shape = _pool_shape(x, a)
    return _window_sum(_padded(x, shape, 0), shape) / window_count(shape, bool(a.get("count_include_pad", 0))).astype(x.dtype)


def _window_sum(x: Array, shape: WindowShape) -> Array:
    y = np.zeros((*x.shape[: x.ndim - len(shape.out)], *shape.out), x.dtype)
    for tap in np.ndindex(shape.kernel):
        y += _tap(x, tap, shape)
    return y


def window_count(shape: WindowShape, include_pad: bool) -> NDArray[np.int64]:
    """The divisor of an average at every position (out); what lies behind the stated padding never counts."""
    ones = np.ones(shape.size, np.int64)
    if include_pad:
        ones = np.pad(ones, list(zip(shape.before, shape.after, strict=True)), constant_values=1)
        ones = np.pad(ones, [(0, o) for o in shape.overhang])
    else:
        ones = _padded(ones, shape, 0)
    return _window_sum(ones, shape)


def _global(i: list[Any], f: Callable[..., Array]) -> Array:
    if i[0].ndim < 3:
        raise ValueError(f"a pool over a tensor of shape {i[0].shape}")
    return f(i[0], axis=tuple(range(2, i[0].ndim)), keepdims=True)


WINDOW_OPS: dict[str, Callable[[list[Any], Attributes], Any]] = {
    "Conv": _conv,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": lambda i, a: _global(i, np.mean),
    "GlobalMaxPool": lambda i, a: _global(i, np.max),
}


def _conv_size(x: list[Array], a: Attributes) -> int:
    """Elements of the result, of the padded operand, or of the windows of one row, whichever is most."""
    shape = _conv_shape(x[0], x[1], int(a.get("group", 1)), a)
    row = x[0].shape[1] * prod(shape.kernel) * prod(shape.out[1:])
    return max(len(x[0]) * len(x[1]) * prod(shape.out), row, _padded_elements(x[0], shape))


def _pool_size(x: list[Array], a: Attributes) -> int:
    return _padded_elements(x[0], _pool_shape(x[0], a))


def _padded_elements(x: Array, shape: WindowShape) -> int:
    spatial = (z + b + a + o for z, b, a, o in zip(shape.size, shape.before, shape.after, shape.overhang, strict=True))
    return prod(x.shape[:2]) * prod(spatial)


# Elements that an op takes from memory.
WINDOW_SIZES: dict[str, Callable[[list[Array], Attributes], int]] = {"Conv": _conv_size, "MaxPool": _pool_size, "AveragePool": _pool_size}

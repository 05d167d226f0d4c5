"""The numpy meaning of ops that reshape, cut, join and fill tensors, and the check of their sizes before memory is taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.frontend.numpy_resample import RESAMPLE_OPS, RESAMPLE_SIZES
from hwq.frontend.numpy_windows import WINDOW_SIZES

__all__ = ["LAYOUT_OPS", "axes_of", "check_size"]

Array = NDArray[Any]
Attributes = Mapping[str, Any]

MAX_ELEMENTS = 1 << 27  # of one tensor: a file of a few bytes may ask for terabytes


def check_size(op: str, inputs: Sequence[Array | None], attributes: Attributes) -> None:
    """Refuses an op whose result would not fit in memory, before it is computed."""
    if op not in SIZES:
        return
    try:
        with np.errstate(all="ignore"):
            size = SIZES[op](list(inputs), attributes)
    except (ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError, ZeroDivisionError) as error:
        raise InputError("OP-OPERANDS", f"the operator {op} cannot be applied to its operands ({error})") from None
    if size > MAX_ELEMENTS:
        raise InputError("TENSOR-SIZE", f"the operator {op} would make a tensor of {size} elements, at most {MAX_ELEMENTS} are allowed")


def _product(sizes: Array) -> int:
    return prod(int(v) for v in sizes.reshape(-1))


def _broadcast_size(x: list[Any], a: Attributes) -> int:
    return prod(np.broadcast_shapes(*(v.shape for v in x if v is not None)))


BROADCAST = "Add Sub Mul Div Pow Max Min Sum Where And Or Equal Greater Less GreaterOrEqual LessOrEqual Mod PRelu"

# Elements of the result, from the operands.
SIZES: dict[str, Callable[[list[Any], Attributes], int]] = {
    **WINDOW_SIZES,
    **RESAMPLE_SIZES,
    **dict.fromkeys(BROADCAST.split(), _broadcast_size),
    "ConstantOfShape": lambda x, a: _product(x[0]),
    "Expand": lambda x, a: prod(np.broadcast_shapes(x[0].shape, tuple(int(v) for v in x[1]))),
    "Tile": lambda x, a: x[0].size * _product(x[1]),
    "Range": lambda x, a: int(abs(x[1] - x[0]) / abs(x[2])),
    "Gather": lambda x, a: x[1].size * (x[0].size // max(1, x[0].shape[a.get("axis", 0)])),
    "MatMul": lambda x, a: prod(np.broadcast_shapes(x[0].shape[:-2], x[1].shape[:-2])) * prod(x[0].shape[-2:-1]) * x[1].shape[-1],
    "Gemm": lambda x, a: x[0].shape[bool(a.get("transA", 0))] * x[1].shape[not a.get("transB", 0)],
}


def _reshape(i: list[Any], a: Attributes) -> Array:
    shape = [int(v) for v in (i[1] if len(i) > 1 and i[1] is not None else a["shape"])]
    if not a.get("allowzero", 0):
        shape = [i[0].shape[k] if v == 0 else v for k, v in enumerate(shape)]
    # A leading 1 is the batch of the traced example.
    if (shape and shape[0] == 1 and i[0].ndim and i[0].shape[0] > 1 and -1 not in shape and prod(shape) * i[0].shape[0] == i[0].size) or (
        shape and shape[0] == 1 and i[0].ndim and i[0].shape[0] > 1 and -1 in shape
    ):
        shape[0] = i[0].shape[0]
    return i[0].reshape(shape)


def _flatten(i: list[Any], a: Attributes) -> Array:
    axis = a.get("axis", 1)
    axis = axis + i[0].ndim if axis < 0 else axis
    return i[0].reshape(prod(i[0].shape[:axis]), prod(i[0].shape[axis:]))


def axes_of(i: list[Any], a: Attributes) -> tuple[int, ...] | None:
    """Axes of a node: its second input, or the attribute of older opsets."""
    axes = i[1] if len(i) > 1 and i[1] is not None else a.get("axes")
    return None if axes is None else tuple(int(v) for v in np.asarray(axes).reshape(-1))


def _slice(i: list[Any], a: Attributes) -> Array:
    starts, ends = (i[1], i[2]) if len(i) > 2 else (a["starts"], a["ends"])
    axes = i[3] if len(i) > 3 and i[3] is not None else a.get("axes", range(len(starts)))
    steps = i[4] if len(i) > 4 and i[4] is not None else [1] * len(starts)
    cut: list[slice] = [slice(None)] * i[0].ndim
    for axis, begin, end, step in zip(axes, starts, ends, steps, strict=True):
        stop: int | None = int(end)
        if step < 0 and end < -i[0].shape[int(axis)]:
            stop = None
        cut[int(axis)] = slice(int(begin), stop, int(step))
    return i[0][tuple(cut)]


def _split(i: list[Any], a: Attributes) -> tuple[Array, ...]:
    axis = a.get("axis", 0)
    sizes = i[1] if len(i) > 1 and i[1] is not None else a.get("split")
    if sizes is None:
        part = -(-i[0].shape[axis] // a["num_outputs"])  # the last one may be smaller
        return tuple(np.split(i[0], [part * k for k in range(1, a["num_outputs"])], axis))
    if sum(int(s) for s in sizes) != i[0].shape[axis]:
        raise ValueError(f"parts of {[int(s) for s in sizes]} of an axis of {i[0].shape[axis]}")
    return tuple(np.split(i[0], np.cumsum([int(s) for s in sizes])[:-1], axis))


def _concat(i: list[Any], a: Attributes) -> Array:
    parts, axis = [np.asarray(x) for x in i], a["axis"]
    frames = max((p.shape[0] for p in parts if p.ndim), default=0)
    if parts[0].ndim > 1 and axis % parts[0].ndim:  # a constant stands for every frame of the batch
        parts = [np.broadcast_to(p, (frames, *p.shape[1:])) if p.shape[0] == 1 else p for p in parts]
    return np.concatenate(parts, axis)


def _constant_of_shape(i: list[Any], a: Attributes) -> Array:
    value = np.asarray(a.get("value", [0.0]), dtype=a.get("value_dtype", "float32"))
    return np.full([int(v) for v in i[0]], value.reshape(-1)[0], value.dtype)


def _unsqueeze(i: list[Any], a: Attributes) -> Array:
    return np.expand_dims(i[0], axes_of(i, a) or ())


LAYOUT_OPS: dict[str, Callable[[list[Any], Attributes], Any]] = {
    "Shape": lambda i, a: np.array(i[0].shape[a.get("start", 0) : a.get("end")], np.int64),
    "Size": lambda i, a: np.array(i[0].size, np.int64),
    "Gather": lambda i, a: np.take(i[0], i[1], axis=a.get("axis", 0)),
    "Unsqueeze": _unsqueeze,
    "Squeeze": lambda i, a: np.squeeze(i[0], axes_of(i, a)),
    "Concat": _concat,
    "Slice": _slice,
    "Split": _split,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Transpose": lambda i, a: np.transpose(i[0], a.get("perm")),
    "Expand": lambda i, a: np.broadcast_to(i[0], np.broadcast_shapes(i[0].shape, tuple(int(v) for v in i[1]))),
    "Tile": lambda i, a: np.tile(i[0], [int(v) for v in i[1]]),
    "Range": lambda i, a: np.arange(i[0], i[1], i[2], dtype=i[0].dtype),
    "ConstantOfShape": _constant_of_shape,
    **RESAMPLE_OPS,
}

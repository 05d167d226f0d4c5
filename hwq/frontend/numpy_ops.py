"""The numpy meaning of the source graph's ops, in the model's own float format: constants are folded and sources executed with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.frontend.numpy_quant import QUANT_OPS
from hwq.frontend.onnx_types import ONNX_DTYPES

__all__ = ["MAX_ELEMENTS", "NUMPY_OPS", "compute"]

Array = NDArray[Any]
Attributes = Mapping[str, Any]
Meaning = Callable[[list[Any], Attributes], Any]

MAX_ELEMENTS = 1 << 27  # of one tensor: a file of a few bytes may ask for terabytes


def compute(op: str, inputs: Sequence[Array | None], attributes: Attributes) -> tuple[Array, ...]:
    """Outputs of one op. Raises :class:`InputError` for an op that has no meaning here or whose operands do not fit."""
    meaning = NUMPY_OPS.get(op)
    if meaning is None:
        raise InputError("OP-UNSUPPORTED", f"the operator {op} is not supported")
    check_size(op, inputs, attributes)
    try:
        with np.errstate(all="ignore"):
            out = meaning(list(inputs), attributes)
    except InputError:
        raise
    except (ValueError, TypeError, IndexError, KeyError, AttributeError, ZeroDivisionError, OverflowError) as error:
        raise InputError("OP-OPERANDS", f"the operator {op} cannot be applied to its operands ({error})") from None
    outs = out if isinstance(out, tuple) else (out,)
    return tuple(np.asarray(o) for o in outs)


def check_size(op: str, inputs: Sequence[Array | None], attributes: Attributes) -> None:
    """Refuses an op whose result would not fit in memory, before it is computed."""
    arrays = [x for x in inputs if x is not None]
    size = 0
    try:
        if op == "ConstantOfShape":
            size = prod(int(v) for v in arrays[0].reshape(-1))
        elif op in ("Expand", "Reshape"):
            size = prod(abs(int(v)) for v in arrays[1].reshape(-1)) * (1 if op == "Reshape" else max(1, arrays[0].size))
            size = 0 if op == "Reshape" else size
        elif op == "Tile":
            size = arrays[0].size * prod(int(v) for v in arrays[1].reshape(-1))
        elif op == "Range":
            size = int(abs((arrays[1] - arrays[0]) / arrays[2])) if arrays[2] else 0
        elif op == "Pad":
            pads = [int(v) for v in (arrays[1].reshape(-1) if len(arrays) > 1 else attributes.get("pads", ()))]
            half = len(pads) // 2
            size = prod(s + max(0, a) + max(0, b) for s, a, b in zip(arrays[0].shape, pads[:half], pads[half:], strict=False))
        elif op in ("MatMul", "Gemm"):
            size = prod(arrays[0].shape[:-1]) * arrays[1].shape[-1]
        elif len(arrays) > 1 and op in NUMPY_BROADCAST:
            size = prod(np.broadcast_shapes(*(x.shape for x in arrays)))
    except (ValueError, TypeError, IndexError, OverflowError, ZeroDivisionError) as error:
        raise InputError("OP-OPERANDS", f"the operator {op} cannot be applied to its operands ({error})") from None
    if size > MAX_ELEMENTS:
        raise InputError("TENSOR-SIZE", f"the operator {op} would make a tensor of {size} elements, at most {MAX_ELEMENTS} are allowed")


NUMPY_BROADCAST = frozenset(
    [
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Pow",
        "Max",
        "Min",
        "Where",
        "And",
        "Or",
        "Equal",
        "Greater",
        "Less",
        "GreaterOrEqual",
        "LessOrEqual",
        "Mod",
        "PRelu",
    ]
)


def _f(x: Any, like: Array) -> Array:
    return np.asarray(x, dtype=like.dtype)


def _div(i: list[Any], a: Attributes) -> Array:
    if i[0].dtype.kind in "iu":
        return np.trunc(i[0] / i[1]).astype(i[0].dtype)
    return i[0] / i[1]


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


def _axes(i: list[Any], a: Attributes) -> tuple[int, ...] | None:
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


def _gemm(i: list[Any], a: Attributes) -> Array:
    x = i[0].T if a.get("transA", 0) else i[0]
    w = i[1].T if a.get("transB", 0) else i[1]
    y = x @ w
    y = y if a.get("alpha", 1.0) == 1.0 else _f(a["alpha"], y) * y
    if len(i) > 2 and i[2] is not None:
        y = y + (i[2] if a.get("beta", 1.0) == 1.0 else _f(a["beta"], y) * i[2])
    return y


def _linear(i: list[Any], a: Attributes) -> Array:
    y = i[0] @ i[1].T
    return y + i[2] if len(i) > 2 and i[2] is not None else y


def _batch_norm(i: list[Any], a: Attributes) -> Array:
    x, gamma, beta, mean, var = i[:5]
    shape = (1, -1) + (1,) * (x.ndim - 2)
    root = np.sqrt(var + _f(a.get("epsilon", 1e-5), var))
    return (x - mean.reshape(shape)) / root.reshape(shape) * gamma.reshape(shape) + beta.reshape(shape)


def _clip(i: list[Any], a: Attributes) -> Array:
    low = i[1] if len(i) > 1 and i[1] is not None else a.get("min")
    high = i[2] if len(i) > 2 and i[2] is not None else a.get("max")
    y = i[0]
    y = y if low is None else np.maximum(y, _f(low, y))
    return y if high is None else np.minimum(y, _f(high, y))


def _softmax(x: Array, axis: int) -> Array:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _erf(x: Array) -> Array:
    from math import erf

    return np.vectorize(erf, otypes=[np.float64])(x).astype(x.dtype)


def _reduce(i: list[Any], a: Attributes, f: Callable[..., Array]) -> Array:
    return f(i[0], axis=_axes(i, a), keepdims=bool(a.get("keepdims", 1)))


def _sigmoid(x: Array) -> Array:
    positive = 1 / (1 + np.exp(-np.abs(x)))
    return np.where(x >= 0, positive, 1 - positive).astype(x.dtype)


def _arg(i: list[Any], a: Attributes, sign: int) -> Array:
    axis, x = a.get("axis", 0), i[0] * i[0].dtype.type(sign)
    if a.get("select_last_index", 0):
        index = x.shape[axis] - 1 - np.flip(x, axis).argmax(axis, keepdims=True)
    else:
        index = x.argmax(axis, keepdims=True)
    return index if a.get("keepdims", 1) else index.squeeze(axis)


def _topk(i: list[Any], a: Attributes) -> tuple[Array, Array]:
    k = int(np.asarray(i[1]).reshape(-1)[0]) if len(i) > 1 else a["k"]
    axis = a.get("axis", -1)
    order = np.argsort(-i[0] if a.get("largest", 1) else i[0], axis=axis, kind="stable").take(range(k), axis)
    return np.take_along_axis(i[0], order, axis), order


def _cast(i: list[Any], a: Attributes) -> Array:
    to = a["to"]
    dtype = ONNX_DTYPES.get(to) if isinstance(to, int) else str(to)
    if dtype is None:
        raise ValueError(f"data type {to}")
    return i[0].astype(dtype)


def _split(i: list[Any], a: Attributes) -> tuple[Array, ...]:
    axis = a.get("axis", 0)
    sizes = i[1] if len(i) > 1 and i[1] is not None else a.get("split")
    if sizes is None:
        return tuple(np.array_split(i[0], a["num_outputs"], axis))
    return tuple(np.split(i[0], np.cumsum([int(s) for s in sizes])[:-1], axis))


def _constant_of_shape(i: list[Any], a: Attributes) -> Array:
    value = np.asarray(a.get("value", [0.0]), dtype=a.get("value_dtype", "float32"))
    return np.full([int(v) for v in i[0]], value.reshape(-1)[0], value.dtype)


def _pad(i: list[Any], a: Attributes) -> Array:
    pads = [int(v) for v in (i[1] if len(i) > 1 else a["pads"])]
    value = i[2] if len(i) > 2 and i[2] is not None else a.get("value", 0)
    if a.get("mode", "constant") != "constant":
        raise ValueError("only constant padding")
    half = len(pads) // 2
    return np.pad(i[0], list(zip(pads[:half], pads[half:], strict=True)), constant_values=np.asarray(value).reshape(-1)[0])


def _unsqueeze(i: list[Any], a: Attributes) -> Array:
    return np.expand_dims(i[0], _axes(i, a) or ())


NUMPY_OPS: dict[str, Meaning] = {
    **QUANT_OPS,
    "Identity": lambda i, a: i[0],
    "Dropout": lambda i, a: (i[0], np.ones(i[0].shape, bool)),
    "Cast": _cast,
    "CastLike": lambda i, a: i[0].astype(i[1].dtype),
    "Shape": lambda i, a: np.array(i[0].shape[a.get("start", 0) : a.get("end")], np.int64),
    "Size": lambda i, a: np.array(i[0].size, np.int64),
    "Gather": lambda i, a: np.take(i[0], i[1], axis=a.get("axis", 0)),
    "Unsqueeze": _unsqueeze,
    "Squeeze": lambda i, a: np.squeeze(i[0], _axes(i, a)),
    "Concat": lambda i, a: np.concatenate(i, a["axis"]),
    "Slice": _slice,
    "Split": _split,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Transpose": lambda i, a: np.transpose(i[0], a.get("perm")),
    "Expand": lambda i, a: np.broadcast_to(i[0], np.broadcast_shapes(i[0].shape, tuple(int(v) for v in i[1]))),
    "Tile": lambda i, a: np.tile(i[0], [int(v) for v in i[1]]),
    "Range": lambda i, a: np.arange(i[0], i[1], i[2], dtype=i[0].dtype),
    "ConstantOfShape": _constant_of_shape,
    "Pad": _pad,
    "Add": lambda i, a: i[0] + i[1],
    "Sub": lambda i, a: i[0] - i[1],
    "Mul": lambda i, a: i[0] * i[1],
    "Div": _div,
    "Mod": lambda i, a: np.fmod(i[0], i[1]) if a.get("fmod", 0) else np.mod(i[0], i[1]),
    "Pow": lambda i, a: np.power(i[0], i[1]).astype(i[0].dtype),
    "Neg": lambda i, a: -i[0],
    "Abs": lambda i, a: np.abs(i[0]),
    "Reciprocal": lambda i, a: 1 / i[0],
    "Sqrt": lambda i, a: np.sqrt(i[0]),
    "Exp": lambda i, a: np.exp(i[0]),
    "Log": lambda i, a: np.log(i[0]),
    "Erf": lambda i, a: _erf(i[0]),
    "Tanh": lambda i, a: np.tanh(i[0]),
    "Sigmoid": lambda i, a: _sigmoid(i[0]),
    "Softplus": lambda i, a: np.logaddexp(i[0].dtype.type(0), i[0]),
    "Softsign": lambda i, a: i[0] / (1 + np.abs(i[0])),
    "HardSigmoid": lambda i, a: np.clip(_f(a.get("alpha", 0.2), i[0]) * i[0] + _f(a.get("beta", 0.5), i[0]), 0, 1),
    "HardSwish": lambda i, a: i[0] * np.clip(i[0] * _f(1 / 6, i[0]) + _f(0.5, i[0]), 0, 1),
    "Swish": lambda i, a: i[0] * _sigmoid(i[0]),
    "Gelu": lambda i, a: _f(0.5, i[0]) * i[0] * (1 + _erf(i[0] / _f(np.sqrt(2.0), i[0]))),
    "Relu": lambda i, a: np.maximum(i[0], i[0].dtype.type(0)),
    "LeakyRelu": lambda i, a: np.where(i[0] >= 0, i[0], i[0] * _f(a.get("alpha", 0.01), i[0])),
    "ThresholdedRelu": lambda i, a: np.where(i[0] > a.get("alpha", 1.0), i[0], i[0].dtype.type(0)),
    "Elu": lambda i, a: np.where(i[0] >= 0, i[0], _f(a.get("alpha", 1.0), i[0]) * np.expm1(i[0])),
    "PRelu": lambda i, a: np.where(i[0] >= 0, i[0], i[0] * i[1]),
    "Clip": _clip,
    "Max": lambda i, a: np.maximum.reduce(np.broadcast_arrays(*i)),
    "Min": lambda i, a: np.minimum.reduce(np.broadcast_arrays(*i)),
    "Round": lambda i, a: np.rint(i[0]),
    "Floor": lambda i, a: np.floor(i[0]),
    "Ceil": lambda i, a: np.ceil(i[0]),
    "Sign": lambda i, a: np.sign(i[0]),
    "Greater": lambda i, a: i[0] > i[1],
    "GreaterOrEqual": lambda i, a: i[0] >= i[1],
    "Less": lambda i, a: i[0] < i[1],
    "LessOrEqual": lambda i, a: i[0] <= i[1],
    "Equal": lambda i, a: i[0] == i[1],
    "Not": lambda i, a: ~i[0],
    "And": lambda i, a: i[0] & i[1],
    "Or": lambda i, a: i[0] | i[1],
    "Where": lambda i, a: np.where(i[0], i[1], i[2]),
    "MatMul": lambda i, a: i[0] @ i[1],
    "Gemm": _gemm,
    "Linear": _linear,
    "BatchNormalization": _batch_norm,
    "Softmax": lambda i, a: _softmax(i[0], a.get("axis", -1)),
    "LogSoftmax": lambda i, a: np.log(_softmax(i[0], a.get("axis", -1))),
    "ArgMax": lambda i, a: _arg(i, a, 1),
    "ArgMin": lambda i, a: _arg(i, a, -1),
    "TopK": _topk,
    "ReduceMean": lambda i, a: _reduce(i, a, np.mean),
    "ReduceSum": lambda i, a: _reduce(i, a, np.sum),
    "ReduceMax": lambda i, a: _reduce(i, a, np.max),
    "ReduceMin": lambda i, a: _reduce(i, a, np.min),
    "ReduceProd": lambda i, a: _reduce(i, a, np.prod),
}

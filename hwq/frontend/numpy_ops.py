"""The numpy meaning of the source graph's ops, in the model's own float format: constants are folded and sources executed with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.frontend.numpy_layout import LAYOUT_OPS, axes_of, check_size
from hwq.frontend.numpy_quant import QUANT_OPS
from hwq.frontend.numpy_saturating import product_of
from hwq.frontend.numpy_windows import WINDOW_OPS
from hwq.frontend.onnx_types import ONNX_DTYPES

__all__ = ["NUMPY_OPS", "compute"]

Array = NDArray[Any]
Attributes = Mapping[str, Any]
Meaning = Callable[[list[Any], Attributes], Any]


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


def _f(x: Any, like: Array) -> Array:
    return np.asarray(x, dtype=like.dtype)


def _alike(i: list[Any]) -> list[Array]:
    """Operands of one dtype: where a float tensor meets integers, these take its format (numpy would widen both)."""
    floats = [x.dtype for x in i if x.dtype.kind == "f"]
    return [x.astype(floats[0]) if floats and x.dtype.kind != "f" else x for x in i]


def _arithmetic(f: Callable[[Any, Any], Array]) -> Meaning:
    return lambda i, a: f(*_alike(i))


def _div(x: Array, y: Array) -> Array:
    return np.trunc(x / y).astype(x.dtype) if x.dtype.kind in "iu" else x / y


def _gemm(i: list[Any], a: Attributes) -> Array:
    x = i[0].T if a.get("transA", 0) else i[0]
    w = i[1].T if a.get("transB", 0) else i[1]
    y = x @ w
    y = y if a.get("alpha", 1.0) == 1.0 else _f(a["alpha"], y) * y
    if len(i) > 2 and i[2] is not None:
        y = y + (i[2] if a.get("beta", 1.0) == 1.0 else _f(a["beta"], y) * i[2])
    return y


def _matmul(i: list[Any], a: Attributes) -> Array:
    if not a.get("accumulation"):
        return i[0] @ i[1]
    scale = _f(a["input_scale"], i[0])
    return product_of(a)(np.rint(i[0] / scale), i[1]) * scale


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
    return f(i[0], axis=axes_of(i, a), keepdims=bool(a.get("keepdims", 1)))


def _sigmoid(x: Array) -> Array:
    positive = 1 / (1 + np.exp(-np.abs(x)))
    return np.where(x >= 0, positive, 1 - positive).astype(x.dtype)


def _gelu(x: Array, tanh: bool) -> Array:
    if tanh:
        inner = _f(np.sqrt(2.0 / np.pi), x) * (x + _f(0.044715, x) * x * x * x)
        return _f(0.5, x) * x * (1 + np.tanh(inner))
    return _f(0.5, x) * x * (1 + _erf(x / _f(np.sqrt(2.0), x)))


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
    if not 0 <= k <= i[0].shape[axis]:
        raise ValueError(f"the {k} largest of {i[0].shape[axis]}")
    signed = i[0].astype(np.int64) if i[0].dtype.kind in "bu" else i[0]
    order = np.argsort(-signed if a.get("largest", 1) else signed, axis=axis, kind="stable").take(range(k), axis)
    return np.take_along_axis(i[0], order, axis), order


def _cast(i: list[Any], a: Attributes) -> Array:
    to = a["to"]
    dtype = ONNX_DTYPES.get(to) if isinstance(to, int) else str(to)
    if dtype is None:
        raise ValueError(f"data type {to}")
    return i[0].astype(dtype)


NUMPY_OPS: dict[str, Meaning] = {
    **LAYOUT_OPS,
    **QUANT_OPS,
    **WINDOW_OPS,
    "Identity": lambda i, a: i[0],
    "Dropout": lambda i, a: (i[0], np.ones(i[0].shape, bool)),
    "Cast": _cast,
    "CastLike": lambda i, a: i[0].astype(i[1].dtype),
    "Add": _arithmetic(np.add),
    "Sub": _arithmetic(np.subtract),
    "Mul": _arithmetic(np.multiply),
    "Div": _arithmetic(_div),
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
    "Swish": lambda i, a: i[0] * _sigmoid(_f(a.get("alpha", 1.0), i[0]) * i[0]),
    "Gelu": lambda i, a: _gelu(i[0], a.get("approximate", "none") == "tanh"),
    "Relu": lambda i, a: np.maximum(i[0], i[0].dtype.type(0)),
    "LeakyRelu": lambda i, a: np.where(i[0] >= 0, i[0], i[0] * _f(a.get("alpha", 0.01), i[0])),
    "ThresholdedRelu": lambda i, a: np.where(i[0] > a.get("alpha", 1.0), i[0], i[0].dtype.type(0)),
    "Elu": lambda i, a: np.where(i[0] >= 0, i[0], _f(a.get("alpha", 1.0), i[0]) * np.expm1(i[0])),
    "PRelu": lambda i, a: np.where(i[0] >= 0, i[0], i[0] * i[1]),
    "Clip": _clip,
    "Sum": lambda i, a: reduce(np.add, i),
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
    "MatMul": _matmul,
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

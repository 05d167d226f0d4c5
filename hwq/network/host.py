"""Host programs: what runs before the first integer tensor (head) and after the last (tail), in binary64.

A program is a list of steps from a closed set; each has one numpy meaning here. ``run`` and the drivers execute it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.numerics.rounding import Rounding, round_float

__all__ = ["ELEMENTWISE", "HOST_OPS", "HostStep", "apply_step", "run_steps"]

Real = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HostStep:
    """One step of a host program.

    Parameters
    ----------
    op
        Name in :data:`HOST_OPS`.
    constant
        The constant operand where the op has one, binary64, numpy-broadcast against the tensor (batch first).
    attributes
        Plain data: ``low``, ``high`` (clip), ``mode`` (round), ``shape`` (reshape, without batch),
        ``perm`` (transpose, batch included as axis 0), ``axis`` (softmax, argmax, topk), ``k`` (topk and topk_values), ...
    """

    op: str
    constant: Real | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


def _sigmoid(x: Real) -> Real:
    positive = 1.0 / (1.0 + np.exp(-np.abs(x)))
    return np.where(x >= 0, positive, 1.0 - positive)


def _softmax(x: Real, axis: int) -> Real:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _erf(x: Real) -> Real:
    from math import erf

    return np.vectorize(erf, otypes=[np.float64])(x)


# Elementwise ops: f(x, constant, attributes). Each is one IEEE binary64 operation where IEEE defines it.
ELEMENTWISE: dict[str, Callable[[Real, Any, Mapping[str, Any]], Real]] = {
    "add": lambda x, c, a: x + c,
    "sub": lambda x, c, a: x - c,
    "rsub": lambda x, c, a: c - x,
    "mul": lambda x, c, a: x * c,
    "div": lambda x, c, a: x / c,
    "rdiv": lambda x, c, a: c / x,
    "pow": lambda x, c, a: np.power(x, c),
    "max": lambda x, c, a: np.maximum(x, c),
    "min": lambda x, c, a: np.minimum(x, c),
    "prelu": lambda x, c, a: np.where(x >= 0, x, x * c),
    "neg": lambda x, c, a: -x,
    "abs": lambda x, c, a: np.abs(x),
    "relu": lambda x, c, a: np.maximum(x, 0.0),
    "clip": lambda x, c, a: np.minimum(np.maximum(x, a.get("low", -np.inf)), a.get("high", np.inf)),
    "round": lambda x, c, a: round_float(x, Rounding(a["mode"])),
    "sign": lambda x, c, a: np.sign(x),
    "bipolar": lambda x, c, a: np.where(x >= 0, 1.0, -1.0),
    "ge": lambda x, c, a: (x >= c).astype(np.float64),
    "gt": lambda x, c, a: (x > c).astype(np.float64),
    "le": lambda x, c, a: (x <= c).astype(np.float64),
    "lt": lambda x, c, a: (x < c).astype(np.float64),
    "eq": lambda x, c, a: (x == c).astype(np.float64),
    "select": lambda x, c, a: np.where(x != 0, a["then"], a["otherwise"]),
    "sqrt": lambda x, c, a: np.sqrt(x),
    "exp": lambda x, c, a: np.exp(x),
    "log": lambda x, c, a: np.log(x),
    "tanh": lambda x, c, a: np.tanh(x),
    "sigmoid": lambda x, c, a: _sigmoid(x),
    "erf": lambda x, c, a: _erf(x),
    "softplus": lambda x, c, a: np.logaddexp(0.0, x),
    "silu": lambda x, c, a: x * _sigmoid(x),
    "gelu": lambda x, c, a: x * 0.5 * (1.0 + _erf(x / np.sqrt(2.0))),
    "leaky_relu": lambda x, c, a: np.where(x >= 0, x, x * a["slope"]),
    "hard_sigmoid": lambda x, c, a: np.clip(x * a.get("alpha", 1 / 6) + a.get("beta", 0.5), 0.0, 1.0),
}

# Ops that see whole tensors. Axes count the batch as axis 0.
HOST_OPS: dict[str, Callable[[Real, Any, Mapping[str, Any]], Real]] = {
    **ELEMENTWISE,
    "reshape": lambda x, c, a: x.reshape(len(x), *a["shape"]),
    "transpose": lambda x, c, a: np.transpose(x, a["perm"]),
    "softmax": lambda x, c, a: _softmax(x, a["axis"]),
    "log_softmax": lambda x, c, a: np.log(_softmax(x, a["axis"])),
    "argmax": lambda x, c, a: x.argmax(a["axis"], keepdims=a.get("keepdims", False)).astype(np.float64),
    "topk": lambda x, c, a: np.argsort(-x, axis=a["axis"], kind="stable").take(range(a["k"]), a["axis"]).astype(np.float64),
    "topk_values": lambda x, c, a: -np.sort(-x, axis=a["axis"]).take(range(a["k"]), a["axis"]),
    "mean": lambda x, c, a: x.mean(a["axis"], keepdims=a.get("keepdims", False)),
}


def apply_step(step: HostStep, x: Real) -> Real:
    """``x`` after one step, in binary64. Raises :class:`InputError` for an op outside the closed set."""
    if step.op not in HOST_OPS:
        raise InputError("HOST-OP", f"host programs have no op {step.op!r}")
    with np.errstate(all="ignore"):
        return HOST_OPS[step.op](x, step.constant, step.attributes)


def run_steps(steps: tuple[HostStep, ...], x: NDArray[Any]) -> Real:
    """``x`` (batch first, any real dtype) through all steps, widened to binary64 first."""
    y = np.asarray(x).astype(np.float64)
    for step in steps:
        y = apply_step(step, y)
    return y

"""Matrix products of a tensor with constant weights: on one frame, on one pixel, or on an image that was flattened."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.frontend.contraction import (
    Contraction,
    Weights,
    accumulation_of,
    bias_of,
    caught,
    contracted,
    operand,
    parts_of,
    stand_in,
    weights_of,
)
from hwq.frontend.step import Rule, Step
from hwq.frontend.values import Constant, Layout, Pending, Unknown, Value
from hwq.network.ops import Exact, Saturating, Window

__all__ = ["DENSE_RULES"]


def _matmul(step: Step) -> Value:
    x, w = step.value(0), step.value(1)
    if isinstance(x, Constant) and not isinstance(w, Constant):
        raise step.error("OP-UNSUPPORTED", "a matrix product with the constant on the left is not supported", "Write it as x @ W")
    return _dense(step, w, None, 1.0, 1.0)


def _gemm(step: Step) -> Value:
    x, w = step.value(0), step.value(1)
    if step.attribute("transA", 0) and isinstance(x, Pending) and x.shape != (1, 1):
        raise step.error("OP-UNSUPPORTED", "a transposed activation (transA) is not supported", "Write it as x @ W")
    if isinstance(w, Constant) and step.attribute("transB", 0):
        w = Constant(w.array.T, tuple(np.broadcast_to(s, w.array.shape).T for s in w.scales))
    return _dense(step, w, step.array(2, "bias"), float(step.attribute("alpha", 1.0)), float(step.attribute("beta", 1.0)))


def _linear(step: Step) -> Value:
    w = step.value(1)
    if isinstance(w, Constant):
        w = Constant(w.array.T, tuple(np.broadcast_to(s, w.array.shape).T for s in w.scales))
    return _dense(step, w, step.array(2, "bias"), 1.0, 1.0)


def _dense(step: Step, w: Value | None, bias: NDArray[Any] | None, alpha: float, beta: float) -> Value:
    x = step.value(0)
    if not isinstance(w, Constant):
        if isinstance(w, Unknown) or w is None:
            return Unknown()
        raise step.error("NOT-CONSTANT", "the product of two activations is not supported", "Freeze the weights before the export")
    matrix = w.array
    if matrix.ndim > 2 and prod(matrix.shape[:-2]) == 1:
        matrix = matrix.reshape(matrix.shape[-2:])
    if matrix.ndim != 2:
        raise step.error("OP-OPERANDS", f"the weights have shape {w.array.shape}, a matrix was expected")
    accumulation = accumulation_of(step)
    problems: list[InputError] = []
    weights = caught(problems, lambda: weights_of(step, matrix, w.scales, isinstance(accumulation, Exact)))
    source = caught(problems, lambda: _source(step, x, matrix.shape[0]))
    value = None if source is None or weights is None else caught(problems, lambda: _emit(step, source, weights, bias, alpha, beta))
    if value is not None:
        return value
    step.builder.problems.extend(problems)
    fits = isinstance(x, Pending) and prod(x.shape[:-1]) == 1
    shape = (*x.shape[:-1], matrix.shape[1]) if fits and isinstance(x, Pending) else (1, matrix.shape[1])
    return stand_in(step, (1, 1, matrix.shape[1]), Layout.of(shape), biased=bias is not None)


def _source(step: Step, x: Value | None, k: int) -> Pending | None:
    if isinstance(x, Unknown) or x is None:
        return None
    settled = operand(step, x, _channel_axis(x))  # type: ignore[arg-type]
    if settled.shape[-1] != k:
        raise step.error("OP-OPERANDS", f"the weights take {k} inputs, the tensor has shape {settled.shape}")
    return settled


def _channel_axis(x: Value) -> int | None:
    """A model input is one flat pixel, or has its channels last where the layer acts on many positions."""
    return -1 if isinstance(x, Pending) and len(x.shape) > 2 and prod(x.shape[:-1]) > 1 else None


def _emit(step: Step, x: Pending, w: Weights, bias: NDArray[Any] | None, alpha: float, beta: float) -> Pending:
    accumulation = accumulation_of(step)
    outputs = w.integers.shape[1]
    h, wide, c = x.leaf.shape
    last = Layout(((), x.layout.axes[-1]), None if x.layout.index is None else x.layout.index.reshape(1, -1))
    if prod(x.shape[:-1]) == 1:
        kernel, rows = (h, wide), _stream_order(step, last, w.integers, accumulation)
        layout = Layout.of((*x.shape[:-1], outputs))
    elif last.in_order and x.shape[-1] == c and x.layout.index is None:
        kernel, rows = (1, 1), w.integers
        layout = _per_pixel(x.layout, c, outputs)
    else:
        raise step.error(
            "LAYOUT",
            f"a layer acts on {prod(x.shape[:-1])} positions of a tensor of shape {x.shape} that is no image with its channels last",
            "Move the channels to the last axis in front of it, or flatten the tensor",
        )
    taps = np.ascontiguousarray(rows.T).reshape(outputs, *kernel, c)
    contraction = Contraction(taps, w, Window(kernel), 1, accumulation, bias_of(step, bias, beta), alpha)
    return contracted(step, parts_of(step, x, contraction), contraction, layout)


def _stream_order(step: Step, layout: Layout, matrix: NDArray[np.int64], accumulation: object) -> NDArray[np.int64]:
    """Rows of the matrix in the order in which the elements arrive."""
    if layout.in_order:
        return matrix
    if isinstance(accumulation, Saturating):
        raise step.error("ACCUMULATOR-ORDER", "a saturating accumulator behind a permutation of its inputs is not supported")
    ordered = np.empty_like(matrix)
    ordered[layout.positions().reshape(-1)] = matrix
    return ordered


def _per_pixel(layout: Layout, channels: int, outputs: int) -> Layout:
    """The layout with ``outputs`` channels in place of ``channels`` on the last axis."""
    pixels = [tuple((n, s // channels * outputs) for n, s in axis) for axis in layout.axes[:-1]]
    return Layout((*pixels, ((outputs, 1),) if outputs > 1 else ()))


DENSE_RULES: dict[str, Rule] = {"MatMul": _matmul, "Gemm": _gemm, "Linear": _linear}

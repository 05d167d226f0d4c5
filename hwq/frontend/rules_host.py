"""Ops that see a whole tensor of scores: on the host behind the last integer, ArgMax in hardware where that is exact."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from hwq.errors import InputError
from hwq.frontend.expression import Expr, evaluate, leaf
from hwq.frontend.normalize import split_affine
from hwq.frontend.step import Rule, Step
from hwq.frontend.values import HostValue, Layout, Leaf, Pending, Unknown, Value
from hwq.network.host import HostStep
from hwq.network.ops import ArgMax, Requantize, TopK
from hwq.numerics.encoding import smallest_integer
from hwq.numerics.rounding import Rounding
from hwq.numerics.staircase import MAX_POINTS

__all__ = ["HOST_RULES"]


def _host(step: Step) -> HostValue | None:
    """Input 0 as a tensor of the host."""
    x = step.value(0)
    if isinstance(x, HostValue):
        return x
    return HostValue(x, (), x.shape) if isinstance(x, Pending) else None


def _softmax(op: str) -> Rule:
    def rule(step: Step) -> Value:
        x = _host(step)
        if x is None:
            return Unknown()
        axis = _frame_axis(step, step.attribute("axis", -1), x.shape, "the softmax is")
        return HostValue(x.origin, (*x.steps, HostStep(op, None, {"axis": axis})), x.shape, None, step.name)

    return rule


def _axis(axis: int, shape: tuple[int, ...]) -> int:
    return axis + len(shape) if axis < 0 else axis


def _frame_axis(step: Step, axis: int, shape: tuple[int, ...], what: str) -> int:
    """The axis counted from 0; an error where it is the batch, whose frames are independent in hardware."""
    axis = _axis(axis, shape)
    if axis == 0:
        raise step.error("BATCH-AXIS", f"{what} taken along the batch axis", "Take it along the axis of the classes")
    return axis


def _argmax(step: Step) -> Value:
    if step.attribute("select_last_index", 0):
        raise step.error("OP-UNSUPPORTED", "ArgMax with select_last_index is not supported", "Ties take the lowest index")
    x = step.value(0)
    if isinstance(x, Unknown) or x is None:
        return Unknown()
    axis = _axis(step.attribute("axis", 0), x.shape)  # type: ignore[union-attr]
    return _select_best(step, axis, bool(step.attribute("keepdims", 1)))


def _topk(step: Step) -> tuple[Value | None, ...]:
    x = _host(step)
    if x is None:
        return (Unknown(), Unknown())
    given = step.array(1, "k")
    k = int(given.reshape(-1)[0]) if given is not None else int(step.attribute("k", 1))
    if not step.attribute("largest", 1):
        raise step.error("OP-UNSUPPORTED", "TopK of the smallest values is not supported")
    axis = _frame_axis(step, step.attribute("axis", -1), x.shape, "the best values are")
    shape = tuple(k if n == axis else s for n, s in enumerate(x.shape))
    values = HostValue(x.origin, (*x.steps, HostStep("topk_values", None, {"axis": axis, "k": k})), shape, x.dtype, step.name)
    if k == 1:
        return (values, _select_best(step, axis, True))
    source = step.value(0)
    if isinstance(source, Pending) and step.node.outputs[-1]:
        ranked = _in_hardware(step, source, axis, shape, TopK(k))
        if ranked is not None:
            return (values, ranked)
    indices = HostValue(x.origin, (*x.steps, HostStep("topk", None, {"axis": axis, "k": k})), shape, "int64", step.name)
    return (values, indices)


def _select_best(step: Step, axis: int, keepdims: bool) -> Value:
    x = step.value(0)
    if not isinstance(x, Pending | HostValue):
        return Unknown()
    _frame_axis(step, axis, x.shape, "the best index is")
    shape = tuple(1 if k == axis else s for k, s in enumerate(x.shape) if k != axis or keepdims)
    hardware = _in_hardware(step, x, axis, shape, ArgMax()) if isinstance(x, Pending) else None
    if hardware is not None:
        return hardware
    host = _host(step)
    assert host is not None
    attributes: dict[str, Any] = {"axis": axis, "keepdims": keepdims}
    return HostValue(host.origin, (*host.steps, HostStep("argmax", None, attributes)), shape, "int64", step.name)


def _in_hardware(step: Step, x: Pending, axis: int, shape: tuple[int, ...], op: ArgMax | TopK) -> Value | None:
    """ArgMax or TopK of the integers themselves, where all classes share one strictly rising function of them."""
    if (
        x.leaf.tensor is None
        or x.leaf.channels != x.shape[axis]
        or x.layout.index is not None
        or x.layout.axes[axis] != ((x.shape[axis], 1),)
    ):
        return None
    try:
        source, expr = _shared(step, x)
    except InputError:
        return None
    assert source.interval is not None
    low, high = source.interval.bounds
    if not expr.shared or high - low >= MAX_POINTS:
        return None
    with np.errstate(all="ignore"):
        values = evaluate(expr, np.arange(low, high + 1, dtype=np.float64)[None, :])[0]
    if not (np.diff(values) > 0).all():
        return None
    name, made = step.builder.emit(step.name, op, (source,), step.node.outputs[-1])
    step.builder.notes[name] = {"op": op.kind, "classes": source.channels}
    best = made.channels
    chosen = ((best, 1),) if best > 1 else ()
    pixels = tuple(chosen if k == axis else tuple((n, s // source.channels * best) for n, s in a) for k, a in enumerate(x.layout.axes))
    reshaped = HostStep("reshape", None, {"shape": list(shape[1:])})
    return HostValue(Pending(made, leaf(), Layout(pixels)), (reshaped,), shape, "int64", step.name)


def _shared(step: Step, x: Pending) -> tuple[Leaf, Expr]:
    """The integers to compare and the pending function on them, per-class biases brought onto the integer grid where exact."""
    source, expr = x.leaf, x.expr
    if expr.discretises:
        made = step.builder.integers(x, step.name, step.node.inputs[0])
        source, expr = made.leaf, made.rest
    affine = split_affine(expr, True)
    if expr.shared or affine.core.op != "leaf" or affine.scale.ndim or source.interval is None:
        return source, expr
    scale = Fraction(float(affine.scale))
    steps = [Fraction(float(o)) / scale for o in affine.offset] if scale else []
    reach = max(abs(b) for b in source.interval.bounds)
    if not steps or any(s.denominator != 1 or abs(s) + reach >= 1 << 28 for s in steps) or scale.numerator.bit_length() > 24 or scale < 0:
        return source, expr
    bias = np.array([int(s) for s in steps])
    lo, hi = int((source.interval.lo + bias).min()), int((source.interval.hi + bias).max())
    op = Requantize(np.ones(len(bias), np.int64), bias, 0, Rounding.FLOOR, lo, hi, smallest_integer(lo, hi))
    _, moved = step.builder.emit(f"{step.name}.bias", op, (source,), f"{step.name}.bias")
    return moved, leaf().then("mul", affine.scale)


HOST_RULES: dict[str, Rule] = {
    "Softmax": _softmax("softmax"),
    "LogSoftmax": _softmax("log_softmax"),
    "ArgMax": _argmax,
    "TopK": _topk,
}

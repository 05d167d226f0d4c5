"""Ops that move elements without touching them: they change the layout, never the integers."""

from __future__ import annotations

from math import prod

import numpy as np

from hwq.frontend.step import Rule, Step
from hwq.frontend.values import Constant, HostValue, Pending, Unknown, Value
from hwq.network.host import HostStep

__all__ = ["LAYOUT_RULES", "reshaped"]


def _first(step: Step) -> Value:
    value = step.value(0)
    return Unknown() if value is None else value


def _dropout(step: Step) -> tuple[Value | None, ...]:
    training = step.value(2)
    if isinstance(training, Constant) and bool(np.any(training.array)):
        raise step.error("TRAIN-MODE", "the dropout is in training mode", "Call eval() before the export")
    return (_first(step), None)


def _shape(step: Step) -> Value:
    x = step.value(0)
    shape = x.shape if isinstance(x, Pending | HostValue | Unknown) else None
    if shape is None:
        return Unknown()
    return Constant(np.array(shape[step.attribute("start", 0) : step.attribute("end")], np.int64))


def reshaped(step: Step, x: Value | None, shape: tuple[int, ...]) -> Value:
    """``x`` in another shape."""
    if isinstance(x, Pending | HostValue):
        if not shape or shape[0] != 1:
            raise step.error(
                "BATCH-AXIS",
                f"the tensor of shape {x.shape} becomes {shape}, which mixes the batch axis with others",
                "Export the model with a batch of 1, and keep the first axis",
            )
        if isinstance(x, Pending):
            return Pending(x.leaf, x.expr, x.layout.reshaped(shape))
        return HostValue(x.origin, (*x.steps, HostStep("reshape", None, {"shape": list(shape[1:])})), shape, x.dtype, x.name)
    return Unknown(shape)


def _elements(step: Step) -> tuple[int, ...] | None:
    x = step.value(0)
    return x.shape if isinstance(x, Pending | HostValue | Unknown) else None


def _reshape(step: Step) -> Value:
    target = step.value(1)
    if target is None and "shape" in step.node.attributes:
        wanted = [int(v) for v in step.attribute("shape")]
    else:
        if isinstance(target, Unknown):
            return Unknown()
        wanted = [int(v) for v in step.need(1, "shape").reshape(-1)]
    old = _elements(step)
    if old is None:
        return Unknown()
    if not step.attribute("allowzero", 0):
        wanted = [old[k] if v == 0 and k < len(old) else v for k, v in enumerate(wanted)]
    if wanted.count(-1) == 1:
        rest = prod(v for v in wanted if v != -1)
        wanted[wanted.index(-1)] = prod(old) // rest if rest else 0
    if any(v < 0 for v in wanted) or prod(wanted) != prod(old):
        raise step.error("OP-OPERANDS", f"a tensor of shape {old} cannot become {tuple(wanted)}")
    return reshaped(step, step.value(0), tuple(wanted))


def _flatten(step: Step) -> Value:
    old = _elements(step)
    if old is None:
        return Unknown()
    axis = step.attribute("axis", 1)
    axis = axis + len(old) if axis < 0 else axis
    return reshaped(step, step.value(0), (prod(old[:axis]), prod(old[axis:])))


def _axes(step: Step) -> tuple[int, ...] | None:
    axes = step.array(1, "axes")
    if axes is None:
        axes = step.attribute("axes")
    return None if axes is None else tuple(int(a) for a in np.asarray(axes).reshape(-1))


def _squeeze(step: Step) -> Value:
    old, axes = _elements(step), _axes(step)
    if old is None:
        return Unknown()
    if axes is None:
        axes = tuple(k for k, v in enumerate(old) if v == 1 and k > 0)
    return reshaped(step, step.value(0), tuple(np.squeeze(np.empty(old, np.bool_), tuple(axes)).shape))


def _unsqueeze(step: Step) -> Value:
    old, axes = _elements(step), _axes(step)
    if old is None or axes is None:
        return Unknown()
    return reshaped(step, step.value(0), tuple(np.expand_dims(np.empty(old, np.bool_), axes).shape))


def _transpose(step: Step) -> Value:
    x, old = step.value(0), _elements(step)
    if old is None:
        return Unknown()
    perm = tuple(int(p) for p in step.attribute("perm") or reversed(range(len(old))))
    if sorted(perm) != list(range(len(old))):
        raise step.error("OP-OPERANDS", f"the permutation {perm} does not fit a tensor of shape {old}")
    if perm[0] != 0:
        if prod(old) == max(old):  # one long axis: moving it is a reshape
            return reshaped(step, step.value(0), tuple(old[p] for p in perm))
        raise step.error("BATCH-AXIS", f"the permutation {perm} moves the batch axis", "Keep the first axis")
    if isinstance(x, Pending):
        return Pending(x.leaf, x.expr, x.layout.transposed(perm))
    if isinstance(x, HostValue):
        moved = HostStep("transpose", None, {"perm": list(perm)})
        return HostValue(x.origin, (*x.steps, moved), tuple(old[p] for p in perm), x.dtype, x.name)
    return Unknown(tuple(old[p] for p in perm))


LAYOUT_RULES: dict[str, Rule] = {
    "Identity": _first,
    "Dropout": _dropout,
    "Shape": _shape,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
}

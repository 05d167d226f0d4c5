"""Constant folding: whatever depends on no input is computed once, quantization steps of weights remembered on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.frontend.numpy_ops import compute
from hwq.frontend.step import Step
from hwq.frontend.values import Constant

__all__ = ["fold"]

SCALE_OPERAND = {"Quant": 1, "IntQuant": 1, "BipolarQuant": 1, "Trunc": 1, "DequantizeLinear": 1, "Mul": None, "Div": None}
MOVES = frozenset(
    ["Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand", "Identity", "Cast", "Dropout", "Slice", "Gather", "Split"]
)
KEEPS = frozenset(["Clip", "Where", "Add", "Sub", "Neg", "Relu", "Mul", "Div", "Round", "Min", "Max"])
MAX_SCALES = 8


def fold(step: Step) -> tuple[Constant, ...]:
    """Outputs of a node whose inputs are all constant. Raises :class:`InputError` where the op has no meaning here."""
    inputs = [v.array if isinstance(v, Constant) else None for v in step.inputs]
    try:
        arrays = compute(step.node.op, inputs, step.node.attributes)
    except InputError as error:
        raise InputError(error.code, error.message, where=step.name, hint=error.hint) from None
    return tuple(Constant(a, _scales(step, inputs, a, k)) for k, a in enumerate(arrays))


def _scales(step: Step, inputs: list[NDArray[Any] | None], made: NDArray[Any], result: int) -> tuple[NDArray[Any], ...]:
    """Steps that the graph states for the result number ``result``: the quantizer's own, or a factor that spreads over it."""
    op = step.node.op
    first = step.inputs[0] if step.inputs else None
    earlier = first.scales if isinstance(first, Constant) else ()
    if op in MOVES and isinstance(first, Constant):
        return tuple(s for s in (_moved(step, s, first.array.shape, inputs, result) for s in earlier) if s is not None)
    if op == "Concat":
        joined = _joined(step)
        return () if joined is None else (joined,)
    if result:
        return ()
    if op not in SCALE_OPERAND:
        return tuple(s for v in step.inputs if isinstance(v, Constant) for s in v.scales)[:MAX_SCALES] if op in KEEPS else ()
    place = SCALE_OPERAND[op]
    if place is not None:
        scale = inputs[4] if op == "Trunc" and len(inputs) > 5 else inputs[place]
        return (_spread(step, scale, made),) if scale is not None else ()
    factors = [
        1 / x if op == "Div" and k else x for k, x in enumerate(inputs) if x is not None and x.dtype.kind == "f" and x.size < made.size
    ]
    own = tuple(s for v in step.inputs if isinstance(v, Constant) for s in v.scales)
    return (*(f for f in factors if np.all(f)), *own)[:MAX_SCALES]


def _spread(step: Step, scale: NDArray[Any], made: NDArray[Any]) -> NDArray[Any]:
    """A per-axis scale of DequantizeLinear in the shape that broadcasts against the tensor."""
    if step.node.op != "DequantizeLinear" or scale.size == 1 or scale.ndim != 1:
        return scale
    shape = [1] * made.ndim
    shape[step.attribute("axis", 1)] = scale.size
    return scale.reshape(shape)


def _moved(step: Step, scale: NDArray[Any], shape: tuple[int, ...], inputs: list[NDArray[Any] | None], place: int) -> NDArray[Any] | None:
    """The scale of each element after the move."""
    if scale.size == 1:
        return scale.reshape(())
    try:
        return compute(step.node.op, [np.broadcast_to(scale, shape), *inputs[1:]], step.node.attributes)[place]
    except (InputError, ValueError):
        return None


def _joined(step: Step) -> NDArray[Any] | None:
    """The scale of each element of joined constants, None where one states none."""
    parts = [v for v in step.inputs if isinstance(v, Constant)]
    if not all(v.scales for v in parts):
        return None
    try:
        spread = [np.broadcast_to(v.scales[0], v.array.shape) for v in parts]
        return compute("Concat", spread, step.node.attributes)[0]
    except (InputError, ValueError):
        return None

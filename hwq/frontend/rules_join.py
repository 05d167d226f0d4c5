"""Ops that bring several tensors together or take one apart: sums, products, concatenation, ranges of channels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.frontend.builder import Integers
from hwq.frontend.expression import leaf
from hwq.frontend.join import added
from hwq.frontend.normalize import split_affine
from hwq.frontend.step import Step
from hwq.frontend.trace import trace_entry
from hwq.frontend.values import Layout, Pending, Summed, Value
from hwq.network.ops import Mul, Requantize, Upsample
from hwq.numerics.encoding import smallest_integer
from hwq.numerics.rounding import Rounding

__all__ = ["joined"]

Real = NDArray[np.float64]


def joined(step: Step, a: Pending, b: Pending, op: str) -> Value:
    """A sum, difference or product of two tensors of different layers."""
    if op not in ("add", "sub", "mul"):
        raise step.error(
            "JOIN-OP",
            f"{step.node.op} of two tensors of different layers is not supported",
            "Sums, differences, products and concatenations of quantized tensors are",
        )
    x, y = _aligned(step, a, b)
    if op == "mul":
        return _product(step, [_operand(step, v, k) for k, v in enumerate((x, y))], x.layout)
    first, second = (_summands(step, v, k) for k, v in enumerate((x, y)))
    if op == "sub":
        second = [_negated(o) for o in second]
    return added(step.builder, [*first, *second], x.layout, step.name, step.node.outputs[0])


def _summands(step: Step, x: Pending, place: int) -> list[Integers]:
    """The operand, or those of the sum that it is itself, where nothing but a scale and an offset lies on it."""
    made, affine = x.leaf.made, split_affine(x.expr, False)
    if not isinstance(made, Summed) or affine.core.op != "leaf":
        return [_operand(step, x, place)]
    return [_scaled(o, affine.scale, affine.offset if k == 0 else np.zeros(())) for k, o in enumerate(made.operands)]


def _scaled(x: Integers, scale: Real, offset: Real) -> Integers:
    rest = x.rest.then("mul", scale).then("add", offset)
    return Integers(x.leaf, np.asarray(x.scale * scale), np.asarray(x.offset * scale + offset), rest)


def _aligned(step: Step, a: Pending, b: Pending) -> tuple[Pending, Pending]:
    """Both over leaves of one shape in which they lie alike; one pixel is spread over an image."""
    a, b = (step.builder.settled(v, step.name, 1) for v in (a, b))
    if a.layout.same(b.layout) and a.leaf.shape == b.leaf.shape:
        return a, b
    if a.leaf.pixels == 1 and b.leaf.pixels > 1:
        a = _spread(step, a, b, 0)
    elif b.leaf.pixels == 1 and a.leaf.pixels > 1:
        b = _spread(step, b, a, 1)
    if a.layout.same(b.layout) and a.leaf.shape == b.leaf.shape:
        return a, b
    raise step.error(
        "JOIN-SHAPE",
        f"{step.node.op} joins tensors of shapes {a.shape} and {b.shape} that lie differently in the image",
        "Join tensors of one shape and layout; a gate of one pixel and all channels is spread over the image",
    )


def _spread(step: Step, gate: Pending, image: Pending, place: int) -> Pending:
    """One pixel (1, C, 1, 1) over the pixels of the image."""
    if np.broadcast_shapes(gate.shape, image.shape) != image.shape or gate.leaf.channels != image.leaf.channels:
        return gate
    try:
        made = step.builder.integers(gate, step.name, step.node.inputs[place])
    except InputError as error:
        raise _unquantized(step, gate, error) from None
    factor = (image.leaf.shape[0], image.leaf.shape[1])
    _, spread = step.builder.emit(f"{step.name}.spread", Upsample(factor), (made.leaf,), f"{made.leaf.tensor}.spread")
    return Pending(spread, made.rest, image.layout)


def _operand(step: Step, x: Pending, place: int) -> Integers:
    given = step.inputs[place]
    try:
        if isinstance(given, Pending) and given.shape != x.shape:  # spread: the source shows no such tensor
            return step.builder.plain_integers(x, step.name, f"{step.node.inputs[place]}.spread")
        return step.builder.integers(x, step.name, step.node.inputs[place])
    except InputError as error:
        raise _unquantized(step, x, error) from None


def _unquantized(step: Step, x: Pending, error: InputError) -> InputError:
    """An operand that is no affine function of integers."""
    if error.code != "NO-QUANTIZER":
        return error
    behind = next(reversed(x.expr.labels), None)
    message = f"its operand behind {behind!r} is not quantized" if behind else "one of its operands is not quantized"
    hint = "Quantize each operand in front of it, with one shared quantizer where they are added"
    return InputError("NO-QUANTIZER", message, where=step.name, hint=hint)


def _negated(x: Integers) -> Integers:
    return Integers(x.leaf, -x.scale, -x.offset, x.rest.then("neg"))


def _product(step: Step, operands: list[Integers], layout: Layout) -> Pending:
    """``(s a) * (t b) = (s t) (a b)``; offsets are made part of the integers first."""
    a, b = (_without_offset(step, o, k) for k, o in enumerate(operands))
    _, made = step.builder.emit(step.name, Mul(), (a.leaf, b.leaf), step.node.outputs[0])
    scale = np.asarray(a.scale * b.scale)
    step.builder.trace[made.tensor or ""] = trace_entry(step.node.outputs[0], scale, np.zeros(()), layout)
    return Pending(made, leaf().then("mul", scale, name=step.name), layout)


def _without_offset(step: Step, x: Integers, place: int) -> Integers:
    if not np.any(x.offset):
        return x
    with np.errstate(all="ignore"):
        shift = np.asarray(x.offset / x.scale)
    if not (np.isfinite(shift) & (shift == np.rint(shift)) & (np.abs(shift) < 1 << 24)).all():
        raise step.error(
            "PRODUCT-OFFSET",
            f"operand {place} of the product has an offset that is no whole number of steps",
            "Quantize it with an integer zero point",
        )
    bias = np.rint(shift).astype(np.int64).reshape(-1)
    reach = x.leaf.interval
    assert reach is not None
    lo, hi = int((reach.lo + bias).min()), int((reach.hi + bias).max())
    op = Requantize(np.ones_like(bias), bias, 0, Rounding.FLOOR, lo, hi, smallest_integer(lo, hi))
    _, made = step.builder.emit(f"{step.name}.offset", op, (x.leaf,), f"{x.leaf.tensor}.offset")
    return Integers(made, x.scale, np.zeros(()), leaf().then("mul", x.scale))

"""Convolutions over one or two axes."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.frontend.contraction import (
    Contraction,
    accumulation_of,
    bias_of,
    caught,
    contracted,
    operand,
    parts_of,
    stand_in,
    weights_of,
)
from hwq.frontend.expression import evaluate
from hwq.frontend.rules_channels import permuted
from hwq.frontend.step import Rule, Step
from hwq.frontend.values import Constant, Layout, Padded, Pending, Unknown, Value
from hwq.frontend.window_shape import WindowShape
from hwq.network.ops import Exact, Window

__all__ = ["CONV_RULES", "image", "network_window"]

MAX_ELEMENTS = 1 << 28  # of one tensor of the Network


def image(step: Step, x: Pending, ranks: tuple[int, ...] = (3, 4)) -> Pending:
    """The tensor as (batch, channels, one or two axes) over a decided leaf that is just so; raises :class:`InputError` otherwise."""
    if len(x.shape) not in ranks:
        raise step.error(
            "OP-UNSUPPORTED",
            f"{step.node.op} over a tensor of shape {x.shape} is not supported",
            "Images (batch, channels, height, width) and sequences (batch, channels, length) are",
        )
    settled = operand(step, x, 1)
    if settled.layout.same(Layout.channels_first(settled.shape)) and prod(settled.shape[2:]) == settled.leaf.pixels:
        expected = (1,) * (4 - len(settled.shape)) + settled.shape[2:]
        if settled.leaf.shape[:2] == expected:
            return settled
    order = _channel_order(settled)
    if order is not None:
        return permuted(step, settled, order)
    raise step.error(
        "LAYOUT",
        f"{step.node.op} reads a tensor of shape {settled.shape} whose pixels and channels were rearranged or made of a vector",
        "Keep the layout (batch, channels, height, width) from layer to layer",
    )


def _channel_order(x: Pending) -> NDArray[np.int64] | None:
    """Which channel of the leaf each channel is, where the tensor is an image but for that."""
    c = x.leaf.channels
    if x.layout.index is not None or x.shape[1] != c or any(s >= c for _, s in x.layout.axes[1]):
        return None
    if x.layout.axes[2:] != Layout.channels_first(x.shape).axes[2:] or prod(x.shape[2:]) != x.leaf.pixels:
        return None
    return Layout(((), x.layout.axes[1])).positions().reshape(-1)


def network_window(w: WindowShape) -> Window:
    """The window in rows and columns; a sequence is an image of one row."""

    def both(values: tuple[int, ...], one: int) -> tuple[int, int]:
        return (one, values[0]) if len(values) == 1 else (values[0], values[1])

    before, after = both(w.before, 0), both(w.after, 0)
    return Window(both(w.kernel, 1), both(w.stride, 1), (*before, *after), both(w.dilation, 1))


def window_of(step: Step, x: Pending, kernel: tuple[int, ...]) -> WindowShape:
    """The node's window over the image."""
    try:
        return WindowShape.of(step.node.attributes, x.shape[2:], kernel)
    except ValueError as error:
        raise step.error("OP-OPERANDS", str(error)) from None


def _conv(step: Step) -> Value:
    x, w = step.value(0), step.value(1)
    if not isinstance(w, Constant):
        if isinstance(w, Unknown) or w is None:
            return Unknown()
        raise step.error("NOT-CONSTANT", "the convolution of two activations is not supported", "Freeze the weights before the export")
    if isinstance(x, Unknown) or x is None:
        return Unknown()
    if w.array.ndim not in (3, 4):
        hint = "Convolutions over one or two axes are"
        raise step.error("OP-UNSUPPORTED", f"a convolution with weights of shape {w.array.shape} is not supported", hint)
    problems: list[InputError] = []
    value = caught(problems, lambda: _emit(step, x, w))
    if value is not None:
        return value
    step.builder.problems.extend(problems)
    return _refused(step, x, w)


def _refused(step: Step, x: Value, w: Constant) -> Value:
    """A stand-in of the right shape, where that is known."""
    if not isinstance(x, Pending) or len(x.shape) != w.array.ndim:
        return Unknown()
    try:
        shape = WindowShape.of(step.node.attributes, x.shape[2:], w.array.shape[2:]).out
    except ValueError:
        return Unknown()
    outputs = len(w.array)
    size = (1, *shape) if len(shape) == 1 else shape
    return stand_in(step, (size[0], size[1], outputs), Layout.channels_first((1, outputs, *shape)), biased=step.value(2) is not None)


def _emit(step: Step, x: Value, w: Constant) -> Pending:
    problems: list[InputError] = []
    accumulation = accumulation_of(step)
    outputs, inputs, *kernel = w.array.shape
    columns = prod((inputs, *kernel))
    scales = tuple(np.broadcast_to(s, w.array.shape).reshape(outputs, columns).T for s in w.scales)
    matrix = w.array.reshape(outputs, columns).T
    weights = caught(problems, lambda: weights_of(step, matrix, scales, isinstance(accumulation, Exact)))
    source = caught(problems, lambda: image(step, x, (w.array.ndim,)))  # type: ignore[arg-type]
    if source is None or weights is None:
        step.builder.problems.extend(problems[:-1])
        raise problems[-1]
    groups = int(step.attribute("group", 1))
    if source.shape[1] != inputs * groups or outputs % groups:
        raise step.error("OP-OPERANDS", f"weights of shape {w.array.shape} in {groups} groups do not fit a tensor of shape {source.shape}")
    shape = window_of(step, source, tuple(kernel))
    window = network_window(shape)
    if prod(shape.out) * outputs > MAX_ELEMENTS:
        raise step.error("TENSOR-SIZE", f"its output has {prod(shape.out) * outputs} elements, at most {MAX_ELEMENTS} are built")
    source, window = _with_padding(source, window)
    taps = weights.integers.T.reshape(outputs, inputs, *window.kernel).transpose(0, 2, 3, 1)
    c = Contraction(np.ascontiguousarray(taps), weights, window, groups, accumulation, bias_of(step, step.array(2, "bias")))
    layout = Layout.channels_first((1, outputs, *shape.out))
    return contracted(step, parts_of(step, source, c), c, layout)


def _with_padding(x: Pending, window: Window) -> tuple[Pending, Window]:
    """Pixels of real zeros in front of the layer as its own padding."""
    made = x.leaf.made
    if not isinstance(made, Padded) or np.any(evaluate(x.expr, np.zeros((x.leaf.channels, 1)))):
        return x, window
    top, left, bottom, right = (a + b for a, b in zip(made.padding, window.padding, strict=True))
    h, w, c = made.inner.shape
    layout = Layout.channels_first((1, c, h, w) if len(x.shape) == 4 else (1, c, w))
    return Pending(made.inner, x.expr, layout), Window(window.kernel, window.stride, (top, left, bottom, right), window.dilation)


CONV_RULES: dict[str, Rule] = {"Conv": _conv}

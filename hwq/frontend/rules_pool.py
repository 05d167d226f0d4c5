"""Pools: largest values wait for the next quantizer, means are integer sums whose divisor waits in the pending function."""

from __future__ import annotations

from math import lcm, prod

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.frontend.border import border_sums
from hwq.frontend.builder import Integers
from hwq.frontend.contraction import explained
from hwq.frontend.expression import leaf
from hwq.frontend.numpy_windows import window_count
from hwq.frontend.realise import moved
from hwq.frontend.rules_conv import image, window_of
from hwq.frontend.step import Rule, Step
from hwq.frontend.trace import trace_entry
from hwq.frontend.values import Layout, Leaf, Pending, Unknown, Value
from hwq.frontend.window_shape import WindowShape
from hwq.network.ops import BorderAffine, Pool, Window

__all__ = ["POOL_RULES", "averaged", "largest"]


def largest(step: Step, x: Pending, window: Window, mode: str = "max") -> Pending:
    """The largest (or smallest) values of an image in a window; the spatial shape follows from the leaf's."""
    op = Pool("max", window)
    if not x.expr.is_monotone:
        x = _discrete(step, x)
    try:
        shape = op.shape(x.leaf.shape)
    except ValueError as error:
        raise step.error("OP-OPERANDS", str(error)) from None
    if mode == "max":
        made = moved(step.name, x, op, shape)
        return Pending(made, x.expr, _layout(x, shape))
    negative = x.with_expr(x.expr.then("neg"))
    return Pending(moved(step.name, negative, op, shape), x.expr, _layout(x, shape))


def _discrete(step: Step, x: Pending) -> Pending:
    """The tensor over its own integers, where its function rises and falls."""
    try:
        made = step.builder.integers(x, step.name, step.node.inputs[0])
    except InputError as error:
        raise explained(step, x, error) from None
    return Pending(made.leaf, made.rest, x.layout)


def _layout(x: Pending, shape: tuple[int, int, int]) -> Layout:
    h, w, c = shape
    return Layout.channels_first((1, c, h, w) if len(x.shape) == 4 else (1, c, w))


def _max_pool(step: Step) -> Value | tuple[Value | None, ...]:
    x = step.value(0)
    if not isinstance(x, Pending):
        return _elsewhere(step, x)
    if len(step.node.outputs) > 1 and step.node.outputs[1]:
        raise step.error("OP-UNSUPPORTED", "MaxPool with indices is not supported", "Leave out return_indices")
    x = image(step, x)
    shape = window_of(step, x, tuple(int(k) for k in step.attribute("kernel_shape", ())))
    return largest(step, x, _pool_window(shape, len(x.shape)))


def _pool_window(shape: WindowShape, rank: int) -> Window:
    """The window with just the padding behind the image that the last window reads."""
    after = tuple(
        max(0, (o - 1) * s + (k - 1) * d + 1 - z - b)
        for o, s, k, d, z, b in zip(shape.out, shape.stride, shape.kernel, shape.dilation, shape.size, shape.before, strict=True)
    )

    def both(values: tuple[int, ...], one: int) -> tuple[int, int]:
        return (one, values[0]) if rank == 3 else (values[0], values[1])

    pads = (*both(shape.before, 0), *both(after, 0))
    return Window(both(shape.kernel, 1), both(shape.stride, 1), pads, both(shape.dilation, 1))


def _elsewhere(step: Step, x: Value | None) -> Value:
    if isinstance(x, Unknown) or x is None:
        return Unknown()
    raise step.error("HOST-OP", f"{step.node.op} behind the last quantizer's host steps is not supported", "End the model before it")


def averaged(step: Step, x: Pending, window: Window, counted: NDArray[np.int64] | None, divisor: float) -> Pending:
    """Sums over a window divided by ``divisor``, or by the number of real pixels ``counted`` (OH, OW) where that varies."""
    try:
        source = step.builder.integers(x, step.name, step.node.inputs[0])
    except InputError as error:
        raise explained(step, x, error) from None
    bare = counted is None and not (window.is_padded and np.any(source.offset))
    tensor = step.node.outputs[0] if bare else f"{step.node.outputs[0]}.sums"
    _, sums = step.builder.emit(step.name, Pool("sum", window), (source.leaf,), tensor)
    if bare:
        count = prod(window.kernel)
        return _divided(step, sums, source.scale, np.asarray(source.offset * count), divisor, _layout(x, sums.shape))
    if counted is not None:
        real = np.outer(window.valid_rows(source.leaf.shape[0]), window.valid_columns(source.leaf.shape[1]))
        if np.any(source.offset) and (real != counted).any():
            raise step.error("PADDING-EXACT", "its mean counts padding, but the real 0 is no integer of its input's grid", "Leave it out")
        return _levelled(step, x, sums, source, counted)
    sums, multiple = border_sums(step, sums, source, window, step.node.outputs[0])
    return _divided(step, sums, np.asarray(source.scale / multiple), np.zeros(()), divisor, _layout(x, sums.shape))


def _divided(step: Step, sums: Leaf, scale: NDArray[np.float64], offset: NDArray[np.float64], divisor: float, layout: Layout) -> Pending:
    expr = leaf().then("mul", scale, name=step.name).then("add", offset, name=step.name).then("div", divisor, name=step.name)
    step.builder.trace[sums.tensor or ""] = trace_entry(
        step.node.outputs[0], np.asarray(scale / divisor), np.asarray(offset / divisor), layout
    )
    return Pending(sums, expr, layout)


def _levelled(step: Step, x: Pending, sums: Leaf, source: Integers, counted: NDArray[np.int64]) -> Pending:
    """Each class of pixels times what brings its count of real pixels to the common multiple."""
    common = lcm(*(int(c) for c in np.unique(counted)))
    _, row, rows = np.unique(counted, axis=0, return_index=True, return_inverse=True)
    _, column, columns = np.unique(counted, axis=1, return_index=True, return_inverse=True)
    scale = common // counted[np.ix_(row, column)]
    op = BorderAffine(rows.reshape(-1), columns.reshape(-1), scale, np.zeros((*scale.shape, 1), np.int64))
    _, made = step.builder.emit(f"{step.name}.border", op, (sums,), step.node.outputs[0])
    return _divided(step, made, source.scale, np.asarray(source.offset * common), float(common), _layout(x, made.shape))


def _average_pool(step: Step) -> Value:
    x = step.value(0)
    if not isinstance(x, Pending):
        return _elsewhere(step, x)
    x = image(step, x)
    shape = window_of(step, x, tuple(int(k) for k in step.attribute("kernel_shape", ())))
    window = _pool_window(shape, len(x.shape))
    h, w, _ = x.leaf.shape
    include = bool(step.attribute("count_include_pad", 0))
    divisor = window_count(shape, include)
    divisor = divisor.reshape((1, -1) if divisor.ndim == 1 else divisor.shape)
    real = np.outer(window.valid_rows(h), window.valid_columns(w))
    if divisor.min() < 1:
        raise step.error("OP-OPERANDS", "some windows lie in the padding alone")
    if (divisor == divisor.flat[0]).all() and (include or (real == prod(window.kernel)).all()):
        return averaged(step, x, window, None, float(divisor.flat[0]))
    return averaged(step, x, window, divisor, 1.0)


def _whole(x: Pending) -> Window:
    return Window(x.leaf.shape[:2])


def _global_average(step: Step) -> Value:
    x = step.value(0)
    if not isinstance(x, Pending):
        return _elsewhere(step, x)
    x = image(step, x)
    return averaged(step, x, _whole(x), None, float(x.leaf.pixels))


def _global_max(step: Step) -> Value:
    x = step.value(0)
    if not isinstance(x, Pending):
        return _elsewhere(step, x)
    x = image(step, x)
    return largest(step, x, _whole(x))


def _reduce(kind: str) -> Rule:
    """Means, sums, largest and smallest values over all spatial axes."""

    def rule(step: Step) -> Value:
        x = step.value(0)
        if not isinstance(x, Pending):
            return _elsewhere(step, x)
        rank = len(x.shape)
        given = step.array(1, "axes")
        axes = step.attribute("axes") if given is None else given.reshape(-1).tolist()
        axes = range(rank) if axes is None else axes
        over = sorted(int(a) % rank for a in axes)
        if over != list(range(2, rank)):
            raise step.error(
                "OP-UNSUPPORTED",
                f"{step.node.op} of a tensor of shape {x.shape} over the axes {over} is not supported",
                f"Over all pixels, the axes {list(range(2, max(rank, 3)))}, it is",
            )
        x = image(step, x)
        if kind in ("max", "min"):
            made = largest(step, x, _whole(x), kind)
        else:
            made = averaged(step, x, _whole(x), None, float(x.leaf.pixels) if kind == "mean" else 1.0)
        shape = made.shape if step.attribute("keepdims", 1) else made.shape[:2]
        return Pending(made.leaf, made.expr, made.layout.reshaped(shape))

    return rule


POOL_RULES: dict[str, Rule] = {
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global_average,
    "GlobalMaxPool": _global_max,
    "ReduceMean": _reduce("mean"),
    "ReduceSum": _reduce("sum"),
    "ReduceMax": _reduce("max"),
    "ReduceMin": _reduce("min"),
}

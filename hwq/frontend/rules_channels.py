"""Ops that put channels of several tensors together, and take or permute some of one."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from hwq.frontend.expression import leaf, restricted, stack
from hwq.frontend.rules_layout import reshaped
from hwq.frontend.step import Rule, Step, flattened
from hwq.frontend.values import HostValue, Layout, Leaf, Pending, Stacked, Unknown, Value
from hwq.network.ops import Conv, Split
from hwq.numerics.encoding import Integer

__all__ = ["CHANNEL_RULES", "cropped", "permuted"]

MAX_FLAT = 1 << 12  # elements of images that are concatenated as vectors
MAX_CROP = 31  # taps of the window that cuts pixels off


def _concat(step: Step) -> Value:
    axis = int(step.attribute("axis", 1))
    if len(step.inputs) == 1:
        return step.inputs[0] or Unknown()
    if any(isinstance(v, Unknown) or v is None for v in step.inputs):
        return Unknown()
    if any(not isinstance(v, Pending) for v in step.inputs):
        what = "a tensor of the host" if any(isinstance(v, HostValue) for v in step.inputs) else "a constant"
        raise step.error("CONCAT", f"it joins {what} with tensors of the hardware", "Return the tensors as separate outputs")
    parts = [step.builder.settled(v, step.name, axis) for v in step.inputs if isinstance(v, Pending)]
    rank = len(parts[0].shape)
    axis %= rank
    if axis == 0:
        raise step.error("BATCH-AXIS", "it joins tensors along the batch", "Frames are independent: use another axis")
    if any(
        len(p.shape) != rank or p.shape[:axis] != parts[0].shape[:axis] or p.shape[axis + 1 :] != parts[0].shape[axis + 1 :] for p in parts
    ):
        raise step.error("OP-OPERANDS", f"tensors of shapes {', '.join(str(p.shape) for p in parts)} do not join along axis {axis}")
    if all(_is_channel_axis(p, axis) for p in parts) and len({p.leaf.shape[:2] for p in parts}) == 1:
        return _along_channels(step, parts, axis)
    return _as_vectors(step, parts, axis)


def _is_channel_axis(x: Pending, axis: int) -> bool:
    c = x.leaf.channels
    return x.layout.index is None and x.layout.axes[axis] == (((c, 1),) if c > 1 else ())


def _along_channels(step: Step, parts: Sequence[Pending], axis: int) -> Value:
    total = sum(p.leaf.channels for p in parts)
    layouts = [_with_channels(p.layout, axis, p.leaf.channels, total) for p in parts]
    if any(not layouts[0].same(other) for other in layouts):
        raise step.error("LAYOUT", "it joins tensors whose pixels are arranged differently", "Keep one layout in all branches")
    sizes = [p.leaf.channels for p in parts]
    made = Leaf(None, (*parts[0].leaf.shape[:2], total), made=Stacked(tuple(parts), step.name))
    return Pending(made, stack([p.expr for p in parts], sizes), layouts[0])


def _with_channels(layout: Layout, axis: int, old: int, new: int) -> Layout:
    """The same pixels with another number of channels on ``axis``."""
    axes = [tuple((n, s // old * new) for n, s in a) for a in layout.axes]
    axes[axis] = ((new, 1),) if new > 1 else ()
    return Layout(tuple(axes))


def _as_vectors(step: Step, parts: Sequence[Pending], axis: int) -> Value:
    """Tensors of different images, element by element."""
    if sum(prod(p.shape) for p in parts) > MAX_FLAT:
        raise step.error(
            "CONCAT",
            f"it joins tensors of shapes {', '.join(str(p.shape) for p in parts)} along an axis that is not the channels",
            "Return them as separate outputs and join them on the host",
        )
    flat = [flattened(step, p, k) for k, p in enumerate(parts)]
    total = sum(p.leaf.channels for p in flat)
    starts = np.cumsum([0, *(p.leaf.channels for p in flat)])
    index = np.concatenate([p.layout.positions() + s for p, s in zip(flat, starts, strict=False)], axis)
    made = Leaf(None, (1, 1, total), made=Stacked(tuple(flat), step.name))
    layout = Layout.at(index)
    return Pending(
        made, stack([p.expr for p in flat], [p.leaf.channels for p in flat]), Layout.of(index.shape) if layout.in_order else layout
    )


def _based(step: Step, x: Pending) -> Pending:
    """The tensor over integers of the Network, quantized where its function already says how."""
    x = step.builder.settled(x, step.name, 1)
    if x.leaf.tensor is not None and not x.expr.discretises:
        return x
    made = step.builder.integers(x, step.name, step.node.inputs[0])
    return Pending(made.leaf, made.rest, x.layout)


def _ranges(step: Step, x: Pending, axis: int, sizes: Sequence[int], wanted: Sequence[int]) -> list[Pending]:
    """The ``wanted`` ones of consecutive ranges of channels."""
    x = _based(step, x)
    if not _is_channel_axis(x, axis):
        raise step.error(
            "LAYOUT",
            f"{step.node.op} cuts axis {axis} of a tensor of shape {x.shape}, which is not its channels",
            "Cutting along the channels is supported, and cutting pixels off an image",
        )
    tensors = [step.node.outputs[k] if len(wanted) > 1 and k < len(step.node.outputs) else step.node.outputs[0] for k in range(len(sizes))]
    tensors = [t or step.node.outputs[0] if k in wanted else "" for k, t in enumerate(tensors)]
    _, leaves = step.builder.emit_many(step.name, Split(tuple(sizes)), (x.leaf,), tensors)
    starts = np.cumsum([0, *sizes]).tolist()
    made = []
    for k in wanted:
        expr = restricted(x.expr, slice(starts[k], starts[k + 1]))
        made.append(Pending(leaves[k], expr, _with_channels(x.layout, axis, x.leaf.channels, sizes[k])))
    return made


def _split(step: Step) -> Value | tuple[Value | None, ...]:
    x = step.value(0)
    if not isinstance(x, Pending):
        return _elsewhere(step, x)
    axis = int(step.attribute("axis", 0)) % len(x.shape)
    given = step.array(1, "sizes")
    sizes = step.attribute("split") if given is None else given.reshape(-1).tolist()
    if sizes is None:
        count = int(step.attribute("num_outputs", len(step.node.outputs)))
        whole = -(-x.shape[axis] // count)
        sizes = [min(whole, x.shape[axis] - k * whole) for k in range(count)]
    sizes = [int(s) for s in sizes]
    if sum(sizes) != x.shape[axis] or min(sizes) < 1 or len(sizes) < len(step.node.outputs):
        raise step.error("OP-OPERANDS", f"an axis of {x.shape[axis]} elements does not fall into {sizes}")
    wanted = [k for k, o in enumerate(step.node.outputs) if o]
    made = dict(zip(wanted, _ranges(step, x, axis, sizes, wanted), strict=True))
    return tuple(made.get(k) for k in range(len(step.node.outputs)))


def _elsewhere(step: Step, x: Value | None) -> Value:
    if isinstance(x, Unknown) or x is None:
        return Unknown()
    raise step.error("HOST-OP", f"{step.node.op} behind the host's steps is not supported", "End the model before it")


def _slice(step: Step) -> Value:
    x = step.value(0)
    if not isinstance(x, Pending):
        return _elsewhere(step, x)
    rank = len(x.shape)
    starts, ends = (step.array(k, w) for k, w in ((1, "starts"), (2, "ends")))
    begin = np.asarray(step.attribute("starts") if starts is None else starts).reshape(-1).tolist()
    end = np.asarray(step.attribute("ends") if ends is None else ends).reshape(-1).tolist()
    axes = step.array(3, "axes")
    places = step.attribute("axes", range(len(begin))) if axes is None else axes.reshape(-1).tolist()
    steps = step.array(4, "steps")
    strides = [1] * len(begin) if steps is None else steps.reshape(-1).tolist()
    value: Pending = x
    pixels: dict[int, range] = {}
    for axis, b, e, s in zip((int(p) % rank for p in places), begin, end, strides, strict=True):
        taken = range(x.shape[axis])[slice(int(b), int(e), int(s))] if s > 0 else range(0)
        if len(taken) == x.shape[axis]:
            continue
        if not taken:
            raise step.error("OP-OPERANDS", f"the slice {b}:{e}:{s} of axis {axis} is empty or backwards")
        if axis in (1, rank - 1) and taken.step == 1 and _is_channel_axis(step.builder.settled(value, step.name, 1), axis):
            value = _one_range(step, value, axis, taken.start, taken.stop)
        else:
            pixels[axis] = taken
    return cropped(step, value, pixels) if pixels else value


def _one_range(step: Step, x: Pending, axis: int, start: int, stop: int) -> Pending:
    pieces = [(start, False), (stop - start, True), (x.shape[axis] - stop, False)]
    kept = [(n, w) for n, w in pieces if n]
    return _ranges(step, x, axis, [n for n, _ in kept], [k for k, (_, w) in enumerate(kept) if w])[0]


def cropped(step: Step, x: Pending, taken: dict[int, range]) -> Pending:
    """Pixels ``taken[axis]`` of an image: a window for each channel in which a single tap is 1."""
    from hwq.frontend.rules_conv import image

    x = _based(step, image(step, x))
    rank = len(x.shape)
    if any(axis < 2 for axis in taken):
        raise step.error("OP-UNSUPPORTED", f"a slice with steps along axis {min(taken)} is not supported", "Take consecutive channels")
    h, w, c = x.leaf.shape
    ranges = [taken.get(a, range(x.shape[a])) for a in range(2, rank)]
    rows, columns = (range(1), ranges[0]) if rank == 3 else (ranges[0], ranges[1])
    kernel, stride = (h - rows[-1] + rows[0], w - columns[-1] + columns[0]), (rows.step, columns.step)
    if max(kernel) > MAX_CROP:
        raise step.error(
            "OP-UNSUPPORTED", f"it cuts {max(kernel) - 1} rows or columns off, at most {MAX_CROP - 1} are", "Pad less in front of it"
        )
    taps = np.zeros((c, *kernel, 1), np.int64)
    taps[:, rows[0], columns[0], 0] = 1
    op = Conv(taps, Integer(2, True, narrow=True), stride=stride, groups=c)
    _, made = step.builder.emit(step.name, op, (x.leaf,), step.node.outputs[0])
    shape = (1, c, *(len(r) for r in ranges))
    return Pending(made, x.expr, Layout.channels_first(shape))


def permuted(step: Step, x: Pending, order: NDArray[np.int64]) -> Pending:
    """The tensor over a leaf whose channel k is the old channel ``order[k]``, by a convolution of one pixel."""
    made = step.builder.integers(x, step.name, step.node.inputs[0])
    taps = np.eye(len(order), dtype=np.int64)[order].reshape(len(order), 1, 1, -1)
    name = f"{step.name}.permutation"
    moved = step.builder.cached(
        ("permutation", order.tobytes()),
        made.leaf,
        lambda: step.builder.emit(name, Conv(taps, Integer(2, True, narrow=True)), (made.leaf,), f"{made.leaf.tensor}.permuted")[1],
    )
    scale, offset = (v if v.ndim == 0 else v[order] for v in (made.scale, made.offset))
    return Pending(moved, leaf().then("mul", scale).then("add", offset), Layout.channels_first(x.shape))


def _gather(step: Step) -> Value:
    x = step.value(0)
    if not isinstance(x, Pending):
        return _elsewhere(step, x)
    indices = step.need(1, "indices")
    axis = int(step.attribute("axis", 0)) % len(x.shape)
    flat = np.asarray(indices).reshape(-1) % x.shape[axis]
    if axis == 0 or indices.ndim > 1 or (np.diff(flat) != 1).any():
        raise step.error(
            "OP-UNSUPPORTED", f"Gather of the elements {flat.tolist()[:8]} of axis {axis} is not supported", "Take a consecutive range"
        )
    start, stop = int(flat[0]), int(flat[-1]) + 1
    made = x if stop - start == x.shape[axis] else _one_range(step, x, axis, start, stop)
    if indices.ndim:
        return made
    return reshaped(step, made, tuple(n for k, n in enumerate(made.shape) if k != axis))


CHANNEL_RULES: dict[str, Rule] = {"Concat": _concat, "Split": _split, "Slice": _slice, "Gather": _gather}

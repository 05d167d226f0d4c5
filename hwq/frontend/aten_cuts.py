"""Torch operators that take tensors apart and put zeros around them: splits, slices, selections, padding."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from hwq.errors import InputError
from hwq.frontend.aten import Call, handles

__all__: list[str] = []

END = (1 << 63) - 1  # what torch writes for an open end
PAD_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@handles(
    "aten.split",
    "aten.split_with_sizes",
    "aten.unsafe_split",
    "aten.chunk",
    "aten.unsafe_chunk",
    "aten.tensor_split",
)
def _split(c: Call) -> None:
    rank = len(c.shape_of("self"))
    axis = c.inner_axis(c.get("dim", 0), rank, "splitting")
    total = c.shape_of("self")[axis]
    _emit_split(c, axis, _part_sizes(c, axis, total))


def _part_sizes(c: Call, axis: int, total: int) -> list[int]:
    """Sizes of all parts, those that nobody uses included."""
    op = c.node.target.split(".")[1].removeprefix("unsafe_")
    if op == "tensor_split":
        places = c.get("indices")
        if places is None:
            count = int(c.get("sections"))
            return [total // count + (k < total % count) for k in range(count)]
        edges = [0, *(min(max(p + total if p < 0 else p, 0), total) for p in places), total]
        return [max(0, b - a) for a, b in pairwise(edges)]
    sizes = c.get("split_sizes", c.get("split_size"))
    if isinstance(sizes, list):
        return [int(s) for s in sizes]
    step = -(-total // int(c.get("chunks"))) if op == "chunk" else int(sizes)
    return [min(step, total - start) for start in range(0, total, step)]


def _emit_split(c: Call, axis: int, sizes: list[int]) -> list[str]:
    """A Split whose used parts are the operator's results; returns its outputs, "" for the others."""
    given = [*c.node.outputs, *[""] * (len(sizes) - len(c.node.outputs))]
    outputs = [c.builder.unique(o) if o else "" for o in given]
    c.builder.emit("Split", c.layer, (c.tensor("self"), c.integers(sizes, "split")), outputs, {"axis": axis})
    for tensor, name in zip(given, outputs, strict=True):
        if tensor:
            c.builder.bind(tensor, name)
    return outputs


@handles("aten.glu")
def _glu(c: Call) -> None:
    """The first half times the sigmoid of the second."""
    shape = c.shape_of("self")
    axis = c.inner_axis(c.get("dim", -1), len(shape), "splitting")
    half = c.integers([shape[axis] // 2] * 2, "split")
    parts = [c.builder.unique(f"{c.output}.{name}") for name in ("value", "gate")]
    c.builder.emit("Split", c.layer, (c.tensor("self"), half), parts, {"axis": axis})
    c.result("Mul", parts[0], c.step("Sigmoid", parts[1]))


@handles("aten.unbind")
def _unbind(c: Call) -> None:
    shape = c.shape_of("self")
    axis = c.inner_axis(c.get("dim", 0), len(shape), "taking frames apart")
    for place, tensor in enumerate(c.node.outputs):
        if tensor:
            c.result("Gather", c.tensor("self"), c.builder.constant(np.int64(place), "index"), index=place, axis=axis)


@handles("aten.slice")
def _slice(c: Call) -> None:
    shape = c.shape_of("self")
    axis = c.axis(int(c.get("dim", 0)), len(shape))
    start, end, step = int(c.get("start", 0)), int(c.get("end", END)), int(c.get("step", 1))
    if c.shape[axis] == shape[axis]:
        c.result("Identity", c.tensor("self"))
        return
    _cut(c, c.inner_axis(axis, len(shape), "cutting"), start, end, step)


@handles("aten.narrow")
def _narrow(c: Call) -> None:
    axis = c.inner_axis(c.get("dim"), len(c.shape), "cutting")
    start = c.axis(int(c.get("start")), c.shape_of("self")[axis])
    _cut(c, axis, start, start + int(c.get("length")), 1)


def _cut(c: Call, axis: int, start: int, end: int, step: int) -> None:
    c.result(
        "Slice",
        c.tensor("self"),
        *(c.integers([v], name) for v, name in ((start, "starts"), (end, "ends"), (axis, "axes"), (step, "steps"))),
    )


@handles("aten.flip")
def _flip(c: Call) -> None:
    rank = len(c.shape)
    axes = [c.inner_axis(d, rank, "turning round") for d in c.get("dims")]
    ones = [-1] * len(axes)
    c.result(
        "Slice",
        c.tensor("self"),
        c.integers(ones, "starts"),
        c.integers([-END] * len(axes), "ends"),
        c.integers(axes, "axes"),
        c.integers(ones, "steps"),
    )


@handles("aten.select")
def _select(c: Call) -> None:
    shape = c.shape_of("self")
    axis = c.inner_axis(c.get("dim"), len(shape), "selecting")
    index = c.axis(int(c.get("index")), shape[axis])
    c.result("Gather", c.tensor("self"), c.builder.constant(np.int64(index), "index"), axis=axis)


@handles("aten.index_select")
def _index_select(c: Call) -> None:
    axis = c.inner_axis(c.get("dim"), len(c.shape), "selecting")
    c.result("Gather", c.tensor("self"), c.tensor("index"), axis=axis)


@handles("aten.index", "aten._unsafe_index")
def _index(c: Call) -> None:
    """``x[:, [2, 0]]``: one list of places along one axis."""
    places = [k for k, v in enumerate(c.get("indices")) if v is not None]
    if len(places) != 1:
        raise InputError(
            "OP-UNSUPPORTED", "indexing along several axes at once is not supported", where=c.layer, hint="Index one axis after the other"
        )
    ref = c.get("indices")[places[0]]
    if c.builder.graph.metas[ref.name].dtype == "bool":
        raise InputError("OP-UNSUPPORTED", "selecting by a mask is not supported", where=c.layer, hint="Select by constant places")
    axis = c.inner_axis(places[0], len(c.shape_of("self")), "selecting")
    c.result("Gather", c.tensor("self"), c.builder.name_of(ref.name), axis=axis)


@handles("aten.arange")
def _arange(c: Call) -> None:
    start, end, step = (c.get(k, d) for k, d in (("start", 0), ("end", None), ("step", 1)))
    c.builder.bind(c.output, c.builder.constant(np.arange(start, end, step, dtype=c.dtype), c.output))


@handles("aten.embedding")
def _embedding(c: Call) -> None:
    c.result("Gather", c.tensor("weight"), c.tensor("indices"), axis=0)


@handles("aten.channel_shuffle")
def _channel_shuffle(c: Call) -> None:
    groups = int(c.get("groups"))
    order = np.arange(c.shape[1]).reshape(groups, -1).T.reshape(-1)
    c.result("Gather", c.tensor("self"), c.builder.constant(order, "order"), axis=1)


@handles(
    "aten.pad", "aten.constant_pad_nd", "aten.reflection_pad1d", "aten.reflection_pad2d", "aten.replication_pad1d", "aten.replication_pad2d"
)
def _pad(c: Call) -> None:
    """Torch names the last axis first, (before, after) an axis; negative numbers cut."""
    op = c.node.target.split(".")[1]
    mode = {"refl": "reflect", "repl": "edge"}.get(op[:4]) or PAD_MODES[str(c.get("mode", "constant"))]
    given, rank = [int(v) for v in c.get("pad", c.get("padding"))], len(c.shape)
    before, after = [0] * rank, [0] * rank
    for k in range(len(given) // 2):
        before[rank - 1 - k], after[rank - 1 - k] = given[2 * k], given[2 * k + 1]
    if before[0] or after[0]:
        c.keep_batch(c.tensor("self"), "padding")
    x = _cropped(c, c.tensor("self"), before, after)
    grown = [max(0, v) for v in before + after]
    if not any(grown):
        c.result("Identity", x)
        return
    value = [c.number(c.get("value", 0.0))] if mode == "constant" else []
    c.result("Pad", x, c.integers(grown, "pads"), *value, mode=mode)


def _cropped(c: Call, x: str, before: list[int], after: list[int]) -> str:
    """Negative padding as a Slice."""
    for axis, (b, a, size) in enumerate(zip(before, after, c.shape_of("self"), strict=True)):
        if min(a, b) < 0:
            numbers = {"starts": max(0, -b), "ends": size - max(0, -a), "axes": axis, "steps": 1}
            x = c.step("Slice", x, *(c.integers([v], name) for name, v in numbers.items()))
    return x

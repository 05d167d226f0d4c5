"""Torch operators that move elements and compute nothing: shapes, transposes, joins."""

from __future__ import annotations

import numpy as np

from hwq.errors import InputError
from hwq.frontend.aten import Call, handles

__all__: list[str] = []


@handles("aten.view", "aten.reshape", "aten._unsafe_view", "aten.flatten", "aten.unsqueeze", "aten.squeeze", "aten.unflatten")
def _reshape(c: Call) -> None:
    source = c.tensor("self")
    shape = list(c.shape)
    if source in c.builder.live:
        shape = _free_batch(c, shape)
    c.result("Reshape", source, c.integers(shape, "shape"))


def _free_batch(c: Call, shape: list[int]) -> list[int]:
    batch = c.builder.graph.metas[c.builder.graph.inputs[0][1]].shape[:1]
    if not shape or shape[0] not in (1, *batch):
        raise InputError("BATCH-AXIS", f"a reshape to {tuple(shape)} mixes the batch with other axes", where=c.layer)
    return [-1, *shape[1:]]


@handles("aten.expand")
def _expand(c: Call) -> None:
    if c.shape == c.shape_of("self"):
        c.result("Identity", c.tensor("self"))
    else:
        c.result("Expand", c.tensor("self"), c.integers(c.shape, "shape"))


@handles("aten.t", "aten.numpy_T")
def _t(c: Call) -> None:
    c.result("Transpose", c.tensor("self"), perm=list(range(len(c.shape)))[::-1])


@handles("aten.transpose", "aten.swapaxes", "aten.swapdims")
def _transpose(c: Call) -> None:
    rank = len(c.shape)
    a, b = (c.axis(c.get(k, c.get(other, d)), rank) for k, other, d in (("dim0", "axis0", 0), ("dim1", "axis1", 1)))
    perm = list(range(rank))
    perm[a], perm[b] = b, a
    c.result("Transpose", c.tensor("self"), perm=perm)


@handles("aten.permute")
def _permute(c: Call) -> None:
    c.result("Transpose", c.tensor("self"), perm=[c.axis(d, len(c.shape)) for d in c.get("dims")])


@handles("aten.movedim", "aten.moveaxis")
def _movedim(c: Call) -> None:
    rank = len(c.shape)
    source, target = ([c.axis(d, rank) for d in ([v] if isinstance(v, int) else v)] for v in (c.get("source"), c.get("destination")))
    perm: list[int] = [d for d in range(rank) if d not in source]
    for place, axis in sorted(zip(target, source, strict=True)):
        perm.insert(place, axis)
    c.result("Transpose", c.tensor("self"), perm=perm)


@handles("aten.cat", "aten.concat", "aten.concatenate")
def _cat(c: Call) -> None:
    parts = _parts(c)
    axis = c.axis(c.get("dim", 0), len(c.shape))
    if axis == 0:
        for part in parts:
            c.keep_batch(part, "joining tensors")
    c.result("Concat", *parts, axis=axis)


def _parts(c: Call) -> list[str]:
    """The joined tensors; a constant filled with one number has its full shape here."""
    made = []
    for ref in c.get("tensors"):
        name, shape = c.builder.name_of(ref.name), c.builder.graph.metas[ref.name].shape
        value = c.builder.constants.get(name)
        if value is not None and value.shape != shape:
            name = c.builder.constant(np.broadcast_to(value, shape).copy(), name)
        if shape != (0,):  # torch skips an empty tensor of one axis
            made.append(name)
    return made


@handles("aten.stack")
def _stack(c: Call) -> None:
    axis = c.axis(c.get("dim", 0), len(c.shape))
    parts = _parts(c)
    if axis == 0:
        for part in parts:
            c.keep_batch(part, "stacking tensors")
    axes = c.integers([axis], "axes")
    c.result("Concat", *(c.step("Unsqueeze", part, axes) for part in parts), axis=axis)

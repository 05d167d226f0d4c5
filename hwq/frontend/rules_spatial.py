"""Ops that lay pixels out anew: padding, nearest-neighbour resizing, one pixel spread over an image."""

from __future__ import annotations

from math import prod

import numpy as np

from hwq.errors import InputError
from hwq.frontend.contraction import explained
from hwq.frontend.expression import evaluate, leaf
from hwq.frontend.numpy_resample import nearest_index, pads_of, resize_targets
from hwq.frontend.realise import moved
from hwq.frontend.rules_channels import cropped
from hwq.frontend.rules_conv import image
from hwq.frontend.rules_pool import largest
from hwq.frontend.step import Rule, Step
from hwq.frontend.values import Integers, Layout, Leaf, Padded, Pending, Unknown, Value
from hwq.network.ops import Pad, Requantize, Upsample, Window
from hwq.numerics.encoding import smallest_integer
from hwq.numerics.rounding import Rounding

__all__ = ["SPATIAL_RULES"]

MAX_ELEMENTS = 1 << 28


def _source(step: Step) -> Pending | None:
    x = step.value(0)
    if isinstance(x, Pending):
        return x
    if isinstance(x, Unknown) or x is None:
        return None
    raise step.error("HOST-OP", f"{step.node.op} behind the host's steps is not supported", "End the model before it")


def _pad(step: Step) -> Value:
    x = _source(step)
    if x is None:
        return Unknown()
    stub = np.broadcast_to(np.float32(0), x.shape)
    try:
        pads = pads_of([stub, *(step.array(k, "padding") for k in range(1, len(step.inputs)))], step.node.attributes)
    except (ValueError, KeyError) as error:
        raise step.error("OP-OPERANDS", f"its padding makes no sense ({error})") from None
    if not any(b or e for b, e in pads):
        return x
    mode = step.attribute("mode", "constant")
    if mode != "constant":
        raise step.error("OP-UNSUPPORTED", f"padding by {mode!r} is not supported", "Pad with zeros")
    x = image(step, x)
    if any(b or e for b, e in pads[:2]):
        raise step.error("OP-UNSUPPORTED", "padding of the batch or the channels is not supported", "Pad rows and columns")
    cut = {k: range(max(0, -b), n - max(0, -e)) for k, ((b, e), n) in enumerate(zip(pads, x.shape, strict=True)) if b < 0 or e < 0}
    if cut:
        x = cropped(step, x, cut)
    stated = step.array(2, "value")
    value = float(np.asarray(step.attribute("value", 0.0) if stated is None or not stated.size else stated).reshape(-1)[0])
    grow = [(max(0, b), max(0, e)) for b, e in ([(0, 0)] * (4 - len(x.shape)) + pads[2:])]
    return _padded(step, x, (grow[0][0], grow[1][0], grow[0][1], grow[1][1]), value)


def _padded(step: Step, x: Pending, padding: tuple[int, int, int, int], value: float) -> Pending:
    try:
        source = step.builder.integers(x, step.name, step.node.inputs[0])
    except InputError as error:
        raise explained(step, x, error) from None
    source = _with_zero_at(step, source, value)
    op = Pad(padding)
    shape = op.shape(source.leaf.shape)
    if prod(shape) > MAX_ELEMENTS:
        raise step.error("TENSOR-SIZE", f"its output has {prod(shape)} elements, at most {MAX_ELEMENTS} are built")
    assert source.leaf.interval is not None
    reach = op.interval(source.leaf.interval, source.leaf.shape)
    made = Leaf(None, shape, reach, made=Padded(source.leaf, padding, step.name))
    h, w, c = shape
    return Pending(made, source.rest, Layout.channels_first((1, c, h, w) if len(x.shape) == 4 else (1, c, w)))


def _with_zero_at(step: Step, x: Integers, value: float) -> Integers:
    """The same tensor in integers of which 0 stands for ``value``."""
    if (evaluate(x.rest, np.zeros((x.leaf.channels, 1))) == value).all():
        return x
    with np.errstate(all="ignore"):
        place = np.unique((value - x.offset) / x.scale)
    shift = float(place[0])
    at = evaluate(x.rest, np.full((x.leaf.channels, 1), shift))
    if place.size > 1 or not np.isfinite(shift) or shift != np.rint(shift) or (at != value).any():
        raise step.error(
            "PADDING-EXACT",
            f"its padding cannot be exact: {value:g} is no integer of the tensor's grid",
            "Quantize with a zero point that is an integer, or let the convolution behind it pad",
        )
    assert x.leaf.interval is not None
    lo, hi = (int(b) - int(shift) for b in x.leaf.interval.bounds)
    op = Requantize(np.ones(1, np.int64), np.array([-int(shift)]), 0, Rounding.FLOOR, lo, hi, smallest_integer(lo, hi))
    _, made = step.builder.emit(f"{step.name}.zero", op, (x.leaf,), f"{x.leaf.tensor}.zero")
    return Integers(made, x.scale, np.asarray(value), leaf().then("mul", x.scale).then("add", value))


def _resize(step: Step) -> Value:
    x = _source(step)
    if x is None:
        return Unknown()
    x = image(step, x)
    stub = np.broadcast_to(np.float32(0), x.shape)
    scales, sizes = step.array(2, "scales"), step.array(3, "sizes")
    factors, strides = [1] * len(x.shape), [1] * len(x.shape)
    try:
        for axis, out, scale in resize_targets(stub, scales, sizes, step.node.attributes):
            factors[axis], strides[axis] = _ratio(step, nearest_index(x.shape[axis], out, scale, step.node.attributes), x.shape[axis])
    except ValueError as error:
        raise step.error("RESIZE", f"the resizing is not supported ({error})", "Use nearest neighbour by whole factors") from None
    if any(v != 1 for v in (*factors[:2], *strides[:2])):
        raise step.error("RESIZE", "resizing the batch or the channels is not supported", "Nearest neighbour of rows and columns is")
    return _scaled(step, x, factors[2:], strides[2:])


def _ratio(step: Step, index: np.ndarray, size: int) -> tuple[int, int]:
    """(factor, stride) of one axis: every element ``factor`` times, or every ``stride``-th one."""
    out = len(index)
    if out % size == 0 and (index == np.arange(out) // (out // size)).all():
        return out // size, 1
    if out and size % out == 0 and (index == np.arange(out) * (size // out)).all():
        return 1, size // out
    raise step.error(
        "RESIZE",
        f"an axis of {size} elements resized to {out} is no whole factor, or takes other neighbours than the nearest",
        "Use nearest neighbour by a whole factor (torch.nn.Upsample, F.interpolate with mode='nearest')",
    )


def _scaled(step: Step, x: Pending, factors: list[int], strides: list[int]) -> Pending:
    rank = len(x.shape)
    vertical, horizontal = (1, factors[0]) if rank == 3 else (factors[0], factors[1])
    if any(s > 1 for s in strides):
        x = largest(step, x, Window((1, 1), (1, strides[0]) if rank == 3 else (strides[0], strides[1])))
    if (vertical, horizontal) == (1, 1):
        return x
    op = Upsample((vertical, horizontal))
    h, w, c = op.shape(x.leaf.shape)
    if h * w * c > MAX_ELEMENTS:
        raise step.error("TENSOR-SIZE", f"its output has {h * w * c} elements, at most {MAX_ELEMENTS} are built")
    return Pending(moved(step.name, x, op, (h, w, c)), x.expr, Layout.channels_first((1, c, h, w) if rank == 4 else (1, c, w)))


def _expand(step: Step) -> Value:
    x = _source(step)
    if x is None:
        return Unknown()
    wanted = tuple(int(v) for v in step.need(1, "shape").reshape(-1))
    try:
        shape = np.broadcast_shapes(x.shape, wanted)
    except ValueError:
        raise step.error("OP-OPERANDS", f"a tensor of shape {x.shape} cannot become {wanted}") from None
    if shape == x.shape:
        return x
    if len(shape) == len(x.shape) and shape[:2] == x.shape[:2] and prod(x.shape[2:]) == 1:
        return _scaled(step, image(step, x), list(shape[2:]), [1] * (len(shape) - 2))
    raise step.error(
        "BROADCAST", f"a tensor of shape {x.shape} is repeated to {shape}, which is not supported", "One pixel over an image is"
    )


SPATIAL_RULES: dict[str, Rule] = {"Pad": _pad, "Resize": _resize, "Expand": _expand}

"""Torch operators with a window or a raster: convolutions, pools, nearest-neighbour upsampling."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from hwq.errors import InputError
from hwq.frontend.aten import Call, handles

__all__: list[str] = []


@handles("aten.conv1d", "aten.conv2d", "aten.conv3d", "aten.convolution", "aten._convolution")
def _conv(c: Call) -> None:
    kernel = c.shape_of("weight")[2:]
    if c.get("transposed", False):
        raise InputError(
            "OP-UNSUPPORTED",
            "a transposed convolution is not supported",
            where=c.layer,
            hint="Write nn.Upsample(scale_factor=2, mode='nearest') followed by a convolution",
        )
    _check_rank(c, "input", len(kernel) + 2)
    dilation = _each(c.get("dilation", 1), kernel)
    bias = [c.tensor("bias")] if c.has("bias") else []
    c.result(
        "Conv",
        c.tensor("input"),
        c.tensor("weight"),
        *bias,
        strides=_each(c.get("stride", 1), kernel),
        pads=_conv_padding(c.get("padding", 0), kernel, dilation),
        dilations=dilation,
        group=int(c.get("groups", 1)),
        kernel_shape=list(kernel),
    )


def _check_rank(c: Call, name: str, rank: int) -> None:
    shape = c.shape_of(name)
    if len(shape) != rank:
        raise InputError(
            "BATCH-AXIS",
            f"its input has {len(shape)} axes, {rank} were expected: batch, channels and {rank - 2} of space",
            where=c.layer,
            hint="Keep the batch as first axis",
        )


def _each(value: Any, axes: tuple[int, ...]) -> list[int]:
    """One number for each axis; torch takes a single one for all."""
    values = [int(value)] if isinstance(value, int) else [int(v) for v in value]
    return values * len(axes) if len(values) == 1 else values


def _conv_padding(padding: Any, kernel: tuple[int, ...], dilation: list[int]) -> list[int]:
    if padding == "valid":
        return [0] * 2 * len(kernel)
    if padding == "same":  # the odd one goes behind
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return [t // 2 for t in total] + [t - t // 2 for t in total]
    return _each(padding, kernel) * 2


def _pool_attributes(c: Call, n: int) -> dict[str, Any]:
    """Kernel, stride (the kernel where none is given), padding and ceil_mode of a pool over ``n`` axes."""
    _check_rank(c, "self", n + 2)
    axes = (0,) * n
    kernel = _each(c.get("kernel_size"), axes)
    return {
        "kernel_shape": kernel,
        "strides": _each(c.get("stride") or kernel, axes),
        "pads": _each(c.get("padding", 0), axes) * 2,
        "ceil_mode": int(c.get("ceil_mode", False)),
    }


def _spatial(c: Call) -> int:
    """Spatial axes of ``max_pool2d`` and its like."""
    return int(c.node.target.split("pool")[1][0])


def _refuse_indices(c: Call) -> None:
    if len(c.node.outputs) > 1 and c.builder.is_read(c.node.outputs[1]):
        raise InputError("OP-UNSUPPORTED", "the places of a pool's maxima are not supported", where=c.layer, hint="Use only its values")


@handles("aten.max_pool1d", "aten.max_pool2d", "aten.max_pool3d", "aten.max_pool1d_with_indices", "aten.max_pool2d_with_indices")
def _max_pool(c: Call) -> None:
    _refuse_indices(c)
    n = _spatial(c)
    c.result("MaxPool", c.tensor("self"), **_pool_attributes(c, n), dilations=_each(c.get("dilation", 1), (0,) * n))


@handles("aten.avg_pool1d", "aten.avg_pool2d", "aten.avg_pool3d")
def _avg_pool(c: Call) -> None:
    attributes = _pool_attributes(c, _spatial(c))
    include, divisor = int(c.get("count_include_pad", True)), c.get("divisor_override")
    if divisor is None:
        c.result("AveragePool", c.tensor("self"), **attributes, count_include_pad=include)
        return
    # ONNX has no divisor of one's own: the zeros become part of the image, the mean is made a sum again.
    x, attributes = _with_zeros(c, attributes)
    taps = prod(attributes["kernel_shape"])
    total = c.step("Mul", c.step("AveragePool", x, **attributes, count_include_pad=0), c.number(taps))
    c.result(*(("Identity", total) if divisor == 1 else ("Div", total, c.number(divisor))))


def _with_zeros(c: Call, attributes: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The pool's input with its padding written out, so that every window is whole."""
    kernel, stride, n = attributes["kernel_shape"], attributes["strides"], len(attributes["kernel_shape"])
    size, out, before = c.shape_of("self")[2:], c.shape[2:], attributes["pads"][:n]
    after = [max(0, (o - 1) * s + k - z - b) for o, s, k, z, b in zip(out, stride, kernel, size, before, strict=True)]
    plain = {**attributes, "pads": [0] * 2 * n, "ceil_mode": 0}
    if not any(before) and not any(after):
        return c.tensor("self"), plain
    pads = c.builder.constant(np.asarray([0, 0, *before, 0, 0, *after], np.int64), "pads")
    return c.step("Pad", c.tensor("self"), pads, c.number(0.0), mode="constant"), plain


@handles(
    "aten.adaptive_avg_pool1d",
    "aten.adaptive_avg_pool2d",
    "aten._adaptive_avg_pool2d",
    "aten.adaptive_max_pool1d",
    "aten.adaptive_max_pool2d",
)
def _adaptive_pool(c: Call) -> None:
    """A global pool, or equal windows where the output size divides the image."""
    _refuse_indices(c)
    n, kind = _spatial(c), "Max" if "max" in c.node.target else "Average"
    _check_rank(c, "self", n + 2)
    size, out = c.shape_of("self")[2:], c.shape[2:]
    if any(z % o for z, o in zip(size, out, strict=True)):
        raise InputError(
            "OP-UNSUPPORTED",
            f"an adaptive pool from {tuple(size)} to {tuple(out)} has windows of different sizes",
            where=c.layer,
            hint=f"Choose an output size that divides {tuple(size)}, or a pool with a fixed kernel",
        )
    if size == out:
        c.result("Identity", c.tensor("self"))
        return
    if set(out) == {1}:
        c.result(f"Global{kind}Pool", c.tensor("self"))
        return
    kernel = [z // o for z, o in zip(size, out, strict=True)]
    counted = {} if kind == "Max" else {"count_include_pad": 0}
    c.result(f"{kind}Pool", c.tensor("self"), kernel_shape=kernel, strides=kernel, pads=[0] * 2 * n, ceil_mode=0, **counted)


@handles(
    "aten.upsample_nearest1d",
    "aten.upsample_nearest2d",
    "aten.upsample_nearest3d",
    "aten._upsample_nearest_exact1d",
    "aten._upsample_nearest_exact2d",
)
def _upsample(c: Call) -> None:
    source = "input" if "input" in c.node.arguments else "self"
    size, out = c.shape_of(source)[2:], c.shape[2:]
    _check_rank(c, source, len(out) + 2)
    if size == out:
        c.result("Identity", c.tensor(source))
        return
    exact = "exact" in c.node.target
    whole = all(o % z == 0 for z, o in zip(size, out, strict=True))  # where both kinds repeat every element
    rule: dict[str, Any] = {
        "mode": "nearest",
        "coordinate_transformation_mode": "half_pixel" if exact and not whole else "asymmetric",
        "nearest_mode": "round_prefer_ceil" if exact and not whole else "floor",
    }
    if whole:
        factors = np.asarray([1, 1, *(o // z for z, o in zip(size, out, strict=True))], np.float32)
        c.result("Resize", c.tensor(source), "", c.builder.constant(factors, "scales"), **rule)
    else:
        sizes = c.builder.constant(np.asarray([1, *c.shape[1:]], np.int64), "sizes")
        c.result("Resize", c.tensor(source), "", "", sizes, **rule)

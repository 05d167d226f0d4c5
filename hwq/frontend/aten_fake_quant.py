"""Torch operators that quantize and give back floats, and the ones of PyTorch's quantized export."""

from __future__ import annotations

from hwq.frontend.aten import ONNX_TYPES, Call, handles
from hwq.frontend.exported import Ref

__all__: list[str] = []


def _fake_quantize(c: Call, scale: str, zero: str) -> None:
    """``(clip(round(x / s) + z, lo, hi) - z) * s``, the order of torch's kernels."""
    q = c.step("Add", c.step("Round", c.step("Div", c.tensor("self"), scale)), zero)
    q = c.step("Clip", q, c.number(c.get("quant_min")), c.number(c.get("quant_max")))
    c.result("Mul", c.step("Sub", q, zero), scale)


@handles("aten.fake_quantize_per_tensor_affine", "aten.fake_quantize_per_tensor_affine_cachemask")
def _fake_quantize_tensor(c: Call) -> None:
    _fake_quantize(c, c.tensor("scale"), _as_float(c, "zero_point"))


@handles("aten.fake_quantize_per_channel_affine", "aten.fake_quantize_per_channel_affine_cachemask")
def _fake_quantize_channel(c: Call) -> None:
    _fake_quantize(c, _along(c, c.tensor("scale")), _along(c, _as_float(c, "zero_point")))


def _as_float(c: Call, name: str) -> str:
    value = c.node.arguments[name]
    return c.step("Cast", c.tensor(name), to=ONNX_TYPES["float32"]) if isinstance(value, Ref) else c.number(value)


def _along(c: Call, tensor: str) -> str:
    """A per-channel vector shaped to broadcast along the operator's axis."""
    rank = len(c.shape_of("self") or c.shape_of("input"))
    axis = c.axis(c.get("axis"), rank)
    return c.step("Reshape", tensor, c.builder.constant([-1 if k == axis else 1 for k in range(rank)], "shape"))


@handles("quantized_decomposed.quantize_per_tensor", "quantized_decomposed.quantize_per_channel")
def _quantize(c: Call) -> None:
    names = ("scale", "zero_point") if "per_tensor" in c.node.target else ("scales", "zero_points")
    scale, zero = c.tensor(names[0]), _as_float(c, names[1])
    if "per_channel" in c.node.target:
        scale, zero = _along(c, scale), _along(c, zero)
    q = c.step("Add", c.step("Round", c.step("Div", c.tensor("input"), scale)), zero)
    c.result("Clip", q, c.number(c.get("quant_min")), c.number(c.get("quant_max")))


@handles("quantized_decomposed.dequantize_per_tensor", "quantized_decomposed.dequantize_per_channel")
def _dequantize(c: Call) -> None:
    names = ("scale", "zero_point") if "per_tensor" in c.node.target else ("scales", "zero_points")
    x, scale, zero = c.step("Cast", c.tensor("input"), to=ONNX_TYPES["float32"]), c.tensor(names[0]), _as_float(c, names[1])
    if "per_channel" in c.node.target:
        scale, zero = _along(c, scale), _along(c, zero)
    c.result("Mul", c.step("Sub", x, zero), scale)

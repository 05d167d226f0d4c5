"""The numpy meaning of quantizers: QONNX's Quant, BipolarQuant and both Truncs, ONNX's QuantizeLinear and DequantizeLinear.

Order of operations and rounding follow the executors of qonnx 1.0 and the ONNX specification, in the operands' float format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.frontend.rounding_names import rounding_of
from hwq.numerics.rounding import round_float

__all__ = ["QUANT_OPS", "integer_range", "saturation_of"]

Array = NDArray[Any]
Attributes = Mapping[str, Any]

ONNX_RANGES = {
    "uint8": (0, 255),
    "int8": (-128, 127),
    "uint16": (0, 65535),
    "int16": (-32768, 32767),
    "int32": (-(1 << 31), (1 << 31) - 1),
    "uint4": (0, 15),
    "int4": (-8, 7),
}
ONNX_QUANT_TYPES = {2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 21: "uint4", 22: "int4"}


def integer_range(bits: float, signed: bool, narrow: bool) -> tuple[int, int]:
    """Range of QONNX's integers of ``bits`` bits."""
    b = int(bits)
    if b != bits or not 1 <= b <= 32:
        raise ValueError(f"a bit width of {bits}")
    if signed:
        return -(1 << (b - 1)) + bool(narrow), (1 << (b - 1)) - 1
    return 0, (1 << b) - 1 - bool(narrow)


def saturation_of(zero_point: Array | None, attributes: Attributes) -> tuple[int, int]:
    """Range to which QuantizeLinear saturates: that of its zero point's type, else of ``output_dtype``, else uint8.

    A 4-bit zero point is stored in 8 bits; the reader notes its type in the attribute ``zero_point_type``.
    """
    name = attributes.get("zero_point_type")
    if name is None and attributes.get("output_dtype"):
        name = ONNX_QUANT_TYPES.get(attributes["output_dtype"])
    if name is None:
        name = "uint8" if zero_point is None else np.asarray(zero_point).dtype.name
    if name not in ONNX_RANGES:
        raise ValueError(f"quantization to {name}")
    return ONNX_RANGES[name]


def _quant(i: list[Any], a: Attributes) -> Array:
    x, scale, zero, bits = i[:4]
    y = x / scale + zero
    signed, narrow = bool(a.get("signed", 1)), bool(a.get("narrow", 0))
    width = float(np.asarray(bits).reshape(-1)[0])
    if width == 1 and signed:
        y = np.where(y >= 0, 1, -1).astype(x.dtype)
    else:
        low, high = integer_range(width, signed, narrow)
        y = np.minimum(np.maximum(y, y.dtype.type(low)), y.dtype.type(high))
        y = round_float(y, rounding_of(a.get("rounding_mode", "ROUND")))
    return ((y - zero) * scale).astype(x.dtype)


def _bipolar(i: list[Any], a: Attributes) -> Array:
    return (np.where(i[0] >= 0, 1, -1).astype(i[0].dtype) * i[1]).astype(i[0].dtype)


def _trunc(i: list[Any], a: Attributes) -> Array:
    x, scale, zero = i[:3]
    mode = rounding_of(a.get("rounding_mode", "FLOOR"))
    y = np.rint(x / scale + zero)
    if len(i) >= 6:
        step = (2 ** np.round(np.log2(i[4] / scale))).astype(x.dtype)
        low, high = integer_range(float(np.asarray(i[5]).reshape(-1)[0]), bool(a.get("signed", 1)), bool(a.get("narrow", 0)))
        y = round_float(np.minimum(np.maximum(y / step, y.dtype.type(low)), y.dtype.type(high)), mode)
        return ((y - zero / step) * i[4]).astype(x.dtype)
    y = round_float(y / (2 ** (i[3] - i[4])).astype(x.dtype), mode)
    return ((y - zero) * scale).astype(x.dtype)


def _per_axis(value: Array, x: Array, a: Attributes) -> Array:
    if value.ndim == 0 or value.size == 1:
        return value.reshape(())
    if a.get("block_size", 0):
        raise ValueError("blocked quantization")
    shape = [1] * x.ndim
    shape[a.get("axis", 1)] = value.size
    return value.reshape(shape)


def _quantize_linear(i: list[Any], a: Attributes) -> Array:
    x, scale = i[0], _per_axis(i[1], i[0], a)
    zero = i[2] if len(i) > 2 and i[2] is not None else None
    low, high = saturation_of(zero, a)
    y = np.rint(x / scale) + (0 if zero is None else _per_axis(zero, x, a).astype(x.dtype))
    dtype = np.uint8 if zero is None else zero.dtype
    return np.clip(y, low, high).astype(np.int64).astype(dtype)


def _dequantize_linear(i: list[Any], a: Attributes) -> Array:
    x, scale = i[0], _per_axis(i[1], i[0], a)
    zero = i[2] if len(i) > 2 and i[2] is not None else None
    y = x.astype(np.int64) - (0 if zero is None else _per_axis(zero, x, a).astype(np.int64))
    return (y.astype(scale.dtype) * scale).astype(scale.dtype)


QUANT_OPS: dict[str, Callable[[list[Any], Attributes], Any]] = {
    "Quant": _quant,
    "IntQuant": _quant,
    "BipolarQuant": _bipolar,
    "Trunc": _trunc,
    "QuantizeLinear": _quantize_linear,
    "DequantizeLinear": _dequantize_linear,
}

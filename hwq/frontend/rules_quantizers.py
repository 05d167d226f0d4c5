"""Quantizer nodes are macros of elementwise operations; what they mean is exactly the sequence written here."""

from __future__ import annotations

import numpy as np

from hwq.errors import InputError
from hwq.frontend.expression import Expr
from hwq.frontend.numpy_quant import integer_range, saturation_of
from hwq.frontend.rounding_names import rounding_of
from hwq.frontend.step import Operand, Rule, Step, elementwise
from hwq.frontend.values import HostValue, Pending, Value

__all__ = ["QUANTIZER_RULES"]

Array = np.ndarray


def _positive(step: Step, place: int, what: str) -> Array:
    scale = step.need(place, what).astype(np.float64)
    wrong = scale[~(np.isfinite(scale) & (scale > 0))]
    if wrong.size:
        raise step.error("QUANT-SCALE", f"the {what} holds {wrong[0]:g}, positive numbers were expected")
    return scale


def _bits(step: Step, place: int) -> float:
    bits = np.unique(step.need(place, "bit width"))
    if bits.size != 1:
        raise step.error("QUANT-BITS", f"the bit width takes {bits.size} different values, one was expected")
    return float(bits[0])


def _range(step: Step, bits: float) -> tuple[int, int]:
    try:
        return integer_range(bits, bool(step.attribute("signed", 1)), bool(step.attribute("narrow", 0)))
    except ValueError:
        raise step.error("QUANT-BITS", f"the bit width is {bits:g}, a whole number from 1 to 32 was expected") from None


def _mode(step: Step, default: str) -> str:
    try:
        return rounding_of(str(step.attribute("rounding_mode", default))).value
    except InputError as error:
        raise step.error(error.code, error.message) from None


def _quant(step: Step) -> Value:
    """``(round(clip(x / s + z, low, high)) - z) * s``; one signed bit is bipolar."""
    scale, zero, bits = _positive(step, 1, "scale"), step.need(2, "zero point"), _bits(step, 3)
    mode = _mode(step, "ROUND")
    low, high = _range(step, bits)
    bipolar = bits == 1 and bool(step.attribute("signed", 1))

    def build(e: Expr, c: Operand) -> Expr:
        e = e.then("div", c(scale), name=step.name).then("add", c(zero), name=step.name)
        if bipolar:
            e = e.then("bipolar", name=step.name)
        else:
            e = e.then("clip", name=step.name, low=float(low), high=float(high)).then("round", name=step.name, mode=mode)
        return e.then("sub", c(zero), name=step.name).then("mul", c(scale), name=step.name)

    return elementwise(step, build)


def _bipolar(step: Step) -> Value:
    """``(x >= 0 ? 1 : -1) * s``."""
    scale = _positive(step, 1, "scale")
    return elementwise(step, lambda e, c: e.then("bipolar", name=step.name).then("mul", c(scale), name=step.name))


def _trunc(step: Step) -> Value:
    """Version 1: ``(round(round(x / s + z) / 2**k) - z) * s``; version 2 (six inputs) clips and has a scale of its own."""
    scale, zero = _positive(step, 1, "scale"), step.need(2, "zero point").astype(np.float64)
    mode = _mode(step, "FLOOR")
    second = len(step.inputs) >= 6
    if second:
        out_scale = _positive(step, 4, "output scale")
        divisor = 2.0 ** np.round(np.log2(out_scale / scale))
        low, high = _range(step, _bits(step, 5))
        out_zero = zero / divisor
    else:
        divisor = np.asarray(2.0 ** (_bits(step, 3) - _bits(step, 4)))
        out_scale, out_zero = scale, zero

    def build(e: Expr, c: Operand) -> Expr:
        e = e.then("div", c(scale), name=step.name).then("add", c(zero), name=step.name)
        e = e.then("round", name=step.name, mode="half_even").then("div", c(divisor), name=step.name)
        if second:
            e = e.then("clip", name=step.name, low=float(low), high=float(high))
        e = e.then("round", name=step.name, mode=mode)
        return e.then("sub", c(out_zero), name=step.name).then("mul", c(out_scale), name=step.name)

    return elementwise(step, build)


def _axis(step: Step, value: Array) -> Array:
    """A per-axis parameter in the shape that broadcasts against the tensor."""
    x = step.value(0)
    if value.size == 1 or not isinstance(x, Pending | HostValue):
        return value.reshape(()) if value.size == 1 else value
    if step.attribute("block_size", 0):
        raise step.error("OP-UNSUPPORTED", "blocked quantization is not supported", "Use one scale per tensor or per channel")
    shape = [1] * len(x.shape)
    shape[step.attribute("axis", 1)] = value.size
    return value.reshape(shape)


def _quantize_linear(step: Step) -> Value:
    """``clip(round(x / s) + z, low, high)``: integers with their zero point, as ONNX has it."""
    scale = _axis(step, _positive(step, 1, "scale"))
    stored = step.array(2, "zero point")
    zero = _axis(step, np.zeros(()) if stored is None else stored.astype(np.float64))
    try:
        low, high = saturation_of(stored, step.node.attributes)
    except ValueError as error:
        raise step.error("OP-UNSUPPORTED", f"{error} is not supported") from None

    def build(e: Expr, c: Operand) -> Expr:
        e = e.then("div", c(scale), name=step.name).then("round", name=step.name, mode="half_even")
        return e.then("add", c(zero), name=step.name).then("clip", name=step.name, low=float(low), high=float(high))

    return elementwise(step, build)


def _dequantize_linear(step: Step) -> Value:
    """``(q - z) * s``."""
    scale = _axis(step, _positive(step, 1, "scale"))
    stored = step.array(2, "zero point")
    zero = _axis(step, np.zeros(()) if stored is None else stored.astype(np.float64))
    return elementwise(step, lambda e, c: e.then("sub", c(zero), name=step.name).then("mul", c(scale), name=step.name))


QUANTIZER_RULES: dict[str, Rule] = {
    "Quant": _quant,
    "IntQuant": _quant,
    "BipolarQuant": _bipolar,
    "Trunc": _trunc,
    "QuantizeLinear": _quantize_linear,
    "DequantizeLinear": _dequantize_linear,
}

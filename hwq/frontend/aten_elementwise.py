"""Elementwise torch operators: arithmetic, activations, comparisons, rounding."""

from __future__ import annotations

import math

from hwq.errors import InputError
from hwq.frontend.aten import HANDLERS, ONNX_TYPES, Call, Handler, handles
from hwq.frontend.exported import Ref

__all__: list[str] = []

UNARY = {
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "neg": "Neg",
    "abs": "Abs",
    "floor": "Floor",
    "ceil": "Ceil",
    "sign": "Sign",
    "sgn": "Sign",
    "sqrt": "Sqrt",
    "exp": "Exp",
    "log": "Log",
    "erf": "Erf",
    "reciprocal": "Reciprocal",
    "logical_not": "Not",
    "round": "Round",
}
IDENTITY = ("detach", "clone", "alias", "contiguous", "lift_fresh_copy", "lift_fresh", "lift", "positive", "view_as_real")
COMPARE = {"ge": "GreaterOrEqual", "gt": "Greater", "le": "LessOrEqual", "lt": "Less", "eq": "Equal"}
BINARY = {
    "mul": "Mul",
    "maximum": "Max",
    "minimum": "Min",
    "logical_and": "And",
    "logical_or": "Or",
    **COMPARE,
    "greater_equal": "GreaterOrEqual",
    "greater": "Greater",
    "less_equal": "LessOrEqual",
    "less": "Less",
}


def _unary(op: str) -> Handler:
    return lambda c: c.result(op, c.tensor("self"))


def _binary(op: str) -> Handler:
    return lambda c: c.result(op, c.tensor("self"), c.tensor("other"))


HANDLERS.update({f"aten.{name}": _unary(op) for name, op in UNARY.items()})
HANDLERS.update({f"aten.{name}": _unary("Identity") for name in IDENTITY})
HANDLERS.update({f"aten.{name}": _binary(op) for name, op in BINARY.items()})


@handles("aten.round.decimals")
def _round(c: Call) -> None:
    if c.get("decimals", 0):
        raise InputError("OP-UNSUPPORTED", f"rounding to {c.get('decimals')} decimals is not supported", where=c.layer)
    c.result("Round", c.tensor("self"))


@handles("aten.rsqrt")
def _rsqrt(c: Call) -> None:
    c.result("Reciprocal", c.step("Sqrt", c.tensor("self")))


@handles("aten.add", "aten.sub")
def _add(c: Call) -> None:
    other, alpha = c.tensor("other"), c.get("alpha", 1)
    if alpha != 1:
        other = c.step("Mul", other, c.number(alpha))
    c.result("Add" if ".add" in c.node.target else "Sub", c.tensor("self"), other)


@handles("aten.rsub")
def _rsub(c: Call) -> None:
    x, alpha = c.tensor("self"), c.get("alpha", 1)
    c.result("Sub", c.tensor("other"), x if alpha == 1 else c.step("Mul", x, c.number(alpha)))


@handles("aten.div", "aten.true_divide", "aten.floor_divide")
def _div(c: Call) -> None:
    mode = "floor" if "floor_divide" in c.node.target else c.get("rounding_mode")
    if mode is None:
        x = c.tensor("self")
        if not c.dtype_of("self").startswith("float") and c.dtype in ONNX_TYPES:
            x = c.step("Cast", x, to=ONNX_TYPES[c.dtype])  # torch divides integers as floats
        c.result("Div", x, c.tensor("other"))
    elif mode == "floor":
        c.result("Floor", c.step("Div", c.tensor("self"), c.tensor("other")))
    else:
        raise InputError("OP-UNSUPPORTED", f"division that rounds ({mode!r}) is not supported", where=c.layer)


@handles("aten.pow")
def _pow(c: Call) -> None:
    c.result("Pow", c.tensor("self"), c.tensor("exponent"))


@handles("aten.square")
def _square(c: Call) -> None:
    c.result("Pow", c.tensor("self"), c.number(2))


@handles("aten.ne", "aten.not_equal")
def _ne(c: Call) -> None:
    c.result("Not", c.step("Equal", c.tensor("self"), c.tensor("other")))


@handles("aten.where")
def _where(c: Call) -> None:
    c.result("Where", c.tensor("condition"), c.tensor("self"), c.tensor("other"))


def _clip(c: Call, low: str | None, high: str | None) -> None:
    if (low and isinstance(c.node.arguments.get(low), Ref)) or (high and isinstance(c.node.arguments.get(high), Ref)):
        x = c.tensor("self")
        if low and c.has(low):
            x = c.step("Max", x, c.tensor(low))
        c.result(*(("Min", x, c.tensor(high)) if high and c.has(high) else ("Identity", x)))
        return
    bounds = [c.tensor(b) if b and c.has(b) else "" for b in (low, high)]
    c.result("Clip", c.tensor("self"), *bounds)


@handles("aten.clamp", "aten.clip")
def _clamp(c: Call) -> None:
    _clip(c, "min", "max")


@handles("aten.clamp_min")
def _clamp_min(c: Call) -> None:
    _clip(c, "min", None)


@handles("aten.clamp_max")
def _clamp_max(c: Call) -> None:
    _clip(c, None, "max")


@handles("aten.hardtanh")
def _hardtanh(c: Call) -> None:
    c.result("Clip", c.tensor("self"), c.number(c.get("min_val", -1.0)), c.number(c.get("max_val", 1.0)))


@handles("aten.relu6")
def _relu6(c: Call) -> None:
    c.result("Clip", c.tensor("self"), c.number(0.0), c.number(6.0))


@handles("aten.leaky_relu")
def _leaky_relu(c: Call) -> None:
    c.result("LeakyRelu", c.tensor("self"), alpha=float(c.get("negative_slope", 0.01)))


@handles("aten.prelu", "aten._prelu_kernel")
def _prelu(c: Call) -> None:
    slope, shape = c.tensor("weight"), c.shape_of("weight")
    if math.prod(shape) > 1 and len(c.shape) > 2:
        slope = c.step("Reshape", slope, c.builder.constant([-1, *[1] * (len(c.shape) - 2)]))
    c.result("PRelu", c.tensor("self"), slope)


@handles("aten.elu", "aten.celu")
def _elu(c: Call) -> None:
    """``x`` above zero, ``alpha * (exp(x * k) - 1)`` below, k = 1 (elu) or 1 / alpha (celu), both times ``scale``."""
    x, alpha = c.tensor("self"), c.get("alpha", 1.0)
    rate = 1.0 / alpha if "celu" in c.node.target else c.get("input_scale", 1.0)
    _exponential_below_zero(c, x, alpha, rate, c.get("scale", 1.0))


@handles("aten.selu")
def _selu(c: Call) -> None:
    _exponential_below_zero(c, c.tensor("self"), 1.6732632423543772848170429916717, 1.0, 1.0507009873554804934193349852946)


def _exponential_below_zero(c: Call, x: str, alpha: float, rate: float, scale: float) -> None:
    slower = x if rate == 1 else c.step("Mul", x, c.number(rate))
    below = c.step("Mul", c.step("Sub", c.step("Exp", slower), c.number(1.0)), c.number(alpha * scale))
    above = x if scale == 1 else c.step("Mul", x, c.number(scale))
    c.result("Where", c.step("Greater", x, c.number(0.0)), above, below)


@handles("aten.threshold")
def _threshold(c: Call) -> None:
    x = c.tensor("self")
    c.result("Where", c.step("Greater", x, c.tensor("threshold")), x, c.tensor("value"))


@handles("aten.hardswish")
def _hardswish(c: Call) -> None:
    x = c.tensor("self")
    c.result("Mul", x, c.step("HardSigmoid", x, alpha=1.0 / 6.0, beta=0.5))


@handles("aten.mish")
def _mish(c: Call) -> None:
    x = c.tensor("self")
    c.result("Mul", x, c.step("Tanh", c.step("Softplus", x)))


@handles("aten.log_sigmoid", "aten.log_sigmoid_forward")
def _log_sigmoid(c: Call) -> None:
    c.result("Neg", c.step("Softplus", c.step("Neg", c.tensor("self"))))


@handles("aten.silu")
def _silu(c: Call) -> None:
    x = c.tensor("self")
    c.result("Mul", x, c.step("Sigmoid", x))


@handles("aten.gelu")
def _gelu(c: Call) -> None:
    if c.get("approximate", "none") != "none":
        c.result("Gelu", c.tensor("self"), approximate="tanh")
        return
    x = c.tensor("self")
    phi = c.step("Add", c.step("Erf", c.step("Div", x, c.number(math.sqrt(2.0)))), c.number(1.0))
    c.result("Mul", c.step("Mul", x, phi), c.number(0.5))


@handles("aten.hardsigmoid")
def _hardsigmoid(c: Call) -> None:
    c.result("HardSigmoid", c.tensor("self"), alpha=1.0 / 6.0, beta=0.5)


@handles("aten.softplus")
def _softplus(c: Call) -> None:
    if c.get("beta", 1) != 1:
        raise InputError("OP-UNSUPPORTED", "softplus with a beta other than 1 is not supported", where=c.layer)
    c.result("Softplus", c.tensor("self"))


@handles("aten.to", "aten._to_copy", "aten.type_as")
def _cast(c: Call) -> None:
    if c.dtype == c.dtype_of("self"):
        c.result("Identity", c.tensor("self"))
    elif c.dtype in ONNX_TYPES:
        c.result("Cast", c.tensor("self"), to=ONNX_TYPES[c.dtype])
    else:
        raise InputError("OP-UNSUPPORTED", f"a conversion to {c.dtype} is not supported", where=c.layer)


@handles("aten.full", "aten.full_like", "aten.new_full", "aten.scalar_tensor")
@handles("aten.ones_like", "aten.zeros_like", "aten.new_ones", "aten.new_zeros", "aten.ones", "aten.zeros")
def _full(c: Call) -> None:
    op = c.node.target.split(".")[1].removeprefix("new_")
    value = 1 if op.startswith("ones") else 0 if op.startswith("zeros") else c.get("fill_value", c.get("s"))
    c.builder.bind(c.output, c.number(value))

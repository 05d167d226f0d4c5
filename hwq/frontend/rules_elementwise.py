"""Elementwise ops as pending functions: one binary64 operation each, in the graph's order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hwq.errors import InputError
from hwq.frontend.expression import Expr, constant
from hwq.frontend.normalize import is_integral
from hwq.frontend.rules_join import joined
from hwq.frontend.step import Operand, Rule, Step, elementwise
from hwq.frontend.values import Constant, HostValue, Pending, Unknown, Value

__all__ = ["ELEMENTWISE_RULES"]

# op: (tensor op constant, constant op tensor, commutes)
BINARY = {
    "Add": ("add", "add"),
    "Sub": ("sub", "rsub"),
    "Mul": ("mul", "mul"),
    "Div": ("div", "rdiv"),
    "Max": ("max", "max"),
    "Min": ("min", "min"),
    "Greater": ("gt", "lt"),
    "GreaterOrEqual": ("ge", "le"),
    "Less": ("lt", "gt"),
    "LessOrEqual": ("le", "ge"),
    "Equal": ("eq", "eq"),
}


def _binary(step: Step) -> Value:
    if len(step.inputs) > 2:
        return _fold_many(step)
    a, b = step.value(0), step.value(1)
    forward, backward = BINARY[step.node.op]
    if isinstance(b, Constant):
        return elementwise(step, lambda e, c: e.then(forward, c(b.array), name=step.name))
    if isinstance(a, Constant):
        return elementwise(step, lambda e, c: e.then(backward, c(a.array), name=step.name), place=1)
    return _two_tensors(step, a, b, forward)


def _fold_many(step: Step) -> Value:
    """Max and Min of more than two tensors, one after the other."""
    value = step.inputs[0]
    for other in step.inputs[1:]:
        pair = Step(step.node, step.name, (value, other), step.builder, step.options)
        value = _binary(pair)
    return value if value is not None else Unknown()


def _two_tensors(step: Step, a: Value | None, b: Value | None, op: str) -> Value:
    if isinstance(a, Unknown) or isinstance(b, Unknown):
        return a if isinstance(a, Unknown) else Unknown()
    if isinstance(a, HostValue) or isinstance(b, HostValue) or not isinstance(a, Pending) or not isinstance(b, Pending):
        raise step.error("HOST-TWO", f"{step.node.op} of two tensors behind the last quantizer is not supported", "End the model before it")
    if a.leaf is b.leaf and a.layout.same(b.layout):
        return a.with_expr(_cancelled(op, a.expr, b.expr) or Expr(op, (a.expr, b.expr), name=step.name))
    return joined(step, a, b, op)


def _cancelled(op: str, a: Expr, b: Expr) -> Expr | None:
    """``x + (q - x)`` and ``x - (x - q)`` are q: how a fake quantizer hides its gradient."""
    for whole, part in ((a, b), (b, a)):
        if op == "add" and part.op == "sub" and len(part.args) == 2 and part.args[1] == whole:
            return part.args[0]
    if op == "sub" and b.op == "sub" and len(b.args) == 2 and b.args[0] == a:
        return b.args[1]
    return None


def _unary(op: str, **fixed: Any) -> Rule:
    return lambda step: elementwise(step, lambda e, c: e.then(op, name=step.name, **fixed))


def _attribute(op: str, **defaults: float) -> Rule:
    """An op whose parameters are attributes of the node, ``target=(source, default)``."""

    def rule(step: Step) -> Value:
        values = {ours: float(step.attribute("alpha" if ours == "slope" else ours, default)) for ours, default in defaults.items()}
        return elementwise(step, lambda e, c: e.then(op, name=step.name, **values))

    return rule


def _pow(step: Step) -> Value:
    exponent = step.need(1, "exponent")
    if exponent.size == 1 and float(exponent.reshape(-1)[0]) == 1.0:
        return elementwise(step, lambda e, c: e)
    return elementwise(step, lambda e, c: e.then("pow", c(exponent), name=step.name))


def _prelu(step: Step) -> Value:
    slope = step.need(1, "slope")
    x = step.value(0)
    if isinstance(x, Pending) and slope.ndim == 1 and slope.size > 1 and len(x.shape) > 2 and x.shape[1] == slope.size:
        slope = slope.reshape((-1,) + (1,) * (len(x.shape) - 2))
    return elementwise(step, lambda e, c: e.then("prelu", c(slope), name=step.name))


def _clip(step: Step) -> Value:
    bounds: dict[str, float] = {}
    for place, (name, attribute) in enumerate((("low", "min"), ("high", "max")), start=1):
        array = step.array(place, name + " bound")
        value = step.attribute(attribute) if array is None else array
        if value is None:
            continue
        value = np.asarray(value, dtype=np.float64)
        if value.size != 1 or np.isnan(value).any():
            raise step.error("OP-OPERANDS", f"the {name} bound of Clip has {value.size} values, one number was expected")
        bounds[name] = float(value.reshape(-1)[0])
    return elementwise(step, lambda e, c: e.then("clip", name=step.name, **bounds) if bounds else e)


def _cast(step: Step) -> Value:
    to = step.attribute("to")
    name = str(to) if not isinstance(to, int) else {1: "float", 10: "float", 11: "float", 16: "float", 9: "bool"}.get(to, "int")

    def build(e: Expr, c: Operand) -> Expr:
        if name.startswith(("float", "bfloat", "double", "half")):
            return e
        if name == "bool":
            return e if e.op in ("ge", "gt", "le", "lt", "eq") else e.then("eq", 0.0, name=step.name).then("rsub", 1.0, name=step.name)
        return e if is_integral(e, False) else e.then("round", name=step.name, mode="toward_zero")

    return elementwise(step, build)


def _where(step: Step) -> Value:
    condition, a, b = (step.value(k) for k in range(3))
    if isinstance(condition, Constant):
        raise step.error("OP-UNSUPPORTED", "Where with a constant mask over tensors is not supported yet")
    if any(isinstance(v, Unknown) for v in (condition, a, b)):
        return Unknown()
    if not isinstance(condition, Pending):
        raise step.error("HOST-TWO", "Where behind the last quantizer is not supported", "End the model before it")

    def build(e: Expr, c: Operand) -> Expr:
        if isinstance(a, Constant) and isinstance(b, Constant) and a.array.size == b.array.size == 1:
            return _select(e, float(a.array.reshape(-1)[0]), float(b.array.reshape(-1)[0]), step.name)
        return Expr("where", (e, _branch(step, condition, a, c), _branch(step, condition, b, c)), name=step.name)

    return elementwise(step, build)


def _select(condition: Expr, then: float, otherwise: float, name: str) -> Expr:
    """Two constants by a condition: an affine function of the condition, where that is exact."""
    if (then, otherwise) == (1.0, 0.0):
        return condition
    if (then - otherwise) + otherwise == then:
        return condition.then("mul", then - otherwise, name=name).then("add", otherwise, name=name)
    return condition.then("select", name=name, then=then, otherwise=otherwise)


def _branch(step: Step, condition: Pending, value: Value | None, c: Operand) -> Expr:
    if isinstance(value, Constant):
        return constant(c(value.array))
    if isinstance(value, Pending) and value.leaf is condition.leaf and value.layout.same(condition.layout):
        return value.expr
    raise InputError("RESIDUAL", "Where chooses between tensors of different layers, which is not supported yet", where=step.name)


def _batch_norm(step: Step) -> Value:
    """One multiply and one add, ``a = gamma / sqrt(var + eps)`` and ``b = beta - mean * a`` in binary64."""
    if step.attribute("training_mode", 0):
        raise step.error("TRAIN-MODE", "the batch normalisation is in training mode", "Call eval() before the export")
    gamma, beta, mean, var = (step.need(k, w).astype(np.float64) for k, w in enumerate(("scale", "bias", "mean", "variance"), start=1))
    with np.errstate(all="ignore"):
        a = gamma / np.sqrt(var + np.float64(step.attribute("epsilon", 1e-5)))
        b = beta - mean * a
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise step.error("NOT-FINITE", "the batch normalisation has a zero or negative variance, or a NaN or infinite parameter")
    x = step.value(0)
    rank = len(x.shape) if isinstance(x, Pending | HostValue) else 2
    shape = (1, -1) + (1,) * (rank - 2)
    return elementwise(
        step, lambda e, c: e.then("mul", c(a.reshape(shape)), name=step.name).then("add", c(b.reshape(shape)), name=step.name)
    )


def _chain(build: Callable[[Expr, Step], Expr]) -> Rule:
    return lambda step: elementwise(step, lambda e, c: build(e, step))


def _hard_swish(e: Expr, step: Step) -> Expr:
    return Expr("mul", (e, e.then("hard_sigmoid", alpha=1 / 6, beta=0.5)), name=step.name)


def _thresholded(e: Expr, step: Step) -> Expr:
    return Expr("where", (e.then("gt", float(step.attribute("alpha", 1.0))), e, constant(0.0)), name=step.name)


def _elu(e: Expr, step: Step) -> Expr:
    below = e.then("exp").then("sub", 1.0).then("mul", float(step.attribute("alpha", 1.0)))
    return Expr("where", (e.then("ge", 0.0), e, below), name=step.name)


def _softsign(e: Expr, step: Step) -> Expr:
    return Expr("div", (e, e.then("abs").then("add", 1.0)), name=step.name)


ELEMENTWISE_RULES: dict[str, Rule] = {
    **dict.fromkeys(BINARY, _binary),
    "Pow": _pow,
    "PRelu": _prelu,
    "Clip": _clip,
    "Cast": _cast,
    "CastLike": lambda step: elementwise(step, lambda e, c: e),
    "Where": _where,
    "BatchNormalization": _batch_norm,
    "Neg": _unary("neg"),
    "Abs": _unary("abs"),
    "Relu": _unary("relu"),
    "Sqrt": _unary("sqrt"),
    "Exp": _unary("exp"),
    "Log": _unary("log"),
    "Erf": _unary("erf"),
    "Tanh": _unary("tanh"),
    "Sigmoid": _unary("sigmoid"),
    "Softplus": _unary("softplus"),
    "Gelu": _unary("gelu"),
    "Swish": _unary("silu"),
    "Sign": _unary("sign"),
    "Round": _unary("round", mode="half_even"),
    "Floor": _unary("round", mode="floor"),
    "Ceil": _unary("round", mode="ceil"),
    "Reciprocal": lambda step: elementwise(step, lambda e, c: e.then("rdiv", 1.0, name=step.name)),
    "Not": lambda step: elementwise(step, lambda e, c: e.then("rsub", 1.0, name=step.name)),
    "LeakyRelu": _attribute("leaky_relu", slope=0.01),
    "HardSigmoid": _attribute("hard_sigmoid", alpha=0.2, beta=0.5),
    "HardSwish": _chain(_hard_swish),
    "ThresholdedRelu": _chain(_thresholded),
    "Elu": _chain(_elu),
    "Softsign": _chain(_softsign),
}

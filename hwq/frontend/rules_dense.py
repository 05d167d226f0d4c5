"""Contractions: products of an integer tensor with constant weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import fsum, gcd, lcm, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.frontend.builder import Integers
from hwq.frontend.expression import leaf
from hwq.frontend.lattice import Lattice, encoding_of, fit_lattice, why_no_lattice
from hwq.frontend.normalize import split_affine
from hwq.frontend.step import Rule, Step
from hwq.frontend.trace import plain, trace_entry
from hwq.frontend.values import Constant, HostValue, Layout, Leaf, Pending, Unknown, Value
from hwq.network.ops import Accumulation, Conv, Exact, Saturating
from hwq.numerics.encoding import MAX_BITS, Integer
from hwq.numerics.interval import Interval

__all__ = ["DENSE_RULES"]

Real = NDArray[np.float64]
MAX_RATIO = 255  # scales on the contraction axis that go into the weights


@dataclass(frozen=True, eq=False)
class _Weights:
    """Integer weights (K, O) and their scale, () or (O,), binary64."""

    integers: NDArray[np.int64]
    scale: Real
    stated: bool


def _matmul(step: Step) -> Value:
    x, w = step.value(0), step.value(1)
    if isinstance(x, Constant) and not isinstance(w, Constant):
        raise step.error("OP-UNSUPPORTED", "a matrix product with the constant on the left is not supported", "Write it as x @ W")
    return _dense(step, w, None, 1.0, 1.0)


def _gemm(step: Step) -> Value:
    x, w = step.value(0), step.value(1)
    if step.attribute("transA", 0) and isinstance(x, Pending) and x.shape != (1, 1):
        raise step.error("OP-UNSUPPORTED", "a transposed activation (transA) is not supported", "Write it as x @ W")
    if isinstance(w, Constant) and step.attribute("transB", 0):
        w = Constant(w.array.T, tuple(np.broadcast_to(s, w.array.shape).T for s in w.scales))
    return _dense(step, w, step.array(2, "bias"), float(step.attribute("alpha", 1.0)), float(step.attribute("beta", 1.0)))


def _linear(step: Step) -> Value:
    w = step.value(1)
    if isinstance(w, Constant):
        w = Constant(w.array.T, tuple(np.broadcast_to(s, w.array.shape).T for s in w.scales))
    return _dense(step, w, step.array(2, "bias"), 1.0, 1.0)


def _dense(step: Step, w: Value | None, bias: NDArray[Any] | None, alpha: float, beta: float) -> Value:
    x = step.value(0)
    if not isinstance(w, Constant):
        if isinstance(w, Unknown) or w is None:
            return Unknown()
        raise step.error("NOT-CONSTANT", "the product of two activations is not supported", "Freeze the weights before the export")
    matrix = w.array
    if matrix.ndim > 2 and prod(matrix.shape[:-2]) == 1:
        matrix = matrix.reshape(matrix.shape[-2:])
    if matrix.ndim != 2:
        raise step.error("OP-OPERANDS", f"the weights have shape {w.array.shape}, a matrix was expected")
    accumulation = _accumulation(step)
    problems: list[InputError] = []
    weights = _caught(problems, lambda: _weights(step, matrix, w.scales, isinstance(accumulation, Exact)))
    source = _caught(problems, lambda: _source(step, x, matrix.shape[0]))
    if problems or not isinstance(x, Pending):
        step.builder.problems.extend(problems)
        return _stand_in(step, x, matrix.shape[1], biased=bias is not None)
    return _emit(step, x, source, weights, bias, alpha, beta, accumulation)


def _caught(problems: list[InputError], make: Callable[[], Any]) -> Any:
    try:
        return make()
    except InputError as error:
        problems.append(error)
        return None


def _stand_in(step: Step, x: Value | None, outputs: int, *, biased: bool) -> Value:
    """Some scores in place of a layer that was refused, so that the layers behind it are examined too; they are never built."""
    tensor = step.builder.unique(f"{step.name} (refused)", tensor=True)
    step.builder.encodings[tensor] = Integer(5, True)
    made = Leaf(tensor, outputs, Interval(np.full(outputs, -8), np.full(outputs, 8)))
    fits = isinstance(x, Pending) and prod(x.shape[:-1]) == 1
    shape = (*x.shape[:-1], outputs) if fits and isinstance(x, Pending) else (1, outputs)
    expr = leaf().then("mul", 0.3, name=step.name).then("add", 0.1 if biased else 0.0, name=step.name)
    return Pending(made, expr, Layout.of(shape))


def _accumulation(step: Step) -> Accumulation:
    own = step.attribute("accumulation")
    if own is not None:
        try:
            return Saturating(int(own["bits"]), int(own["chunk"]))
        except InputError as error:
            raise step.error(error.code, error.message) from None
    return step.options.accumulator or Exact()


def _weights(step: Step, matrix: NDArray[Any], scales: tuple[NDArray[Any], ...], reduce: bool) -> _Weights:
    if not np.isfinite(matrix).all():
        raise step.error("WEIGHT-NAN", "the weights hold NaN or infinity", "Train or export the model again")
    fit: Lattice | None = fit_lattice(matrix, scales, reduce=reduce)
    if fit is None:
        raise step.error("WEIGHT-UNQUANTIZED", *why_no_lattice(matrix, scales))
    return _Weights(fit.integers, fit.scale.astype(np.float64), fit.stated)


def _source(step: Step, x: Value | None, k: int) -> Integers | None:
    if not isinstance(x, Pending):
        if isinstance(x, HostValue):
            raise step.error("NO-QUANTIZER", "its input is computed on the host (softmax, top-k …)", "Move that op to the end")
        return None
    if x.shape[-1] != k or x.leaf.channels != k:
        if x.shape[-1] == k and prod(x.shape[:-1]) > 1:
            raise step.error(
                "OP-UNSUPPORTED",
                f"a layer applied to {prod(x.shape[:-1])} positions (input {x.shape}) is not supported yet",
                "Flatten the tensor first",
            )
        raise step.error("OP-OPERANDS", f"the weights take {k} inputs, the tensor has shape {x.shape}")
    try:
        return step.builder.integers(x, step.name, step.node.inputs[0])
    except InputError as error:
        raise _explained(step, x, error) from None


def _explained(step: Step, x: Pending, error: InputError) -> InputError:
    """The layer that lacks its input quantizer, named as the reader and not as the producer of the tensor."""
    if error.code != "NO-QUANTIZER":
        return error
    last = split_affine(x.expr, True).core
    behind = next(reversed(last.labels), None)
    message = f"its input is not quantized: {behind!r} ({last.op}) makes real numbers" if behind else "its input is not quantized"
    return InputError("NO-QUANTIZER", message, where=step.name, hint="Put an activation quantizer in front of this layer")


def _emit(
    step: Step, x: Pending, source: Integers, w: _Weights, bias: NDArray[Any] | None, alpha: float, beta: float, accumulation: Accumulation
) -> Value:
    order = x.layout.index.reshape(-1)
    if isinstance(accumulation, Saturating) and not x.layout.in_order:
        raise step.error("ACCUMULATOR-ORDER", "a saturating accumulator behind a permutation of its inputs is not supported")
    matrix = np.empty_like(w.integers)
    matrix[order] = w.integers  # rows in the leaf's order
    ratios, scale_in = _common_scale(step, source.scale, len(order))
    integers = (matrix * ratios[:, None]).T
    op = Conv(np.ascontiguousarray(integers.reshape(len(integers), 1, 1, -1)), encoding_of(integers), accumulation=accumulation)
    _check_width(step, op, source)
    scale = scale_in * w.scale
    offset = w.scale * _offsets(matrix, source.offset)
    facts: dict[str, Any] = {
        "weight_scale": plain(w.scale),
        "weight_scale_stated": w.stated,
        "input_scale": plain(source.scale),
    }
    if isinstance(accumulation, Saturating):
        facts["accumulation"] = {"bits": accumulation.bits, "chunk": accumulation.chunk}
    made = step.builder.contract(step.name, source.leaf, op, facts, step.node.outputs[0])
    shown = np.asarray(offset * alpha + _bias(step, bias, beta))
    step.builder.trace[made.tensor or ""] = trace_entry(step.node.outputs[0], np.asarray(scale * alpha), shown)
    expr = leaf().then("mul", scale, name=step.name).then("add", offset, name=step.name).then("mul", alpha, name=step.name)
    if bias is not None and beta != 0:
        expr = expr.then("add", _bias(step, bias, beta), name=step.name)
    return Pending(made, expr, Layout.of((*x.shape[:-1], op.mh)))


def _bias(step: Step, bias: NDArray[Any] | None, beta: float) -> Real:
    if bias is None:
        return np.zeros(())
    value = bias.astype(np.float64) * beta
    if not np.isfinite(value).all():
        raise step.error("WEIGHT-NAN", "the bias holds NaN or infinity", "Train or export the model again")
    return value.reshape(-1) if value.size > 1 else value.reshape(())


def _common_scale(step: Step, scale: Real, channels: int) -> tuple[NDArray[np.int64], Real]:
    """Integer ratios (K,) and the scale they have in common."""
    if scale.ndim == 0:
        return np.ones(channels, np.int64), scale
    exact = [Fraction(float(s)) for s in scale]
    numerators = [f.numerator for f in exact if f]
    if not numerators:
        return np.zeros(channels, np.int64), np.ones(())
    common = Fraction(gcd(*numerators), lcm(*(f.denominator for f in exact if f)))
    ratios = [f / common for f in exact]
    if max(abs(r) for r in ratios) > MAX_RATIO:
        raise step.error(
            "SCALE-PER-INPUT-CHANNEL",
            f"its input channels have {len(set(exact))} different scales, which have no small common measure",
            "Quantize activations with one scale per tensor, or with scales that are small multiples of one",
        )
    return np.array([int(r) for r in ratios]), np.asarray(float(common))


def _offsets(matrix: NDArray[np.int64], offset: Real) -> Real:
    """``sum over k of q[k, o] * offset[k]``, each rounded once."""
    if not np.any(offset):
        return np.zeros(())
    if offset.ndim == 0:
        return np.array([float(Fraction(int(s)) * Fraction(float(offset))) for s in matrix.sum(0)])
    return np.array([fsum(column) for column in (matrix * offset[:, None]).T])


def _check_width(step: Step, op: Conv, source: Integers) -> None:
    assert source.leaf.interval is not None
    bound = int(np.maximum(np.abs(source.leaf.interval.lo), np.abs(source.leaf.interval.hi)).max()) * int(
        np.abs(op.matrix).sum(1).max(initial=0)
    )
    if bound.bit_length() + 1 > MAX_BITS:
        raise step.error(
            "ACCUMULATOR-WIDTH", f"its sums need {bound.bit_length() + 1} bits, at most {MAX_BITS} are built", "Quantize its input"
        )


DENSE_RULES: dict[str, Rule] = {"MatMul": _matmul, "Gemm": _gemm, "Linear": _linear}

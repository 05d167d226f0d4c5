"""Contractions: integer weights, their scale, and the convolution that carries them, paddings and offsets included."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from math import fsum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.frontend.border import bordered
from hwq.frontend.builder import Integers
from hwq.frontend.expression import leaf
from hwq.frontend.join import added
from hwq.frontend.lattice import Lattice, encoding_of, fit_lattice, why_no_lattice
from hwq.frontend.normalize import split_affine
from hwq.frontend.step import Step
from hwq.frontend.trace import plain, trace_entry
from hwq.frontend.values import HostValue, Layout, Leaf, Pending, Stacked, Value
from hwq.network.ops import Accumulation, Conv, Exact, Saturating, Split, Window
from hwq.numerics.encoding import MAX_BITS, Integer
from hwq.numerics.grid import common_grid
from hwq.numerics.interval import Interval

__all__ = ["Contraction", "Weights", "accumulation_of", "caught", "contracted", "operand", "stand_in", "weights_of"]

Real = NDArray[np.float64]
Ints = NDArray[np.int64]
MAX_RATIO = 255  # scales on the contraction axis that go into the weights
MAX_PARTS = 8  # accumulators of one contraction whose input channels have different scales
MAX_WEIGHTS = 1 << 29


@dataclass(frozen=True, eq=False)
class Weights:
    """Integer weights (K, O) and their scale, () or (O,), binary64."""

    integers: Ints
    scale: Real
    stated: bool


@dataclass(frozen=True, eq=False)
class Contraction:
    """What a layer contracts: ``taps`` (O, KH, KW, I / groups), the window it slides, and what is done to the sums.

    The result is ``(sum * weight scale * input scale + offsets) * alpha + bias``.
    """

    taps: Ints
    weights: Weights
    window: Window
    groups: int
    accumulation: Accumulation
    bias: Real | None = None
    alpha: float = 1.0


def accumulation_of(step: Step) -> Accumulation:
    """How the layer's sums are accumulated: its own statement, else the user's option."""
    own = step.attribute("accumulation")
    if own is not None:
        try:
            return Saturating(int(own["bits"]), int(own["chunk"]))
        except InputError as error:
            raise step.error(error.code, error.message) from None
    return step.options.accumulator or Exact()


def weights_of(step: Step, matrix: NDArray[Any], scales: tuple[NDArray[Any], ...], reduce: bool) -> Weights:
    """Integers times a scale equal to the (K, O) matrix; raises :class:`InputError` where there are none."""
    if matrix.size > MAX_WEIGHTS:
        raise step.error("WEIGHT-SIZE", f"the layer has {matrix.size} weights, at most {MAX_WEIGHTS} are read")
    if not np.isfinite(matrix).all():
        raise step.error("WEIGHT-NAN", "the weights hold NaN or infinity", "Train or export the model again")
    fit: Lattice | None = fit_lattice(matrix, scales, reduce=reduce)
    if fit is None:
        raise step.error("WEIGHT-UNQUANTIZED", *why_no_lattice(matrix, scales))
    return Weights(fit.integers, fit.scale.astype(np.float64), fit.stated)


def bias_of(step: Step, bias: NDArray[Any] | None, beta: float = 1.0) -> Real | None:
    """The bias in binary64, () or (O,); None where there is none."""
    if bias is None or beta == 0:
        return None
    value = bias.astype(np.float64) * beta
    if not np.isfinite(value).all():
        raise step.error("WEIGHT-NAN", "the bias holds NaN or infinity", "Train or export the model again")
    return value.reshape(-1) if value.size > 1 else value.reshape(())


def caught(problems: list[InputError], make: Callable[[], Any]) -> Any:
    """What ``make`` gives; None where it raises, the error among ``problems``."""
    try:
        return make()
    except InputError as error:
        problems.append(error)
        return None


def stand_in(step: Step, shape: tuple[int, int, int], layout: Layout, *, biased: bool) -> Value:
    """Some scores in place of a layer that was refused, so that the layers behind it are examined too; they are never built."""
    tensor = step.builder.unique(f"{step.name} (refused)", tensor=True)
    step.builder.encodings[tensor] = Integer(5, True)
    made = Leaf(tensor, shape, Interval(np.full(shape[2], -8), np.full(shape[2], 8)))
    expr = leaf().then("mul", 0.3, name=step.name).then("add", 0.1 if biased else 0.0, name=step.name)
    return Pending(made, expr, layout)


def operand(step: Step, x: Pending, channel_axis: int | None) -> Pending:
    """The layer's input over decided integers; raises :class:`InputError` where the host computes it."""
    if isinstance(x, HostValue):
        raise step.error("NO-QUANTIZER", "its input is computed on the host (softmax, top-k …)", "Move that op to the end")
    return step.builder.settled(x, step.name, channel_axis)


def integers_of(step: Step, x: Pending) -> Integers:
    """The integers that the layer reads."""
    try:
        return step.builder.integers(x, step.name, step.node.inputs[0])
    except InputError as error:
        raise explained(step, x, error) from None


def explained(step: Step, x: Pending, error: InputError) -> InputError:
    """The layer that lacks its input quantizer, named as the reader and not as the producer of the tensor."""
    if error.code != "NO-QUANTIZER":
        return error
    last = split_affine(x.expr, True).core
    behind = next(reversed(last.labels), None)
    message = f"its input is not quantized: {behind!r} ({last.op}) makes real numbers" if behind else "its input is not quantized"
    return InputError("NO-QUANTIZER", message, where=step.name, hint="Put an activation quantizer in front of this layer")


def contracted(step: Step, parts: Sequence[Integers], c: Contraction, layout: Layout) -> Pending:
    """The layer: one convolution, or one for each of ``parts``, whose channels follow each other, and their sum."""
    tensor = step.node.outputs[0]
    if len(parts) == 1:
        made = _convolved(step, parts[0], c, tensor, step.name)
        value = Pending(made.leaf, made.rest, layout)
        shown = made.offset * c.alpha + (0 if c.bias is None else c.bias)
        step.builder.trace[made.leaf.tensor or ""] = trace_entry(tensor, np.asarray(made.scale * c.alpha), np.asarray(shown), layout)
    else:
        sums, start = [], 0
        for k, part in enumerate(parts):
            stop = start + part.leaf.channels
            piece = replace(c, taps=np.ascontiguousarray(c.taps[..., start:stop]))
            sums.append(_convolved(step, part, piece, f"{tensor}.{k}", f"{step.name}.{k}"))
            start = stop
        value = added(step.builder, sums, layout, step.name, tensor, of_concat=True)
    expr = value.expr.then("mul", c.alpha, name=step.name)
    if c.bias is not None:
        expr = expr.then("add", c.bias, name=step.name)
    return value.with_expr(expr)


def parts_of(step: Step, x: Pending, c: Contraction) -> list[Integers]:
    """The integers to contract: one tensor, or several where its channels lie on grids without a small common measure."""
    made = x.leaf.made
    if isinstance(made, Stacked) and c.groups == 1 and isinstance(c.accumulation, Exact):
        from hwq.frontend.realise import branches, concatenated

        pieces = [step.builder.plain_integers(p, step.name, f"{step.node.inputs[0]}.{k}") for k, p in enumerate(branches(x))]
        scales = np.array([np.unique(p.scale) for p in pieces if np.unique(p.scale).size == 1])
        if len(scales) == len(pieces) and common_grid(scales.reshape(-1, 1), MAX_RATIO) is None:
            groups = _runs(pieces)
            _check_parts(step, len(groups))
            return [concatenated(step.builder, g, f"{step.name}.concat", f"{step.name}.concat") for g in groups]
    source = integers_of(step, x)
    if source.scale.ndim == 0 or common_grid(source.scale[:, None], MAX_RATIO) is not None or not isinstance(c.accumulation, Exact):
        return [source]
    if c.groups > 1:
        raise _scales_error(step, source.scale)
    return _split_runs(step, source)


def _runs(pieces: Sequence[Integers]) -> list[list[Integers]]:
    """Neighbours of one scale together."""
    groups: list[list[Integers]] = []
    for p in pieces:
        if groups and groups[-1][0].scale.flat[0] == p.scale.flat[0]:
            groups[-1].append(p)
        else:
            groups.append([p])
    return groups


def _check_parts(step: Step, count: int) -> None:
    if count > MAX_PARTS:
        message = f"its input channels have {count} runs of different scales, which have no small common measure"
        raise step.error("SCALE-PER-INPUT-CHANNEL", message, "Quantize what is concatenated with one shared quantizer")


def _scales_error(step: Step, scale: Real) -> InputError:
    return step.error(
        "SCALE-PER-INPUT-CHANNEL",
        f"its input channels have {len(np.unique(scale))} different scales, which have no small common measure",
        "Quantize activations with one scale per tensor, or with scales that are small multiples of one",
    )


def _split_runs(step: Step, source: Integers) -> list[Integers]:
    """One tensor cut into runs of channels of one scale."""
    borders = np.flatnonzero(np.diff(source.scale)) + 1
    if len(borders) + 1 > MAX_PARTS:
        raise _scales_error(step, source.scale)
    cuts = [0, *borders.tolist(), len(source.scale)]
    sizes = tuple(b - a for a, b in pairwise(cuts))
    tensors = [f"{step.node.inputs[0]}.{k}" for k in range(len(sizes))]
    _, leaves = step.builder.emit_many(f"{step.name}.split", Split(sizes), (source.leaf,), tensors)
    made = []
    for k, part in enumerate(leaves):
        scale = np.asarray(source.scale[cuts[k]])
        offset = source.offset if source.offset.ndim == 0 else source.offset[cuts[k] : cuts[k + 1]]
        made.append(Integers(part, scale, offset, leaf().then("mul", scale).then("add", offset)))
    return made


def _convolved(step: Step, source: Integers, c: Contraction, tensor: str, name: str) -> Integers:
    """One convolution; the integers are its sums."""
    channels = source.leaf.channels
    grid = common_grid(np.broadcast_to(source.scale, (1, channels)).T if source.scale.ndim else source.scale.reshape(1, 1), MAX_RATIO)
    if grid is None:
        raise _scales_error(step, source.scale)
    ratios, unit = np.broadcast_to(grid[0][:, 0], (channels,)), np.asarray(grid[1][0])
    if source.scale.ndim == 0:
        ratios, unit = np.ones(channels, np.int64), source.scale
    taps = c.taps if (ratios == 1).all() else c.taps * _by_group(ratios, c)
    op = Conv(taps, encoding_of(taps), c.window.stride, c.window.padding, c.window.dilation, c.groups, c.accumulation)
    _check_width(step, op, source)
    scale = np.asarray(unit * c.weights.scale)
    facts: dict[str, Any] = {
        "weight_scale": plain(c.weights.scale),
        "weight_scale_stated": c.weights.stated,
        "input_scale": plain(source.scale),
    }
    if isinstance(c.accumulation, Saturating):
        facts["accumulation"] = {"bits": c.accumulation.bits, "chunk": c.accumulation.chunk}
    border = c.window.is_padded and bool(np.any(source.offset))
    made = step.builder.contract(name, source.leaf, op, facts, f"{tensor}.sums" if border else tensor)
    offset: Real = np.zeros(())
    if border:
        made, multiple = bordered(step, made, c.taps, c.groups, c.window, source, unit, tensor)
        scale = np.asarray(scale / multiple)
    else:
        offset = np.asarray(c.weights.scale * _offsets(c, source.offset))
    return Integers(made, scale, offset, leaf().then("mul", scale, name=step.name).then("add", offset, name=step.name))


def _by_group(values: NDArray[Any], c: Contraction) -> NDArray[Any]:
    """Values of the input channels beside the taps: (O, 1, 1, I / groups)."""
    return np.repeat(values.reshape(c.groups, -1), len(c.taps) // c.groups, axis=0)[:, None, None, :]


def _offsets(c: Contraction, offset: Real) -> Real:
    """``sum of taps[o, ..., i] * offset[i]``, each rounded once."""
    if not np.any(offset):
        return np.zeros(())
    if offset.ndim == 0:
        return np.array([float(Fraction(int(s)) * Fraction(float(offset))) for s in c.taps.sum((1, 2, 3))])
    return np.array([fsum(row) for row in (c.taps.sum((1, 2)) * _by_group(offset, c)[:, 0, 0])])


def _check_width(step: Step, op: Conv, source: Integers) -> None:
    assert source.leaf.interval is not None
    reach = int(np.maximum(np.abs(source.leaf.interval.lo), np.abs(source.leaf.interval.hi)).max())
    bound = reach * int(np.abs(op.matrix).sum(1).max(initial=0))
    if bound.bit_length() + 1 > MAX_BITS:
        message = f"its sums need {bound.bit_length() + 1} bits, at most {MAX_BITS} are built"
        raise step.error("ACCUMULATOR-WIDTH", message, "Quantize its input")

"""Quantizers of sums without a common grid, by the join prover."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.frontend.expression import Expr, evaluate, leaf, map_constants, walk
from hwq.frontend.inputs import exact_encoding
from hwq.frontend.normalize import Affine, is_integral, split_affine
from hwq.frontend.values import Integers, Pending, Summed
from hwq.network.ops import Add, Requantize, Threshold
from hwq.numerics.encoding import Bipolar
from hwq.numerics.interval import Interval
from hwq.numerics.join import MAX_POINTS, JoinProof, JoinTooWide, prove_join
from hwq.numerics.prover import Thresholds
from hwq.numerics.requantize import MultiplyShift

if TYPE_CHECKING:
    from hwq.frontend.builder import Builder

__all__ = ["proven_sum"]

Ints = NDArray[np.int64]
Real = NDArray[np.float64]
HINT = "Quantize all branches in front of it with one shared quantizer, or insert one with --residual-encoding 'FIXED<16,6>'"
HINT_CONCAT = "Quantize all parts of the concatenation with one shared quantizer, or put one behind this layer"


def proven_sum(builder: Builder, pending: Pending, made: Summed, tensor: str) -> Integers:
    """The integers of the quantizer behind a sum: coefficients for an addition, and a staircase on it."""
    from hwq.frontend.builder import behind

    affine = split_affine(pending.expr, False)
    core = affine.core
    if not core.discretises or not is_integral(core, False):
        raise _no_grid(made, f"and no quantizer follows {_called(made)}")
    if not core.is_monotone:
        raise _no_grid(made, f"and the function behind {_called(made)} both rises and falls")
    join = _Join(made, core)
    try:
        proof = join.prove()
    except JoinTooWide as error:
        raise _no_grid(made, f"and a proof over all combinations would check {error.points} breakpoints, at most {MAX_POINTS}") from None
    if proof is None:
        raise _no_grid(made, "and no coefficients of 30 bits make it exact")
    result = _emitted(builder, pending, made, join, proof, affine, tensor)
    builder.remember(pending.leaf, core, result)
    return behind(result, pending.expr, core, affine)


def _no_grid(made: Summed, why: str) -> InputError:
    scales = ", ".join(f"{float(np.ravel(o.scale)[0]):g}" + (" …" if o.scale.ndim else "") for o in made.operands)
    what, hint = ("the parts of its concatenated input", HINT_CONCAT) if made.of_concat else ("its branches", HINT)
    return InputError("JOIN-GRID", f"{what} have no common grid (scales {scales}), {why}", where=made.name, hint=hint)


def _called(made: Summed) -> str:
    return "the layer that reads them" if made.of_concat else "the sum"


class _Join:
    """The specification of a quantized sum on its distinct channels."""

    def __init__(self, made: Summed, core: Expr) -> None:
        self.low = self.high = 0
        channels = made.operands[0].leaf.channels
        reaches = [o.leaf.interval for o in made.operands if o.leaf.interval is not None]
        rows = [v for r in reaches for v in (r.lo, r.hi)]
        rows += [np.broadcast_to(c, (channels,)).view(np.int64) for e in (core, *(o.rest for o in made.operands)) for c in _constants(e)]
        _, first, self.place = np.unique(np.stack(rows), axis=1, return_index=True, return_inverse=True)
        self.place = self.place.reshape(-1)
        pick = (lambda c: np.broadcast_to(c, (channels,))[first]) if channels > 1 else (lambda c: c)
        self.core = map_constants(core, pick)
        self.rests = [map_constants(o.rest, pick) for o in made.operands]
        self.reaches = [Interval(r.lo[first], r.hi[first], r.step) for r in reaches]
        self.scales = np.stack([np.broadcast_to(o.scale, (channels,))[first] for o in made.operands])
        self.channels = len(first)

    def real(self, xs: Sequence[Ints]) -> Real:
        """The sum in binary64, one operand after the other."""
        total = evaluate(self.rests[0], xs[0].astype(np.float64))
        for rest, x in zip(self.rests[1:], xs[1:], strict=True):
            total = total + evaluate(rest, x.astype(np.float64))
        return total

    def codes(self, xs: tuple[Ints, ...]) -> Ints:
        """Codes (C, N) of integers (C, N) of every operand."""
        return evaluate(self.core, self.real(xs)).astype(np.int64)

    def prove(self) -> JoinProof | None:
        """The proof on the distinct channels."""
        ends = [np.stack([r.lo, r.hi], axis=1) for r in self.reaches]
        smallest = [np.take_along_axis(e, (s < 0).astype(np.int64)[:, None], 1) for e, s in zip(ends, self.scales, strict=True)]
        largest = [np.take_along_axis(e, (s >= 0).astype(np.int64)[:, None], 1) for e, s in zip(ends, self.scales, strict=True)]
        first, last = self.codes(tuple(smallest))[:, 0], self.codes(tuple(largest))[:, 0]
        direction = np.where(last >= first, 1, -1)
        self.low, self.high = int(min(first.min(), last.min())), int(max(first.max(), last.max()))
        gain = self._gain(self.real(smallest)[:, 0], self.real(largest)[:, 0], direction)
        return prove_join(self.codes, self.reaches, self.scales * direction, gain, self.low, self.high)

    def _gain(self, low: Real, high: Real, direction: Ints) -> Real:
        """Codes per unit of the real sum, from the places of the first and the last change within reach."""
        codes = evaluate(self.core, np.stack([low, high], axis=1)).astype(np.int64) * direction[:, None]
        levels = np.stack([codes[:, 0] + 1, codes[:, 1]], axis=1)
        before, after = np.repeat(low[:, None], 2, 1), np.repeat(high[:, None], 2, 1)
        for _ in range(80):
            middle = before + (after - before) / 2
            reached = evaluate(self.core, middle) * direction[:, None] >= levels
            before, after = np.where(reached, before, middle), np.where(reached, middle, after)
        changes, distance = levels[:, 1] - levels[:, 0], after[:, 1] - after[:, 0]
        fallback = (codes[:, 1] - codes[:, 0]) / np.where(high > low, high - low, 1.0)
        return np.where((changes > 0) & (distance > 0), changes / np.where(distance > 0, distance, 1.0), fallback)


def _constants(expr: Expr) -> list[Real]:
    return [e.constant for e in walk(expr) if e.constant is not None and e.constant.ndim]


def _emitted(builder: Builder, pending: Pending, made: Summed, join: _Join, proof: JoinProof, affine: Affine, tensor: str) -> Integers:
    from hwq.frontend.join import compact, cost

    coefficients = proof.coefficients[:, join.place]
    name, sums = builder.emit(made.name, Add(compact(coefficients)), [o.leaf for o in made.operands], f"{tensor}.sum")
    builder.notes[name] = {
        "op": "add",
        **cost(coefficients),
        "form": "join",
        "compared_at": proof.checked,
        "channels_proven": join.channels,
    }
    label = next(reversed(affine.core.labels), made.name)
    op, scale, offset = _staircase(join, proof.form, affine)
    name, leaf_made = builder.emit(label, op, (sums,), tensor)
    builder.notes[name] = {"op": op.kind, "output": op.out.name, "form": "join", "codes": [join.low, join.high]}
    return Integers(leaf_made, scale, offset, leaf().then("mul", scale).then("add", offset))


def _staircase(join: _Join, form: Thresholds | MultiplyShift, affine: Affine) -> tuple[Threshold | Requantize, Real, Real]:
    """The op on the sums, and what its integers stand for: the core's own, or -1 and +1 for two values."""
    one, zero = np.asarray(1.0), np.asarray(0.0)
    if isinstance(form, MultiplyShift):
        out = exact_encoding(join.low, join.high)
        offset = form.offset[join.place]
        shared = offset[:1] if (offset == offset[0]).all() else offset
        return Requantize(np.ones_like(shared), shared, form.shift, form.rounding, join.low, join.high, out), one, zero
    points, steps, base = (v[join.place] for v in (form.points, form.steps, form.base))
    if (points == points[:1]).all():
        points, steps, base = points[:1], steps[:1], base[:1]
    if affine.core.op in ("bipolar", "sign") and (join.low, join.high) == (-1, 1) and (points[:, 0] == points[:, 1]).all():
        return Threshold(points[:, :1], steps[:, :1], base, Bipolar()), one, zero
    first, second = (affine.scale * k + affine.offset for k in (join.low, join.high))
    if join.high - join.low == 1 and np.all(first == -second) and np.all(first != 0):
        half = np.asarray(0.5)
        return Threshold(points, steps, base, Bipolar()), half, np.asarray(join.low + 0.5)
    out = exact_encoding(join.low, join.high)
    return Threshold(points, steps, base + join.low - out.lo, out), one, zero

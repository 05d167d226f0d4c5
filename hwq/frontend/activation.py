"""From a pending function that makes integers to the hardware op that computes it, by way of the prover."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.frontend.expression import Expr, evaluate, leaf
from hwq.frontend.inputs import exact_encoding
from hwq.frontend.lattice import fit_lattice
from hwq.frontend.normalize import Affine, is_integral
from hwq.frontend.values import Leaf
from hwq.network.ops import Lookup, Requantize, Threshold, Unary
from hwq.numerics.encoding import Bipolar, Encoding
from hwq.numerics.interval import Interval
from hwq.numerics.prover import FEW_THRESHOLDS, Identity, Proof, Thresholds, prove
from hwq.numerics.rounding import Rounding
from hwq.numerics.staircase import MAX_LEVELS, Codes, Staircase, by_bisection, by_enumeration

__all__ = ["Activation", "activation_of", "pass_through"]

MAX_TABLE = 1 << 12  # integers of a table
MAX_TABLES = 1 << 16  # the same over all channels that have a table of their own
T = TypeVar("T")
Real = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Activation:
    """Integers made from integers: ``core = integer * scale + offset``, with ``rest`` the same as a pending function.

    ``op`` is None where the integers are the leaf's own.
    """

    op: Unary | None
    scale: Real
    offset: Real
    rest: Expr
    facts: dict[str, Any] = field(default_factory=dict)


def pass_through(affine: Affine, source: Leaf) -> Expr | None:
    """The pending function of the leaf itself, where nothing but an affine function lies on it."""
    return leaf().then("mul", affine.scale).then("add", affine.offset) if affine.core.op == "leaf" else None


def activation_of(affine: Affine, source: Leaf) -> Activation:
    """The op for the core of a pending function.

    Raises :class:`InputError` where the core makes no integers, or none on one grid.
    """
    assert source.interval is not None
    wide = _as_clip(affine.core, source.interval)
    if wide is not None:
        return wide
    codes, scale, offset, rest = _grid(affine.core, source.interval)
    stairs = _named(affine.core, partial(_stairs, codes, affine.core, source.interval))
    low, high = stairs.range
    if _only_ends(stairs):
        return _bipolar(_halved(stairs), lambda x: (codes(x) + 1) >> 1, np.asarray(scale), np.asarray(offset))
    if high - low == 1 and _opposite(affine, scale, offset, low):
        half = np.asarray(0.5 * scale)
        return _bipolar(_from_zero(stairs, low), lambda x: codes(x) - low, half, np.asarray(offset + scale * low + half))
    proof = _named(affine.core, partial(prove, stairs, low, high, codes=codes))
    table = _table(stairs, proof, low, high)
    if table is not None:
        facts = {**_facts(stairs, proof), "form": f"table of {table.table.shape[1]} integers"}
        return Activation(table, np.asarray(scale), np.asarray(offset), rest, facts)
    return Activation(_op(proof, low, high), np.asarray(scale), np.asarray(offset), rest, _facts(stairs, proof))


def _grid(core: Expr, reach: Interval) -> tuple[Codes, Real, Real, Expr]:
    """Integer codes of the core, and the affine function back to its values."""

    def values(x: Ints) -> Real:
        y = evaluate(core, x.astype(np.float64))
        if not np.isfinite(y).all():
            raise InputError("NOT-FINITE", "the function gives NaN or infinity for integers that occur", where=_label(core))
        return y

    if is_integral(core, True):
        return (lambda x: values(x).astype(np.int64)), np.asarray(1.0), np.asarray(0.0), leaf()
    if not core.discretises:
        raise InputError(
            "NO-QUANTIZER",
            f"the tensor behind {_label(core)!r} is not quantized ({core.op}), but integers are needed here",
            where=_label(core),
            hint="Put an activation quantizer behind it",
        )
    return _levels(core, reach, values)


def _levels(core: Expr, reach: Interval, values: Any) -> tuple[Codes, Real, Real, Expr]:
    """A core that makes integers inside but shows scaled ones: its values are fitted to one grid, by value."""
    count = int(((reach.hi - reach.lo) // reach.step).max()) + 1
    if count * reach.channels > 1 << 26:
        raise InputError("RANGE", f"{count} integers of {reach.channels} channels would have to be tried", where=_label(core))
    x = np.minimum(reach.lo[:, None] + reach.step * np.arange(count), reach.hi[:, None])
    distinct = np.unique(values(x))
    lattice = fit_lattice(distinct[:, None]) if len(distinct) <= MAX_LEVELS else None
    if lattice is None:
        raise InputError(
            "LEVELS-GRID",
            f"the {len(distinct)} levels behind {_label(core)!r} do not lie on one grid of integers",
            where=_label(core),
            hint="Quantize with one scale and whole clip bounds",
        )
    integers, scale = lattice.integers[:, 0], np.float64(lattice.scale)

    def codes(x: Ints) -> Ints:
        return integers[np.searchsorted(distinct, values(x))]

    return codes, np.asarray(scale), np.asarray(0.0), leaf().then("mul", scale)


def _stairs(codes: Codes, core: Expr, reach: Interval) -> Staircase:
    return by_bisection(codes, reach) if core.is_monotone else by_enumeration(codes, reach)


def _named(core: Expr, make: Callable[[], T]) -> T:
    """What ``make`` gives; the layer's name is added to its error."""
    try:
        return make()
    except InputError as error:
        raise InputError(error.code, error.message, where=error.where or _label(core), hint=error.hint) from None


def _opposite(affine: Affine, scale: Real, offset: Real, low: int) -> bool:
    """Whether the two values differ in sign only."""
    first, second = (affine.scale * (scale * k + offset) + affine.offset for k in (low, low + 1))
    return bool(np.all(first == -second)) and bool(np.all(first != 0))


def _bipolar(stairs: Staircase, index: Codes, scale: Real, offset: Real) -> Activation:
    """Integers -1 and +1 where the staircase gives the index 0 and 1; they stand for ``offset - scale`` and ``offset + scale``."""
    proof = prove(stairs, 0, 1, codes=index)
    form = proof.form
    if isinstance(form, Identity):
        form = Thresholds(stairs.points, stairs.steps, stairs.start)
    assert isinstance(form, Thresholds)
    op = Threshold(form.points, form.steps, form.base, Bipolar())
    return Activation(op, scale, offset, leaf().then("mul", scale).then("add", offset), _facts(stairs, proof))


def _halved(stairs: Staircase) -> Staircase:
    """The index 0, 1 of a staircase whose codes are -1 and +1."""
    return Staircase(stairs.reach, (stairs.start + 1) >> 1, stairs.points[:, ::2], stairs.steps[:, ::2])


def _from_zero(stairs: Staircase, low: int) -> Staircase:
    return Staircase(stairs.reach, stairs.start - low, stairs.points, stairs.steps)


def _op(proof: Proof, low: int, high: int) -> Unary | None:
    form = proof.form
    if isinstance(form, Identity):
        return None
    out = exact_encoding(low, high)
    if isinstance(form, Thresholds):
        return Threshold(form.points, form.steps, form.base - out.lo, out)
    return Requantize(form.multiplier, form.offset, form.shift, form.rounding, form.low, form.high, out)


def _table(stairs: Staircase, proof: Proof, low: int, high: int) -> Lookup | None:
    """A table where thresholds would be many and the integers few."""
    lo, hi = stairs.reach.bounds
    count = (hi - lo) // stairs.reach.step + 1
    if not isinstance(proof.form, Thresholds) or proof.form.points.shape[1] <= FEW_THRESHOLDS or count > MAX_TABLE:
        return None
    if len(proof.form.points) * count > MAX_TABLES:
        return None
    x = np.broadcast_to(lo + stairs.reach.step * np.arange(count), (len(stairs.start), count))
    return Lookup(stairs.codes(x)[: len(proof.form.points)], lo, stairs.reach.step, exact_encoding(low, high))


def _only_ends(stairs: Staircase) -> bool:
    """Whether only -1 and +1 occur: every jump is by two."""
    if (np.abs(stairs.start) != 1).any():
        return False
    if not stairs.used.any():
        return True
    if stairs.points.shape[1] % 2:
        return False
    return bool((stairs.points[:, 0::2] == stairs.points[:, 1::2]).all() and (stairs.steps[:, 0::2] == stairs.steps[:, 1::2]).all())


def _facts(stairs: Staircase, proof: Proof) -> dict[str, Any]:
    low, high = stairs.range
    return {
        "form": proof.evidence,
        "codes": [low, high],
        "thresholds": int(stairs.points.shape[1]),
        "constant_channels": int((~stairs.used.any(1)).sum()),
        "decreasing_channels": int((stairs.direction < 0).sum()),
        "compared_at": proof.checked,
    }


def _label(core: Expr) -> str:
    return next(reversed(core.labels), "input")


def _as_clip(core: Expr, reach: Interval) -> Activation | None:
    """``clip(x + b, low, high)`` where the core is nothing but additions and bounds and the range is wide."""
    chain: list[Expr] = []
    e = core
    while e.op != "leaf":
        if len(e.args) != 1 or e.op not in ("relu", "clip", "max", "min", "add", "sub", "round"):
            return None
        if e.constant is not None and (e.constant.ndim or not float(e.constant).is_integer()):
            return None
        if not all(np.isinf(v) or float(v).is_integer() for k, v in e.attributes.items() if k in ("low", "high")):
            return None
        chain.append(e)
        e = e.args[0]
    shift, low, high = 0, *reach.bounds
    for e in reversed(chain):
        shift, low, high = _bound_step(e, shift, low, high)
    if high - low <= FEW_THRESHOLDS:
        return None
    out: Encoding = exact_encoding(low, high)
    one = np.ones(1, np.int64)
    op = Requantize(one, one * shift, 0, Rounding.FLOOR, low, high, out)
    changes = shift != 0 or (low, high) != reach.bounds
    return Activation(op if changes else None, np.asarray(1.0), np.asarray(0.0), leaf(), {"form": "clip", "codes": [low, high]})


def _bound_step(e: Expr, shift: int, low: int, high: int) -> tuple[int, int, int]:
    c = int(e.constant) if e.constant is not None else 0
    if e.op in ("add", "sub"):
        c = c if e.op == "add" else -c
        return shift + c, low + c, high + c
    if e.op == "round":
        return shift, low, high
    attributes = e.attributes
    least = {"relu": 0.0, "max": float(c), "clip": float(attributes.get("low", -np.inf))}.get(e.op, -np.inf)
    most = {"min": float(c), "clip": float(attributes.get("high", np.inf))}.get(e.op, np.inf)
    clamp = [int(min(max(float(v), least), most)) for v in (low, high)]
    return shift, clamp[0], clamp[1]

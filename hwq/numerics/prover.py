"""The prover: from an exact staircase to the cheapest equal hardware form, with its evidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.numerics.requantize import MultiplyShift, fit_multiply_shift
from hwq.numerics.rounding import shift_right
from hwq.numerics.staircase import Codes, Staircase

__all__ = ["FEW_THRESHOLDS", "Identity", "Proof", "ProofError", "Thresholds", "evaluate", "prove"]

Ints = NDArray[np.int64]

FEW_THRESHOLDS = 15  # up to here comparators are cheaper than a multiplier
MAX_THRESHOLDS = 4095  # of one channel; a 16-bit quantizer without a multiply-shift is beyond any device


class ProofError(RuntimeError):
    """A form differs from its specification: an error of this program, never of the user's model."""


@dataclass(frozen=True)
class Identity:
    """The code is the integer itself: no hardware."""


@dataclass(frozen=True, eq=False)
class Thresholds:
    """``code = base + sum over t of steps[t] * (x >= points[t])``; (C, K) or, where all channels agree, (1, K) and (1,)."""

    points: Ints
    steps: Ints
    base: Ints


@dataclass(frozen=True)
class Proof:
    """A hardware form and why it equals the staircase.

    ``checked`` counts the integers at which form and specification were compared: both sides of every jump and both ends.
    """

    form: Identity | Thresholds | MultiplyShift
    evidence: str
    checked: int


def prove(stairs: Staircase, low: int, high: int, *, codes: Codes | None = None, few: int = FEW_THRESHOLDS) -> Proof:
    """The cheapest form equal to ``stairs`` on every reachable integer; codes lie in ``low..high``.

    Order: identity; thresholds up to ``few`` of them; one multiply and shift a channel; thresholds.
    With ``codes`` (the specification itself) the form is compared with it again at every jump.
    Raises :class:`ProofError` when a form fails its own comparison, :class:`InputError` where no multiply and shift
    exists and the thresholds are more than :data:`MAX_THRESHOLDS`.
    """
    count = stairs.points.shape[1]
    if is_identity(stairs):
        return _checked(Identity(), stairs, codes, "identity")
    if count > few:
        fit = fit_multiply_shift(stairs, low, high)
        if fit is not None:
            return _checked(shared(fit), stairs, codes, f"multiply-shift, {_bits(fit.multiplier)}-bit multiplier, shift {fit.shift}")
    if count > MAX_THRESHOLDS:
        raise InputError(
            "LEVELS",
            f"no multiply and shift in 64 bits gives its {count} changes by one, and at most {MAX_THRESHOLDS} thresholds are built",
            hint="Quantize to fewer bits",
        )
    form = _thresholds(stairs)
    return _checked(form, stairs, codes, f"{count} {'shared ' if len(form.base) == 1 else ''}thresholds")


def is_identity(stairs: Staircase) -> bool:
    """Whether every reachable integer is its own code."""
    reach = stairs.reach
    if reach.step != 1 or (stairs.start != reach.lo).any() or (stairs.used.sum(1) != reach.hi - reach.lo).any():
        return False
    ramp = reach.lo[:, None] + 1 + np.arange(stairs.points.shape[1])
    return bool(((stairs.points == ramp) & (stairs.steps == 1) | ~stairs.used).all())


def evaluate(form: Identity | Thresholds | MultiplyShift, x: Ints) -> Ints:
    """Codes (C, N) that ``form`` gives for integers ``x`` (C, N)."""
    if isinstance(form, Identity):
        return x
    if isinstance(form, MultiplyShift):
        y = x * form.multiplier[:, None] + form.offset[:, None]
        return np.clip(shift_right(y, form.shift, form.rounding), form.low, form.high)
    out = np.zeros(x.shape, np.int64) + form.base[:, None]
    for t in range(form.points.shape[1]):
        out += form.steps[:, t, None] * (x >= form.points[:, t, None])
    return out


def shared(fit: MultiplyShift) -> MultiplyShift:
    """The same form with one row where all channels agree."""
    if (fit.multiplier == fit.multiplier[0]).all() and (fit.offset == fit.offset[0]).all():
        return MultiplyShift(fit.multiplier[:1], fit.offset[:1], fit.shift, fit.rounding, fit.low, fit.high)
    return fit


def _thresholds(stairs: Staircase) -> Thresholds:
    same = all((a == a[:1]).all() for a in (stairs.points, stairs.steps, stairs.start))
    rows = slice(0, 1) if same else slice(None)
    return Thresholds(stairs.points[rows], stairs.steps[rows], stairs.start[rows])


def _checked(form: Identity | Thresholds | MultiplyShift, stairs: Staircase, codes: Codes | None, evidence: str) -> Proof:
    reach = stairs.reach
    top = (reach.lo + (reach.hi - reach.lo) // reach.step * reach.step)[:, None]
    inside = np.where(stairs.used, stairs.points, top)
    x = np.hstack([reach.lo[:, None], inside - np.where(stairs.used, reach.step, 0), inside, top])
    expected = codes(x) if codes is not None else stairs.codes(x)
    if not np.array_equal(evaluate(form, x), expected):
        raise ProofError(f"the form found ({evidence}) is not equal to its specification")
    return Proof(form, evidence, x.size)


def _bits(x: Ints) -> int:
    return int(np.abs(x).max()).bit_length()

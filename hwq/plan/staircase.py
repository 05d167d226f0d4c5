"""Counts of a staircase behind a value: what its unit and its memory of constants are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwq.network.ops import Op, Requantize, Threshold
from hwq.numerics.rounding import Rounding
from hwq.plan.join import signed_digits
from hwq.plan.threshold import falling_channels, may_search, threshold_base

__all__ = ["Staircase", "staircase_of"]

# Terms of a shared multiplier that adders take.
TERMS = 4


@dataclass(frozen=True)
class Staircase:
    """Counts of a ``threshold`` or ``requantize`` op.

    Parameters
    ----------
    count, shared, may_search, has_base, directions
        Thresholds a channel, and how many of them are the same in all channels; whether they can be searched; whether there is a base;
        bits that say which steps fall, a channel.
    multiplier_bits, offset_bits
        Widths of the constants of a channel; 0 where all channels share them.
    shared_bits, terms
        Width of a shared multiplier, and of how many powers of two it is the sum where adders take them.
    """

    kind: str
    out_bits: int
    count: int = 0
    shared: int = 0
    may_search: bool = False
    has_base: bool = False
    directions: int = 0
    multiplier_bits: int = 0
    offset_bits: int = 0
    shared_bits: int = 0
    terms: int | None = None
    shift: int = 0
    half_even: bool = False


def staircase_of(op: Op) -> Staircase | None:
    """Counts of ``op``; None where it is no staircase."""
    if isinstance(op, Threshold):
        one = falling_channels(op)
        falling = (op.steps < 0) if one is None else one[:, None]
        mixed = bool((falling != falling[:1]).any())
        base = bool(threshold_base(op).any())
        shared = int((op.thresholds == op.thresholds[:1]).all(0).sum())
        return Staircase("threshold", op.out.bits, op.count, shared, may_search(op), base, falling.shape[1] * mixed)
    if isinstance(op, Requantize):
        even = op.rounding is Rounding.HALF_EVEN and op.shift > 0
        is_shared = bool((op.multiplier == op.multiplier[0]).all())
        digits = len(signed_digits(int(op.multiplier[0]))) if is_shared else 0
        return Staircase(
            "requantize",
            op.out.bits,
            multiplier_bits=0 if is_shared else _signed_bits(op.multiplier),
            offset_bits=0 if (op.offset == op.offset[0]).all() else _signed_bits(op.offset),
            shared_bits=_signed_bits(op.multiplier) if is_shared else 0,
            terms=digits if is_shared and digits <= TERMS else None,
            shift=op.shift,
            half_even=even,
        )
    return None


def _signed_bits(values: np.ndarray) -> int:
    low, high = min(int(values.min()), -1), max(int(values.max()), 0)
    return max((-low - 1).bit_length(), high.bit_length()) + 1

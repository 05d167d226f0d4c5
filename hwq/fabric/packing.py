"""Several products in one DSP slice: which fields of its 48 bits they take, and how many steps may be added before one overflows.

Every field starts at a constant that keeps its sum non-negative, so a field borrows nothing from the one above it: the correction that
packed signed products need elsewhere is one constant at the head of the cascade, and the fields leave as raw sums, in no LUT.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

from hwq.numerics.encoding import Bipolar, Encoding

__all__ = ["Field", "Packing", "lane_packing", "packing", "shared_rows"]

#: Signed operands of the multiplier, and the word (UG579).
A_BITS, B_BITS, WORD_BITS = 27, 18, 48
LUT_INPUTS = 6


@dataclass(frozen=True)
class Field:
    """Products that add up at bit ``shift``: of ``w[i]`` and ``x[j]`` for each (i, j) of ``products``; ``wanted``, or only in the way."""

    shift: int
    products: tuple[tuple[int, int], ...]
    wanted: bool = True


@dataclass(frozen=True)
class Packing:
    """``(sum of w[i] << w_shifts[i]) * (sum of x[j] << x_shifts[j])``, taken apart into fields.

    Outer: every w times every x, a field each (rows that share an activation, pixels that share a weight). Inner: w[0]*x[0] + w[1]*x[1],
    the middle one of three fields (``x`` lies the other way round); the products below it are in the way, those above are not.

    Source: the shared operand is Xilinx WP486 (INT8) and WP521 (INT4); constants instead of a correction: own; inner: own.
    """

    x: Encoding
    w: Encoding
    w_shifts: tuple[int, ...]
    x_shifts: tuple[int, ...]
    inner: bool = False

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """From the least bit up; fields above the last wanted one are left out."""
        found: dict[int, list[tuple[int, int]]] = {}
        for i, a in enumerate(self.w_shifts):
            for j, b in enumerate(self.x_shifts):
                found.setdefault(a + b, []).append((i, j))
        fields = [Field(shift, tuple(found[shift]), not self.inner or len(found[shift]) > 1) for shift in sorted(found)]
        last = max(k for k, field in enumerate(fields) if field.wanted)
        return tuple(fields[: last + 1])

    @property
    def macs(self) -> int:
        """Wanted products a slice."""
        return sum(len(field.products) for field in self.fields if field.wanted)

    @cached_property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest product."""
        corners = [a * b for a in (self.x.lo, self.x.hi) for b in (self.w.lo, self.w.hi)]
        return min(corners), max(corners)

    def room(self, field: Field) -> int:
        """Bits of a field, up to the next one's first."""
        above = [a + b for a in self.w_shifts for b in self.x_shifts if a + b > field.shift]
        return min(above, default=WORD_BITS) - field.shift

    @property
    def depth(self) -> int:
        """Steps (slices of a cascade, or cycles of an accumulation) for which every field stays exact; 0: not even one."""
        span = self.bounds[1] - self.bounds[0]
        return min(((1 << self.room(field)) - 1) // (span * len(field.products)) for field in self.fields)

    @property
    def carry_depth(self) -> int:
        """Steps if the carry out of every field is worked out beside the slices, from the parity of the field above (outer packings)."""
        if self.inner:
            return self.depth
        span = self.bounds[1] - self.bounds[0]
        return min(((1 << (self.room(field) + 1)) - 2) // span for field in self.fields)

    def constant(self, steps: int) -> int:
        """What ``steps`` steps start from: every field then holds ``sum of (product - smallest)``."""
        return sum(-self.bounds[0] * len(field.products) * steps << field.shift for field in self.fields) & ((1 << WORD_BITS) - 1)

    def field_bits(self, field: Field, steps: int) -> int:
        """Bits of the raw sum of ``steps`` steps."""
        return ((self.bounds[1] - self.bounds[0]) * len(field.products) * steps).bit_length()

    @property
    def preadds(self) -> bool:
        """Whether the pre-adder joins the weights: signed ones borrow from those above them."""
        return self.w.signed and len(self.w_shifts) > 1


@lru_cache(maxsize=1024)
def packing(x: Encoding, w: Encoding, rows: int, pixels: int = 1) -> Packing | None:
    """``rows`` weights times ``pixels`` activations in one slice, with the most room between them; None where they don't fit."""
    best = None
    for b in range(1, B_BITS) if pixels > 1 else (0,):
        x_shifts = tuple(j * b for j in range(pixels))
        for a in range(max(b * pixels, 1), A_BITS) if rows > 1 else (0,):
            made = Packing(x, w, tuple(i * a for i in range(rows)), x_shifts)
            if _fits(made) and (best is None or made.carry_depth > best.carry_depth):
                best = made
    return best


@lru_cache(maxsize=1024)
def lane_packing(x: Encoding, w: Encoding) -> Packing | None:
    """Products of one dot product a slice: two where three fields fit, else one; None where not even one does, or for ±1 codes."""
    pairs = [Packing(x, w, (0, s), (s, 0), inner=True) for s in range(1, B_BITS)]
    fitting = [p for p in pairs if _fits(p)]
    return max(fitting, key=lambda p: p.depth) if fitting else packing(x, w, 1)


@lru_cache(maxsize=1 << 14)
def shared_rows(x: Encoding, w: Encoding, n: int, rows: int) -> int:
    """How many of ``rows`` rows of ``n`` products each, all of the same activations, share slices: as takes the fewest slices.

    ``ceil(rows / shared) * n`` slices; of equal numbers of slices the fewest rows share them. 1: every row has slices of its own, as of
    :func:`lane_packing`.
    """
    own = lane_packing(x, w)
    best, least = 1, rows * -(-n // own.macs) if own else 0
    for shared in range(2, rows + 1):
        if packing(x, w, shared) is None:
            break
        slices = -(-rows // shared) * n
        if slices < least:
            best, least = shared, slices
    return best


def _fits(made: Packing) -> bool:
    """Whether the joined operands lie in their ports, and one step's fields in theirs, a carry taken back where they may."""
    if isinstance(made.x, Bipolar) or isinstance(made.w, Bipolar):
        return False
    # A borrow is worked out in one LUT a bit.
    borrows = made.x.signed and len(made.x_shifts) > 1 and made.x.bits > LUT_INPUTS - 1
    return not borrows and _held(made.w, made.w_shifts, A_BITS) and _held(made.x, made.x_shifts, B_BITS) and made.carry_depth >= 1


def _held(encoding: Encoding, shifts: tuple[int, ...], bits: int) -> bool:
    """Whether a signed number of ``bits`` bits holds codes at ``shifts``, none of which reaches into the next."""
    lowest, highest = (sum(end << s for s in shifts) for end in (encoding.lo, encoding.hi))
    ordered = sorted(shifts)
    # Products of narrow codes may have room where the codes themselves have not.
    apart = all(above - below >= encoding.bits for below, above in pairwise(ordered))
    return apart and -(1 << (bits - 1)) <= lowest and highest < 1 << (bits - 1)

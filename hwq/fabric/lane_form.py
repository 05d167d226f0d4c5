"""The arithmetic of a lane: how the products of two encodings become bits, and how the bits are added, level by level.

Plan and gateware share these figures: the plan counts the levels, the gateware builds them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

from hwq.fabric.packing import lane_packing
from hwq.fabric.portable_heap import heap_levels
from hwq.numerics.encoding import Bipolar, Encoding, Integer

__all__ = ["LUT_INPUTS", "LaneForm", "lane_form"]

LUT_INPUTS = 6
#: Products this wide stay in LUTs: four by four bits, as synthesis tools have it.
PRODUCT_BITS = 8
TERNARY = Integer(2, True, True)


@dataclass(frozen=True)
class LaneForm:
    """A dot product of ``n`` products of an ``x`` code and a ``w`` code, summed as unsigned *raw* values.

    ``sum of products = step * y + low * n`` with ``y`` the raw sum, ``0 .. y_max``: constants cost nothing inside and are
    folded into what follows. The front is chosen by the widths alone:

    ``table``
        ``group`` products share one table of at most six inputs (XNOR: three products, two LUTs); their raw sum leaves.
    ``select``
        bipolar times a wide integer: plus or minus the integer, as XOR and a carry bit.
    ``multiply``
        everything else: a multiplier a product.

    ``tallied``: behind the ``n`` codes of a word of weights comes a number that they alone decide, :meth:`tally`, ``tally_bits`` wide. The
    weights' memory carries it; the sums over ternary masks, or over the ones of negations, cost the lane nothing then.
    """

    x: Encoding
    w: Encoding
    n: int
    tallied: bool = False

    @property
    def front(self) -> str:
        """``table``, ``select`` or ``multiply``."""
        if self.x.bits + self.w.bits <= LUT_INPUTS:
            return "table"
        return "select" if isinstance(self.x, Bipolar) or isinstance(self.w, Bipolar) else "multiply"

    @property
    def circuit(self) -> str:
        """Which front of :mod:`hwq.fabric.lanes` makes the bits: ``xnor``, ``planes``, ``masked``, ``ternary``, ``table``, ``product``,
        ``dsp``; ``multiply``: none of them, the operands are wider than a slice's.
        """
        kinds = [_kind(self.x), _kind(self.w)]
        if kinds == ["bipolar", "bipolar"]:
            return "xnor"
        if sorted(kinds) == ["bipolar", "ternary"]:
            return "masked"
        if kinds == ["ternary", "ternary"]:
            return "ternary"
        if "bipolar" in kinds:
            return "planes"
        if self.front == "table" and self.x.bits + self.w.bits < LUT_INPUTS:
            return "table"
        if self.x.bits + self.w.bits <= PRODUCT_BITS:
            return "product"
        return "dsp" if lane_packing(self.x, self.w) else "multiply"

    @property
    def tallies(self) -> tuple[int, ...]:
        """What each weight code adds to the tally of its word; empty where a tally helps nothing."""
        if self.circuit == "masked" and not isinstance(self.w, Bipolar):
            return (1, 0, 1, 0)
        if self.circuit == "ternary":
            return (2, 0, 2, 1)
        if self.circuit == "planes" and isinstance(self.w, Bipolar):
            return (1, 0) if self.x.signed else (1, 1 << self.x.bits)
        return ()

    @property
    def tally_bits(self) -> int:
        """Width of the tally in a word of weights: 0 if it has none."""
        return (self.n * max(self.tallies)).bit_length() if self.tallied and self.tallies else 0

    @property
    def word_bits(self) -> int:
        """Width of a word of weights."""
        return self.n * self.w.bits + self.tally_bits

    def tally(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """The tallies of words of weight codes, (..., n) to (...)."""
        assert self.tally_bits, "the form has no tally"
        return np.asarray(self.tallies)[codes].sum(-1)

    @property
    def group(self) -> int:
        """Products a table."""
        return LUT_INPUTS // (self.x.bits + self.w.bits) if self.front == "table" else 1

    @cached_property
    def _extremes(self) -> tuple[int, int]:
        corners = [a * b for a in (self.x.lo, self.x.hi) for b in (self.w.lo, self.w.hi)]
        return min(corners), max(corners)

    @property
    def integer(self) -> Encoding:
        """The operand of a ``select`` front that is not bipolar."""
        return self.w if isinstance(self.x, Bipolar) else self.x

    @property
    def product_bits(self) -> int:
        """Bits of a two's complement or unsigned product of the ``multiply`` front."""
        return self.x.bits + self.w.bits

    @property
    def step(self) -> int:
        """Distance between neighbouring products: 2 for bipolar times bipolar."""
        return gcd(self.x.step, self.w.step) if self.x.step == self.w.step == 2 else 1

    @property
    def low(self) -> int:
        """Product whose raw value is 0."""
        if self.front == "table":
            return self._extremes[0]
        if self.front == "select":
            return -(1 << (self.integer.bits - self.integer.signed))
        return -(1 << (self.product_bits - 1)) if self.x.signed or self.w.signed else 0

    @property
    def raw_max(self) -> int:
        """Largest raw value of one product."""
        return (self._extremes[1] - self.low) // self.step

    @property
    def y_max(self) -> int:
        """Largest raw sum."""
        return self.n * self.raw_max

    @property
    def y_bits(self) -> int:
        """Width of the raw sum."""
        return max(1, self.y_max.bit_length())

    def raw(self, x_code: int, w_code: int) -> int:
        """Raw value of the product of two codes; codes outside their encoding are brought into range, of a ternary number to 0."""
        product = _number(self.x, x_code) * _number(self.w, w_code)
        return min(max((product - self.low) // self.step, 0), self.raw_max)

    @property
    def pad_weight(self) -> int:
        """Weight code in a column that does not exist; the activation code there is 0."""
        return 1 if isinstance(self.w, Bipolar) else 0

    @property
    def pad_product(self) -> int:
        """Product in a column that does not exist."""
        return int(self.x.decode(0)) * int(self.w.decode(self.pad_weight))

    def offset(self, columns: int, padded: int) -> int:
        """Constant between ``step * y`` and the sum of products, over ``columns`` columns of which ``padded`` do not exist."""
        return self.low * columns - self.pad_product * padded

    @property
    def groups(self) -> tuple[int, int]:
        """Full tables, and the products of the table left over (0: none)."""
        return self.n // self.group, self.n % self.group

    @cached_property
    def heights(self) -> tuple[int, ...]:
        """Bits the front gives to each column of the heap."""
        if self.front == "table":
            full, rest = self.groups
            top, left = (self.group * self.raw_max).bit_length() if full else 0, (rest * self.raw_max).bit_length()
            columns = max(top, left, 1)
            return tuple(full * (c < top) + (c < left) for c in range(columns))
        if self.front == "select":
            bits = self.integer.bits - self.integer.signed
            # The magnitude bits, the inverted sign, and the carry of a negation at weight 1.
            return tuple(self.n * (2 if c == 0 else 1) for c in range(bits + 1))
        return (self.n,) * self.product_bits

    @property
    def front_levels(self) -> int:
        """Registers of the front."""
        return 2 if self.front == "multiply" else 1

    @property
    def latency(self) -> int:
        """Cycles from operands to the raw sum."""
        return self.front_levels + heap_levels(self.heights)


def _number(encoding: Encoding, code: int) -> int:
    number = int(encoding.decode(code))
    return 0 if encoding == TERNARY and number == -2 else number


def _kind(encoding: Encoding) -> str:
    if isinstance(encoding, Bipolar):
        return "bipolar"
    return "ternary" if encoding == TERNARY else "integer"


@lru_cache(maxsize=4096)
def lane_form(x: Encoding, w: Encoding, n: int, tallied: bool = False) -> LaneForm:
    """The lane of ``n`` products of activations ``x`` and weights ``w``."""
    return LaneForm(x, w, n, tallied)

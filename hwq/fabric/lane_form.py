"""The arithmetic of a lane: how the products of two encodings become bits, and how the bits are added, level by level.

Plan and gateware share these figures: the plan counts the levels, the gateware builds them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

from hwq.fabric.front_bits import TERNARY, Products, products_of
from hwq.fabric.packing import lane_packing, shared_rows
from hwq.fabric.portable_heap import heap_levels
from hwq.fabric.weight_code import Listed
from hwq.numerics.encoding import Bipolar, Encoding

__all__ = ["LUT_INPUTS", "LaneForm", "lane_form"]

LUT_INPUTS = 6
#: Products this wide stay in LUTs: four by four bits, as synthesis tools have it.
PRODUCT_BITS = 8
#: What may multiply: by the widths, LUTs, slices where they can, or what synthesis makes of wide products.
MULTIPLIERS = ("auto", "lut", "dsp", "inferred")


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

    ``apart``: of every product the part that its weight alone decides is left out, :attr:`bases`; the sum over an output's weights
    is known beforehand and belongs to what follows. ``sum of products = step * y + sum of bases[codes of the weights]`` then, and the
    front is ``bits``, a table each (see :mod:`hwq.fabric.front_bits`); such weights may have any code. ``multiplier``: what
    multiplies two integers, one of :data:`MULTIPLIERS`. ``rows``: where slices do, how many rows of weights times the same activations
    share them (:func:`hwq.fabric.packing.shared_rows`); everything else here is of one row.
    """

    x: Encoding
    w: Encoding
    n: int
    apart: bool = False
    multiplier: str = "auto"
    rows: int = 1

    @cached_property
    def products(self) -> Products | None:
        """The bits of a product where the weights' share is apart."""
        return products_of(self.x, self.w) if self.apart else None

    @property
    def front(self) -> str:
        """``table``, ``select``, ``multiply``, or ``bits``."""
        if self.products:
            return "bits"
        if self.x.bits + self.w.bits <= LUT_INPUTS:
            return "table"
        return "select" if isinstance(self.x, Bipolar) or isinstance(self.w, Bipolar) else "multiply"

    @property
    def circuit(self) -> str:
        """Which front of :mod:`hwq.fabric.lanes` makes the bits: ``xnor``, ``planes``, ``masked``, ``ternary``, ``table``, ``product``,
        ``dsp``, ``coded`` (weights' share apart); ``multiply``: none of them, the operands are wider than a slice's, or synthesis finds
        the slices itself.
        """
        if self.products:
            return "coded"
        kinds = [_kind(self.x), _kind(self.w)]
        if kinds == ["bipolar", "bipolar"]:
            return "xnor"
        if sorted(kinds) == ["bipolar", "ternary"]:
            return "masked"
        if self.multiplier == "dsp" and lane_packing(self.x, self.w):
            return "dsp"
        if kinds == ["ternary", "ternary"]:
            return "ternary"
        if "bipolar" in kinds:
            return "planes"
        if self.front == "table" and self.x.bits + self.w.bits < LUT_INPUTS:
            return "table"
        if self.multiplier == "lut" or self.x.bits + self.w.bits <= PRODUCT_BITS:
            return "product"
        return "dsp" if self.multiplier != "inferred" and lane_packing(self.x, self.w) else "multiply"

    @property
    def bases(self) -> tuple[int, ...]:
        """What each weight code's product has beyond ``step`` times its raw value: the same for all unless ``apart``."""
        return self.products.bases if self.products else (self.low,) * (1 << self.w.bits)

    def sized(self, n: int, rows: int = 1) -> LaneForm:
        """The same arithmetic for ``n`` products in each of ``rows`` rows of the same activations."""
        return replace(self, n=n, rows=shared_rows(self.x, self.w, n, rows) if self.circuit == "dsp" else 1)

    @property
    def word_bits(self) -> int:
        """Width of a row's word of weights."""
        return self.n * self.w.bits

    def share(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """What words of weight codes, (..., n), alone bring to their dot products: (...)."""
        return np.asarray(self.bases)[codes].sum(-1)

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
        """Distance between neighbouring products of one weight: 2 for bipolar times bipolar."""
        if self.products:
            return self.products.step
        return gcd(self.x.step, self.w.step) if self.x.step == self.w.step == 2 else 1

    @property
    def low(self) -> int:
        """Product whose raw value is 0; where the weights' share is apart, see :attr:`bases`."""
        if self.products:
            return 0
        if self.front == "table":
            return self._extremes[0]
        if self.front == "select":
            return -(1 << (self.integer.bits - self.integer.signed))
        return -(1 << (self.product_bits - 1)) if self.x.signed or self.w.signed else 0

    @property
    def raw_max(self) -> int:
        """Largest raw value of one product."""
        if self.products:
            return max(self.products.tops)
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
        """Raw value of the product of two codes.

        Of a code outside its encoding, which never reaches a lane (the inputs of a design replace it), tables make a value in range and
        other fronts any value.
        """
        if self.products:
            return self.products.raw(x_code, w_code)
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
        if self.products:
            places = [b.weight + k for b in self.products.bits for k in range(b.factor.bit_length()) if b.factor >> k & 1]
            return tuple(self.n * places.count(c) for c in range(max(places) + 1))
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
def lane_form(x: Encoding, w: Encoding, n: int, apart: bool = False, multiplier: str = "auto", rows: int = 1) -> LaneForm:
    """The lane of ``n`` products of activations ``x`` and weights ``w``; the weights' share ``apart`` only where that gains anything.

    Slices multiply integers where they are asked for and take them; of ``rows`` rows with the same activations several share them.
    Raises ``ValueError`` for weights whose codes are no numbers where :func:`hwq.fabric.front_bits.products_of` has nothing for them.
    """
    in_slices = multiplier == "dsp" and not isinstance(w, Listed) and lane_packing(x, w) is not None
    parted = apart and not in_slices and products_of(x, w) is not None
    if isinstance(w, Listed) and not parted:
        raise ValueError(f"codes of {w.name} times {x.name} are no numbers to multiply: apart={apart}")
    return LaneForm(x, w, n, parted, multiplier).sized(n, rows)

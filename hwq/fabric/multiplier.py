"""Products of two integers in LUTs, as bits of a heap: no adder of their own ends them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hwq.fabric.heap import BitHeap
from hwq.fabric.netlist import FALSE, TRUE, Netlist, inverted

__all__ = ["LUT_INPUTS", "Number", "add_booth"]

LUT_INPUTS = 6


@dataclass(frozen=True)
class Number:
    """Bits of an unsigned or two's complement number, least first; literals."""

    bits: tuple[int, ...]
    signed: bool

    def __len__(self) -> int:
        return len(self.bits)

    def bit(self, k: int) -> int:
        """Bit ``k`` of the number extended to any width, 0 below."""
        if k < 0:
            return FALSE
        if k < len(self.bits):
            return self.bits[k]
        return self.bits[-1] if self.signed else FALSE

    def value(self, code: int) -> int:
        """The integer of a bit pattern."""
        return code - ((code >> (len(self) - 1)) << len(self)) if self.signed else code


def add_booth(heap: BitHeap, x: Number, w: Number) -> None:
    """Adds ``x * w``: radix-4 Booth digits of ``w``, a row of multiples of ``x`` each, every row added to the one before in its own LUTs.

    Digit i is ``w[2i-1] + w[2i] - 2 * w[2i+1]``, a row bit a function of those and two bits of ``x``: with a bit of the row
    before, six inputs of a carry position, whose O5 (the row bit) is the position's DI. About ``len(x)`` positions a digit, the first
    digit's row half of that. What does not overlap the next row goes to the heap. Levels: one a digit.

    Source: MacSorley, Proc. IRE 49 (1961); O5 as DI: own.
    """
    digits = (len(w) + 1) // 2 if w.signed else len(w) // 2 + 1
    row = _Row(heap.netlist, x, w, 0)
    heap.add(row.negative, 0)
    open_bits = row.plain(0)
    for i in range(1, digits):
        for weight in [k for k in open_bits if k < 2 * i]:
            heap.add(open_bits.pop(weight), weight)
        open_bits = _accumulate(heap, _Row(heap.netlist, x, w, i), open_bits)
    for weight, bit in open_bits.items():
        heap.add(bit, weight)
    # Every row's last bit counts negative: it was complemented.
    heap.constant(-sum(1 << (row.top + 2 * i) for i in range(digits)))


def _accumulate(heap: BitHeap, row: _Row, before: dict[int, int]) -> dict[int, int]:
    """The row plus the bits ``before`` it, which cover its lowest columns; the carry goes to the heap."""
    base, ci = 2 * row.digit, row.negative
    if inverted(ci) and ci != TRUE:
        heap.add(ci, base)
        ci = FALSE
    overlap = len(before)
    s, di = zip(*(row.position(k, before[base + k]) for k in range(overlap)), strict=True)
    o, co = heap.netlist.chain(s, di, ci)
    heap.add(co[-1], base + overlap)
    return {**{base + k: bit for k, bit in enumerate(o)}, **row.plain(overlap)}


@dataclass(frozen=True)
class _Row:
    """Digit ``digit`` of ``w`` times ``x``, in one's complement: bits 0 .. top, the last one complemented."""

    netlist: Netlist
    x: Number
    w: Number
    digit: int

    @property
    def top(self) -> int:
        """The sign's place."""
        return len(self.x) if self.x.signed else len(self.x) + 1

    @property
    def negative(self) -> int:
        """What makes the two's complement of the row: one more where the digit is negative."""
        return self.w.bit(2 * self.digit + 1)

    def pins(self, k: int) -> tuple[int, ...]:
        """What bit ``k`` depends on: two bits of x, three of w."""
        return (self.x.bit(k), self.x.bit(k - 1), *(self.w.bit(2 * self.digit + d) for d in (-1, 0, 1)))

    def function(self, k: int, pins: Sequence[int]) -> int:
        """Bit ``k`` as a function of values of :meth:`pins`."""
        one, two, low, middle, high = pins
        magnitude = abs(low + middle - 2 * high)
        return ((0, one, two)[magnitude] ^ high) ^ (k == self.top)

    def position(self, k: int, addend: int) -> tuple[int, int]:
        """S and DI of a carry position that adds bit ``k`` to ``addend``."""
        pins = self.pins(k)
        assert not inverted(addend) or addend == TRUE
        return self.netlist.lut6_2(lambda *p: self.function(k, p[:5]) ^ p[5], *pins, addend)

    def plain(self, start: int) -> dict[int, int]:
        """Bits from ``start`` on by weight, no complement among them; two neighbours share a LUT where they have five inputs together."""
        found = {}
        k = start
        while k <= self.top:
            shared = tuple(dict.fromkeys(p for p in self.pins(k) + self.pins(k + 1) if p > TRUE))
            if k < self.top and len(shared) < LUT_INPUTS:
                pair = self.netlist.position(self._over(k, shared), self._over(k + 1, shared), *shared)
                found.update({2 * self.digit + k: pair[0], 2 * self.digit + k + 1: pair[1]})
                k += 2
                continue
            shared = tuple(dict.fromkeys(p for p in self.pins(k) if p > TRUE))
            bit = self.netlist.lut(self._over(k, shared), *shared)
            if inverted(bit):
                # A complement cannot enter a carry pin.
                bit = self.netlist.position(self._over(k, shared), self._over(k, shared), *shared)[0]
            found[2 * self.digit + k] = bit
            k += 1
        return found

    def _over(self, k: int, shared: tuple[int, ...]) -> Callable[..., int]:
        """Bit ``k`` as a function of the pins ``shared``."""
        own = self.pins(k)
        return lambda *values: self.function(k, [values[shared.index(p)] if p > TRUE else p for p in own])

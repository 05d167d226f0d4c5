"""Products as bits: what a lane adds up where the weights' own share of every product is left to those who know the weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from hwq.fabric.weight_code import Bases, Listed, Powers
from hwq.numerics.encoding import Bipolar, Encoding, Integer

__all__ = ["TERNARY", "FrontBit", "Products", "products_of"]

TERNARY = Integer(2, True, True)

#: Bits of both codes up to which every bit of a product may be a table of all of them.
TABLE_PINS = 10


@dataclass(frozen=True)
class FrontBit:
    """A bit of a product that counts ``factor << weight``, ``factor`` odd: ``table`` bit i, i the bits ``x_bits`` of the
    activation's code, the first one least, and above them ``w_bits`` of the weight's.
    """

    weight: int
    table: int
    x_bits: tuple[int, ...]
    w_bits: tuple[int, ...]
    factor: int = 1

    def value(self, x_code: int, w_code: int) -> int:
        """What the bit adds to a product."""
        bits = [*(x_code >> k & 1 for k in self.x_bits), *(w_code >> k & 1 for k in self.w_bits)]
        return (self.table >> sum(b << k for k, b in enumerate(bits)) & 1) * self.factor << self.weight


@dataclass(frozen=True)
class Products:
    """Products of ``x`` and ``w`` as ``bits``: ``x * w = step * (sum of the bits) + bases[code of w]``, for every x."""

    x: Encoding
    w: Encoding
    bits: tuple[FrontBit, ...]

    @property
    def step(self) -> int:
        """What one unit of the bits' sum stands for: 2 where x is bipolar."""
        return self.x.step

    def raw(self, x_code: int, w_code: int) -> int:
        """Sum of the bits."""
        return sum(b.value(x_code, w_code) for b in self.bits)

    @cached_property
    def bases(self) -> tuple[int, ...]:
        """By weight code: what is left of a product of 0, or of the least integer of x."""
        code = int(self.x.encode(self.x.lo))
        return tuple(self.x.lo * int(self.w.decode(c)) - self.step * self.raw(code, c) for c in range(1 << self.w.bits))

    @cached_property
    def tops(self) -> tuple[int, ...]:
        """By weight code: the largest sum of the bits over all integers of x."""
        w = [int(self.w.decode(c)) for c in range(1 << self.w.bits)]
        return tuple((max(v * self.x.lo, v * self.x.hi) - base) // self.step for v, base in zip(w, self.bases, strict=True))


@lru_cache(maxsize=4096)
def products_of(x: Encoding, w: Encoding) -> Products | None:
    """The bits of products of activations ``x`` and weights ``w``; None where nothing is gained over those of a plain lane.

    ``-v = ~v + 1``: a sign is an exclusive or, and the ones are the weights' share. A bipolar x chooses between 0 and ``2 w``,
    and ``-w`` is the weights' share.
    """
    bits = _bits(x, w)
    return None if bits is None else Products(x, w, bits)


def _bits(x: Encoding, w: Encoding) -> tuple[FrontBit, ...] | None:
    if isinstance(w, Bases):
        return _sums(x, w)
    if isinstance(w, Powers):
        return _shifts(x, w) if not isinstance(x, Bipolar) else _listed(x, w)
    if isinstance(w, Listed):
        return _listed(x, w)
    if w == TERNARY:
        return (_bit(0, _masked, (0,), (0, 1)),) if isinstance(x, Bipolar) else _planes(x, _masked, (0, 1))
    if isinstance(w, Bipolar):
        return None if isinstance(x, Bipolar) or x == TERNARY else _planes(x, _xnor, (0,))
    return _chosen(w) if isinstance(x, Bipolar) else None


Function = Callable[..., int]


def _bit(weight: int, function: Function, x_bits: tuple[int, ...], w_bits: tuple[int, ...], factor: int = 1) -> FrontBit:
    pins = len(x_bits) + len(w_bits)
    table = sum((function(*(i >> k & 1 for k in range(pins))) & 1) << i for i in range(1 << pins))
    return FrontBit(weight, table, x_bits, w_bits, factor)


def _xnor(x: int, s: int) -> int:
    return x ^ s ^ 1


def _xor(x: int, s: int) -> int:
    return x ^ s


def _masked(x: int, mask: int, sign: int) -> int:
    return mask & (x ^ sign)


def _masked_top(x: int, mask: int, sign: int) -> int:
    return mask & (x ^ sign ^ 1)


def _planes(x: Encoding, function: Function, w_bits: tuple[int, ...]) -> tuple[FrontBit, ...]:
    """Bit by bit of an integer x, exclusive or a sign; the sign's own bit complemented."""
    top = _masked_top if function is _masked else _xor
    return tuple(_bit(k, top if x.signed and k == x.bits - 1 else function, (k,), w_bits) for k in range(x.bits))


def _chosen(w: Encoding) -> tuple[FrontBit, ...]:
    """w where x is +1, else 0."""
    return tuple(_bit(k, _nand if w.signed and k == w.bits - 1 else _and, (0,), (k,)) for k in range(w.bits))


def _and(x: int, w: int) -> int:
    return x & w


def _nand(x: int, w: int) -> int:
    return 1 - (x & w)


def _sums(x: Encoding, w: Bases) -> tuple[FrontBit, ...]:
    """Plane by plane of the weights: a bipolar weight each, times its base."""
    ones = (_bit(0, _xnor, (0,), (0,)),) if isinstance(x, Bipolar) else _planes(x, _xnor, (0,))
    found = []
    for j, base in enumerate(w.bases):
        shift = (base & -base).bit_length() - 1
        found += [FrontBit(b.weight + shift, b.table, b.x_bits, (j,), base >> shift) for b in ones]
    return tuple(found)


def _shifts(x: Encoding, w: Powers) -> tuple[FrontBit, ...]:
    """x shifted by the index of the weight, exclusive or its sign."""
    width = x.bits + w.count - 1
    index = tuple(range(w.index_bits))
    sign = (w.index_bits,) if w.is_signed else ()
    found = []
    for place in range(width):
        # What the shifts bring to this place; x is extended by its sign.
        used = sorted({b for e in range(w.count) if (b := _source(x, place - e)) is not None})

        def value(*pins: int, place: int = place, used: list[int] = used) -> int:
            known = dict(zip(used, pins, strict=False))
            code = sum(b << k for k, b in enumerate(pins[len(used) :]))
            magnitude = w.magnitudes[code & ((1 << (w.bits - w.is_signed)) - 1)]
            b = _source(x, place - magnitude.bit_length() + 1) if magnitude else None
            negative = w.is_signed and code >> w.index_bits & 1
            return (known[b] if b is not None else 0) ^ negative ^ (x.signed and place == width - 1)

        found.append(_bit(place, value, tuple(used), index + sign))
    return tuple(found)


def _source(x: Encoding, place: int) -> int | None:
    """Bit of x that stands at ``place`` of its extension, None for 0."""
    if place < 0:
        return None
    if place < x.bits:
        return place
    return x.bits - 1 if x.signed else None


def _listed(x: Encoding, w: Encoding) -> tuple[FrontBit, ...] | None:
    """Every bit of ``(x * w - least of it) / step`` a table of both codes."""
    if x.bits + w.bits > TABLE_PINS:
        return None
    codes = [(i & ((1 << x.bits) - 1), i >> x.bits) for i in range(1 << (x.bits + w.bits))]
    raws = []
    for a, b in codes:
        value = int(w.decode(b))
        least = min(value * x.lo, value * x.hi)
        # A code that belongs to no integer of x may give anything.
        inside = min(max(int(x.decode(a)), x.lo), x.hi)
        raws.append((inside * value - least) // x.step)
    places = range(max(raws).bit_length())
    every = tuple(range(x.bits)), tuple(range(w.bits))
    return tuple(FrontBit(k, sum((r >> k & 1) << i for i, r in enumerate(raws)), *every) for k in places)

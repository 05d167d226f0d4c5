"""Floating-point addition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwq.fabric.adders import not_below
from hwq.fabric.counters import plain
from hwq.fabric.floating.format import FloatFormat
from hwq.fabric.floating.shift import all_of, any_of, choose, moved, normalise, shift_right
from hwq.fabric.netlist import FALSE, TRUE, Netlist

__all__ = ["Special", "rounded_sum"]


@dataclass(frozen=True)
class Special:
    """What an addend is if no number: ``infinite``, or ``nan``; its other bits do not matter then."""

    infinite: int
    nan: int


def rounded_sum(netlist: Netlist, form: FloatFormat, a: Sequence[int], b: Sequence[int], special: Special) -> list[int]:
    """``a + b`` rounded to nearest, ties to even; ``special`` of ``a`` stands beside its bits, that of ``b`` in them.

    The larger magnitude is found first, so that the difference is never negative. Two more places and a sticky bit below the
    significand; the last place of the alignment shift is done in the LUTs of the adder, the last two of the normalising shift in
    those of the chain that rounds. The normalising shift goes no further than the exponent allows: subnormal results cost nothing.
    A zero sum of opposite signs is +0. Every NaN is the format's.
    """
    (fa, ea, sa), (fb, eb, sb) = form.split(a), form.split(b)
    ha, hb = any_of(netlist, ea), any_of(netlist, eb)
    first = not_below(netlist, [*fa, *ea], [*fb, *eb])
    apart = netlist.lut(lambda p, q: p ^ q, sa, sb)
    large, small = _ordered(netlist, first, fa, fb)
    large.append(netlist.lut(lambda p, q: p | q, ha, hb))
    small.append(netlist.lut(lambda p, q: p & q, ha, hb))
    exponent, distance = _exponents(netlist, first, (ea, ha), (eb, hb))
    total, sticky = _aligned_sum(netlist, form, large, small, distance, apart)
    bits, over = _rounded(netlist, form, total, sticky, exponent)
    nothing = netlist.lut(lambda n, d: not n and d, any_of(netlist, total), apart)
    return _finished(netlist, form, bits, over, _Signs(sa, sb, first, apart, nothing), special, (eb, fb))


def _ordered(netlist: Netlist, first: int, a: Sequence[int], b: Sequence[int]) -> tuple[list[int], list[int]]:
    """The larger and the smaller number; ``first``: a is the larger."""
    pairs = [netlist.lut2(lambda f, p, q: p if f else q, lambda f, p, q: q if f else p, first, p, q) for p, q in zip(a, b, strict=True)]
    return [p for p, _ in pairs], [q for _, q in pairs]


def _exponents(netlist: Netlist, first: int, a: tuple[list[int], int], b: tuple[list[int], int]) -> tuple[list[int], list[int]]:
    """The larger exponent, and what it is above the other one; those of subnormals count as 1."""
    (ea, ha), (eb, hb) = a, b
    lowest = netlist.lut(lambda f, p, h, q, g: (p or not h) if f else (q or not g), first, ea[0], ha, eb[0], hb)
    larger = [lowest, *(choose(netlist, [first], q, p) for p, q in zip(ea[1:], eb[1:], strict=True))]
    positions = [
        netlist.position(
            lambda f, p, h, q, g: not ((p or not h) ^ (q or not g)),
            lambda f, p, h, q, g: (p or not h) if f else (q or not g),
            *(first, ea[0], ha, eb[0], hb),
        )
    ]
    positions += [
        netlist.position(lambda f, p, q: p == q, lambda f, p, q: p if f else q, first, p, q) for p, q in zip(ea[1:], eb[1:], strict=True)
    ]
    s, di = zip(*positions, strict=True)
    return larger, netlist.chain(s, di, TRUE)[0]


def _aligned_sum(
    netlist: Netlist, form: FloatFormat, large: Sequence[int], small: Sequence[int], distance: Sequence[int], apart: int
) -> tuple[list[int], int]:
    """Significands added or subtracted, two places below and a carry above; whether there is more below."""
    count = (form.precision + 2).bit_length()
    far = any_of(netlist, distance[count:])
    amount = [netlist.lut(lambda d, f: d | f, d, far) for d in distance[:count]]
    found, lost = shift_right(netlist, [FALSE, FALSE, *small], amount, 1)
    sticky = netlist.lut(lambda t, s, q: t | (s & q), lost, amount[0], found[0])
    found.append(FALSE)
    positions = [
        netlist.position(
            lambda x, p, q, s, d: x ^ (q if s else p) ^ d, lambda x, p, q, s, d: x, x, found[k], found[k + 1], amount[0], apart
        )
        for k, x in enumerate([FALSE, FALSE, *large])
    ]
    s, di = zip(*positions, strict=True)
    total, carries = netlist.chain(s, di, plain(netlist, netlist.lut(lambda d, t: d and not t, apart, sticky)))
    return [*total, netlist.lut(lambda c, d: c and not d, carries[-1], apart)], sticky


def _rounded(netlist: Netlist, form: FloatFormat, total: Sequence[int], sticky: int, exponent: Sequence[int]) -> tuple[list[int], int]:
    """Fraction and exponent of the sum; whether it overflowed before rounding."""
    found, amount = normalise(netlist, total, (form.precision + 2).bit_length(), exponent, last=2)
    select, width = amount[:2], len(total)

    def place(k: int) -> list[int]:
        return [found[k - i] if k >= i else FALSE for i in range(4)]

    hidden, lowest, guard = (choose(netlist, select, *place(k)) for k in (width - 1, 3, 2))
    rest = netlist.lut(lambda s, t, p, q, r: r or (not t and (p or (q and not s))), *select, found[0], found[1], sticky)
    up = netlist.lut(lambda g, m, r: g & (m | r), guard, lowest, rest)
    less = _difference(netlist, exponent, amount)
    positions = [moved(netlist, select, *place(k)) for k in range(3, width - 1)]
    positions.append(netlist.position(lambda h, e: h and not e, lambda h, e: h, hidden, less[0]))
    positions += [moved(netlist, [], netlist.lut(lambda h, e: h & e, hidden, e)) for e in less[1:]]
    s, di = zip(*positions, strict=True)
    bits, _ = netlist.chain(s, di, plain(netlist, up))
    # One below the largest field: with the hidden bit, infinity.
    largest = all_of(netlist, [less[0] ^ 1, *less[1:], hidden])
    return bits, largest


def _difference(netlist: Netlist, exponent: Sequence[int], amount: Sequence[int]) -> list[int]:
    amount = [*amount, *[FALSE] * (len(exponent) - len(amount))][: len(exponent)]
    pairs = [netlist.position(lambda p, q: p == q, lambda p, q: p, p, q) for p, q in zip(exponent, amount, strict=True)]
    s, di = zip(*pairs, strict=True)
    return netlist.chain(s, di, TRUE)[0]


@dataclass(frozen=True)
class _Signs:
    """Signs of both, which is the larger, whether they differ, whether the difference is nothing."""

    a: int
    b: int
    first: int
    apart: int
    nothing: int


def _finished(
    netlist: Netlist,
    form: FloatFormat,
    bits: Sequence[int],
    over: int,
    signs: _Signs,
    special: Special,
    other: tuple[list[int], list[int]],
) -> list[int]:
    """The sum, or the infinity or NaN in its place."""
    ones, some = all_of(netlist, other[0]), any_of(netlist, other[1])
    pins = (special.infinite, special.nan, ones, some, signs.apart)
    nan = netlist.lut(lambda i, n, o, f, d: n or (o & f) or (i & o & d), *pins)
    infinite = netlist.lut(lambda i, n, o, v: i | n | o | v, special.infinite, special.nan, ones, over)
    m = form.fraction
    fraction = [netlist.lut(lambda b, i: b and not i, b, infinite) for b in bits[: m - 1]]
    fraction.append(netlist.lut(lambda b, i, n: n if i else b, bits[m - 1], infinite, nan))
    exponent = [netlist.lut(lambda b, i: b | i, b, infinite) for b in bits[m:]]
    sign = netlist.lut(lambda a, b, f, z: not z and (a if f else b), signs.a, signs.b, signs.first, signs.nothing)
    sign = netlist.lut(lambda s, n, i, o, a, b: not n and (a if i else b if o else s), sign, nan, special.infinite, ones, signs.a, signs.b)
    return [*fraction, *exponent, sign]

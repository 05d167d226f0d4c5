"""The two halves of a floating-point product around the integer product of the significands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwq.fabric.counters import plain
from hwq.fabric.floating.format import FloatFormat
from hwq.fabric.floating.shift import all_of, any_of, choose, moved, normalise, shift_right
from hwq.fabric.heap import BitHeap, reduce
from hwq.fabric.netlist import FALSE, Netlist

__all__ = ["Operands", "operands", "rounded_product"]


@dataclass(frozen=True)
class Operands:
    """Significands ``x`` (normalised) and ``y``; ``scale`` = minus the exponent field of a product in 2 .. 4, two's complement.

    ``nothing``: the product is 0. ``special``: it is infinite or, where ``nan``, no number. ``sign``.
    """

    x: list[int]
    y: list[int]
    scale: list[int]
    nothing: int
    special: int
    nan: int
    sign: int


def operands(netlist: Netlist, form: FloatFormat, a: Sequence[int], b: Sequence[int]) -> Operands:
    """Takes two numbers apart. A subnormal one comes first and is normalised; the product of two subnormals rounds to 0 anyway."""
    (fa, ea, sa), (fb, eb, sb) = form.split(a), form.split(b)
    ha, hb = any_of(netlist, ea), any_of(netlist, eb)
    pairs = [netlist.lut2(lambda h, p, q: q if h else p, lambda h, p, q: p if h else q, ha, p, q) for p, q in zip(fa, fb, strict=True)]
    x = [p for p, _ in pairs] + [netlist.lut(lambda p, q: p & q, ha, hb)]
    y = [q for _, q in pairs] + [netlist.lut(lambda p, q: p | q, ha, hb)]
    x, zeros = normalise(netlist, x, form.fraction.bit_length())
    ones, some = [all_of(netlist, e) for e in (ea, eb)], [any_of(netlist, f) for f in (fa, fb)]
    pins = (*ones, *some, ha, hb)
    return Operands(
        x,
        y,
        _scale(netlist, form, [(ea, ha), (eb, hb)], zeros),
        netlist.lut(lambda p, q, hp, hq: not (p | hp) or not (q | hq), *some, ha, hb),
        netlist.lut(lambda p, q: p | q, *ones),
        netlist.lut(lambda i, j, p, q, hp, hq: (i & (p or not (q | hq))) | (j & (q or not (p | hp))), *pins),
        netlist.lut(lambda p, q: p ^ q, sa, sb),
    )


def _scale(netlist: Netlist, form: FloatFormat, exponents: Sequence[tuple[list[int], int]], zeros: Sequence[int]) -> list[int]:
    """``zeros + bias - 1`` less both exponents, those of subnormals being 1."""
    heap = BitHeap(netlist)
    for exponent, hidden in exponents:
        heap.subtract([netlist.lut(lambda e, h: e or not h, exponent[0], hidden), *exponent[1:]])
    heap.add_unsigned(zeros)
    heap.constant(form.bias - 1)
    return list(reduce(heap, form.exponent + 2).bits)


def rounded_product(
    netlist: Netlist, form: FloatFormat, product: Sequence[int], scale: Sequence[int], nothing: int
) -> tuple[list[int], int]:
    """Exponent and fraction of ``product`` (of two significands) rounded to nearest, ties to even; whether it overflows.

    One right shift serves subnormal results and products of 2 and more: by ``2 + scale`` places where the exponent field
    would be below 1, else by one place where the product has its first bit. The last two places are shifted in the LUTs of the
    chain that rounds, whose upper part makes the exponent.
    """
    p, top = form.precision, product[-1]
    is_one = all_of(netlist, scale)
    is_normal = netlist.lut(lambda s, o, z: s and not o and not z, scale[-1], is_one, nothing)
    amount = _amount(netlist, (p + 2).bit_length(), scale, is_normal, top)
    below = any_of(netlist, product[: p - 2])
    found, lost = shift_right(netlist, product[p - 2 :], amount, 2)
    found = [*found, FALSE, FALSE, FALSE]
    select = amount[:2]
    sticky = netlist.lut(lambda s, t, u, v, w: any((u, v, w)[: s + 2 * t]), *select, *found[:3])
    guard, lowest = choose(netlist, select, *found[:4]), choose(netlist, select, *found[1:5])
    up = netlist.lut(lambda g, m, s, t, u: g & (m | s | t | u), guard, lowest, sticky, lost, below)
    positions = [moved(netlist, select, *found[k + 1 : k + 5]) for k in range(p - 1)]
    positions.append(
        netlist.position(lambda n, e, t, o: (not e) ^ t if n else t & o, lambda n, e, t, o: n & t, is_normal, scale[0], top, is_one)
    )
    positions += [netlist.position(lambda n, e: n and not e, 0, is_normal, e) for e in scale[1 : form.exponent + 1]]
    s, di = zip(*positions, strict=True)
    bits, _ = netlist.chain(s, di, plain(netlist, up))
    exponent = bits[p - 1 : -1]
    over = netlist.lut(lambda q, r: q | r, bits[-1], all_of(netlist, exponent))
    return bits[:-1], over


def _amount(netlist: Netlist, bits: int, scale: Sequence[int], is_normal: int, top: int) -> list[int]:
    """``2 + scale`` in ``bits`` bits, all ones where that is more; for normal results one where ``top`` holds."""
    beyond = any_of(netlist, scale[bits:-1])
    full = all_of(netlist, scale[1:bits])
    big = netlist.lut(lambda s, b, f: not s and (b or f), scale[-1], beyond, full)
    found = [netlist.lut(lambda n, t, b, e: t if n else b | e, is_normal, top, big, scale[0])]
    for k in range(1, bits):
        # Bit k of scale + 2: the one of scale, flipped where all bits from 1 on below it are ones.
        low = netlist.lut(lambda *v: v[-1] ^ all(v[:-1]), *scale[1 : k + 1])
        found.append(netlist.lut(lambda n, b, e: not n and (b or e), is_normal, big, low))
    return found

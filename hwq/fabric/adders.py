"""Adders and comparators of the fabric, a carry position a bit."""

from __future__ import annotations

from collections.abc import Sequence

from hwq.fabric.counters import plain
from hwq.fabric.netlist import FALSE, TRUE, Netlist, inverted

__all__ = ["at_least", "not_below", "ripple_adder", "ternary_adder"]


def ripple_adder(netlist: Netlist, a: Sequence[int], b: Sequence[int], ci: int = FALSE) -> tuple[list[int], int]:
    """``a + b + ci`` of two numbers of equal width: (bits, carry out). Cost: a LUT site a bit; an inverter if ``ci`` is a complement."""
    s, di = zip(*(netlist.position(lambda x, y: x ^ y, lambda x, y: x, *pins) for pins in zip(a, b, strict=True)), strict=True)
    o, co = netlist.chain(s, di, plain(netlist, ci))
    return o, co[-1]


def ternary_adder(
    netlist: Netlist, columns: Sequence[Sequence[int]], third: Sequence[int], keep: int = TRUE, extra: int = FALSE
) -> list[int]:
    """Sum of two rows and a gated third one modulo ``2**len(columns)``: at most two literals a column, plus ``third[k] & keep``.

    The lowest column may hold a third literal (it takes the carry input), and ``extra`` is one more bit of the lowest weight. Cost: a
    LUT site a bit if the outputs go to flip-flops (a column's majority leaves its slice beside the sum). ``third`` may be an
    accumulator's own flip-flops and ``keep`` its restart, active low. Source: UG574 LUT6_2; own (the gate on the free input).
    """
    assert len(third) == len(columns)
    first, extra = list(columns[0]) if columns else [], extra
    ci = _carry_input(first)
    if inverted(ci) and ci != TRUE and not inverted(extra):
        ci, extra = extra, ci
    s, di, passed = [], [], plain(netlist, extra)
    for k, bits in enumerate([first, *columns[1:]]):
        assert len(bits) <= 2, "a ternary adder takes two bits a column and the third row"
        pins = (*bits, *[FALSE] * (2 - len(bits)), third[k], keep)
        di.append(passed)
        if any(pins[:2]):
            o6, passed = netlist.position(_total, _majority, *pins, passed)
        else:  # nothing to carry: the second output would be a constant that occupies the next column's pins
            o6, passed = plain(netlist, netlist.lut(lambda c, keep, d: c & keep ^ d, third[k], keep, passed)), FALSE
        s.append(o6)
    return netlist.chain(s, di, plain(netlist, ci))[0]


def _carry_input(first: list[int]) -> int:
    """The literal of the lowest column that goes to the carry input: a third one, plain if there is one."""
    if len(first) < 3:
        return FALSE
    return first.pop(next((k for k, b in enumerate(first) if not inverted(b)), 2))


def _total(a: int, b: int, c: int, keep: int, d: int) -> int:
    return a ^ b ^ (c & keep) ^ d


def _majority(a: int, b: int, c: int, keep: int, _: int) -> bool:
    return a + b + (c & keep) >= 2


def at_least(netlist: Netlist, bits: Sequence[int], threshold: int) -> int:
    """Whether the unsigned number of ``bits`` is at least a constant. Up to six bits that matter: a LUT; else five a carry position."""
    low = 0
    if threshold <= 0:
        return TRUE
    if threshold >= 1 << len(bits):
        return FALSE
    while not threshold >> low & 1:
        low += 1
    bits, threshold = bits[low:], threshold >> low
    if len(bits) <= 6:
        return netlist.lut(lambda *v: sum(b << k for k, b in enumerate(v)) >= threshold, *bits)
    s, di = [], []
    for k in range(0, len(bits), 5):
        pins, part = bits[k : k + 5], threshold >> k & 31
        propagate, generate = netlist.position(lambda *v, part=part: _number(v) == part, lambda *v, part=part: _number(v) > part, *pins)
        s.append(propagate)
        di.append(generate)
    return netlist.chain(s, di, TRUE)[1][-1]


def _number(bits: Sequence[int]) -> int:
    return sum(bit << k for k, bit in enumerate(bits))


def not_below(netlist: Netlist, a: Sequence[int], b: Sequence[int]) -> int:
    """``a >= b`` of two unsigned numbers of equal width by a carry chain, two bits a position: the carry into bit 0 is 1."""
    s, di = [], []
    for k in range(0, len(a), 2):
        pins = (*a[k : k + 2], *b[k : k + 2]) if k + 1 < len(a) else (a[k], FALSE, b[k], FALSE)
        propagate, generate = netlist.position(lambda p, q, r, t: p + 2 * q == r + 2 * t, lambda p, q, r, t: p + 2 * q > r + 2 * t, *pins)
        s.append(propagate)
        di.append(generate)
    return netlist.chain(s, di, TRUE)[1][-1]

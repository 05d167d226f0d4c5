"""Fronts of lanes with ternary operands, as masks and signs.

A ternary code is the two's complement number: bit 0 is the mask (not zero), bit 1 the sign. The code of -2 belongs to no
ternary number and counts as 0 where the other operand is bipolar; elsewhere it may give anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from hwq.fabric.counters import plain
from hwq.fabric.heap import BitHeap
from hwq.fabric.lanes.fused import LONGEST, Masked, add_masked, counted
from hwq.fabric.netlist import FALSE, Netlist

__all__ = ["add_masked_signs", "add_ternary"]

XOR = 0b0110

Pins = Sequence[int]


def add_masked_signs(heap: BitHeap, codes: Sequence[Sequence[int]], signs: Sequence[int]) -> None:
    """Adds ``sum(t * s + 1)`` of ternary t and bipolar s: ``~mask + 2 * (mask & positive)``.

    The masks are counted by sevens; two masked signs and a carry are a carry position.
    """
    for number in counted(heap.netlist, [code[0] ^ 1 for code in codes]):
        heap.add_unsigned(number)
    add_masked(heap, [[Masked(code[0], XOR, code[1], s) for code, s in zip(codes, signs, strict=True)]], 1)


def add_ternary(heap: BitHeap, x: Sequence[Sequence[int]], w: Sequence[Sequence[int]]) -> None:
    """Adds ``sum(x * w + 2)`` of ternary numbers: ``both + 2 * like``, neither of them zero, and not (both and signs that differ).

    Five LUTs for four products, and four bits of the sum are left. One product gets a LUT of its own for both bits. A second one is
    summed with ``both`` of all others in a carry chain of two positions. ``like`` of the third and fourth are summed in a position
    each, with a bit of weight 1 of the first product and of the second's chain, and with the positions of other fours. Source: own.
    """
    pairs = [(*a, *b) for a, b in zip(x, w, strict=True)]
    fours = len(pairs) // 4
    running = [FALSE] * -(-fours // (LONGEST // 2))
    for k in range(fours):
        chain = k % len(running)
        running[chain] = _four(heap, pairs[4 * k : 4 * k + 4], running[chain])
    for bit in running:
        heap.add(bit, 1)
    for pins in pairs[4 * fours :]:
        for weight, bit in enumerate(_own(heap.netlist, pins)):
            heap.add(bit, weight)


def _four(heap: BitHeap, pairs: Sequence[Pins], running: int) -> int:
    """Adds the sum of four products but for a bit of weight 1, which is returned; ``running`` is such a bit of another four."""
    netlist = heap.netlist
    own, second, third, fourth = pairs
    both, like = _own(netlist, own)
    (low, high), top = _second(netlist, second, third, fourth, both)
    heap.constant(1)
    heap.add(low, 0)
    heap.add(top, 2)
    for pins, other in ((third, like), (fourth, high)):
        s, di = netlist.position(lambda m, p, n, q, d: _like(m, p, n, q) ^ d, lambda m, p, n, q, d: d, *pins, other)
        (running,), (carry,) = netlist.chain([s], [di], running)
        heap.add(carry, 2)
    return running


def _own(netlist: Netlist, pins: Pins) -> tuple[int, int]:
    """``both`` and ``like`` of a product."""
    return netlist.lut2(lambda m, p, n, q: m & n, _like, *pins)


def _second(netlist: Netlist, second: Pins, third: Pins, fourth: Pins, bit: int) -> tuple[list[int], int]:
    """The second product plus 1, ``both`` of the third and fourth, and a bit: three bits.

    The product plus 1 and ``both`` of the third are 0 to 3: their parity, with the fourth's ``both`` as an AND whose pin is I5 (see
    :func:`hwq.fabric.lanes.fused.add_masked`), and their upper bit, which alone generates no carry.
    """
    (m, p, n, q), (m3, _, n3, _), (m4, _, n4, _) = second, third, fourth
    s, di = netlist.lut6_2(lambda a, b, c, d, e, f: 1 ^ (a & b) ^ (c & d) ^ (e & f), m, n, m3, n3, m4, n4)
    upper = netlist.lut(lambda m, p, n, q, c, d: (m & n) + 2 * _like(m, p, n, q) - 1 + (c & d) >= 2, m, p, n, q, m3, n3)
    o, co = netlist.chain([s, plain(netlist, upper)], [di, FALSE], bit)
    return o, co[-1]


def _like(m: int, p: int, n: int, q: int) -> int:
    """1 unless both numbers (mask, sign) are not zero and their signs differ."""
    return 1 - (m & n & (p ^ q))

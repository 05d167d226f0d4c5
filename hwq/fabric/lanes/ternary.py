"""Fronts of lanes with ternary operands, as masks and signs.

A ternary code is the two's complement number: bit 0 is the mask (not zero), bit 1 the sign. The code of -2 belongs to no
ternary number and counts as 0 where the other operand is bipolar; elsewhere it may give anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from hwq.fabric.heap import BitHeap
from hwq.fabric.lanes.fused import AND, LONGEST, Masked, Term, add_masked, add_terms, counted
from hwq.fabric.netlist import FALSE

__all__ = ["add_masked_signs", "add_signed_ternary", "add_ternary"]

XOR, XNOR = 0b0110, 0b1001


def add_masked_signs(heap: BitHeap, codes: Sequence[Sequence[int]], signs: Sequence[int], tally: Sequence[int] = ()) -> None:
    """Adds ``sum(t * s + 1)`` of ternary t and bipolar s: ``~mask + 2 * (mask & positive)``.

    The masks are counted by sevens, or their sum is the ``tally``; two masked signs and a carry are a carry position.
    """
    heap.add_unsigned(tally)
    if not tally:
        for number in counted(heap.netlist, [code[0] ^ 1 for code in codes]):
            heap.add_unsigned(number)
    add_masked(heap, [[Masked(code[0], XOR, code[1], s) for code, s in zip(codes, signs, strict=True)]], 1)


def add_ternary(heap: BitHeap, x: Sequence[Sequence[int]], w: Sequence[Sequence[int]]) -> None:
    """Adds ``sum(x * w + 2)`` of ternary numbers: ``both + 2 * ~(both & unlike)``, neither of them zero and signs that differ.

    A third of the products get a LUT of their own for both bits. Of the others, the first bits are summed in fused adders and the second
    in a carry position each, together with a second bit of the first third, or a carry of the fused adders.
    """
    netlist = heap.netlist
    third = -(-len(x) // 3)
    own, rest = list(zip(x, w, strict=True))[:third], list(zip(x, w, strict=True))[third:]
    first, second = [], []
    for a, b in own:
        low, high = netlist.lut2(lambda m, s, n, t: m & n, lambda m, s, n, t: not (m & n & (s ^ t)), *a, *b)
        first.append(low)
        second.append(high)
    adders = BitHeap(netlist)
    add_terms(adders, [Term(AND, a[0], b[0]) for a, b in rest], 0, first)
    for bit in adders.columns[0] if adders.columns else first:
        heap.add(bit)
    second += adders.columns[1] if len(adders.columns) > 1 else []
    _add_unlike(heap, rest, second)


def add_signed_ternary(heap: BitHeap, x: Sequence[Sequence[int]], w: Sequence[Sequence[int]], tally: Sequence[int]) -> None:
    """Adds ``sum(x * w + 2)`` of ternary numbers, ``tally`` the sum of 2 for a weight 0, 0 for 1, 1 for -1.

    ``x * w + 2`` is, bit by bit, ``x ^ sign(w)`` with its upper bit complemented, plus the 1 of a negation: two masked bits of three pins.
    """
    heap.add_unsigned(tally)
    low, high = ([Masked(b[0], table, a[k], b[1]) for a, b in zip(x, w, strict=True)] for k, table in ((0, XOR), (1, XNOR)))
    add_masked(heap, [low, high])


def _add_unlike(heap: BitHeap, pairs: Sequence[tuple[Sequence[int], Sequence[int]]], spare: list[int]) -> None:
    """Adds the second bits of ``pairs`` and the bits of ``spare``, of weight 1: chains of carry positions of one of each and a carry."""
    netlist = heap.netlist
    chains = -(-len(pairs) // (2 * LONGEST))
    for start in range(chains):
        running = FALSE
        for a, b in pairs[start::chains]:
            other = spare.pop(0) if spare else FALSE
            s, di = netlist.position(_unlike_sum, lambda m, s, n, t, d: d, *a, *b, other)
            (running,), (carry,) = netlist.chain([s], [di], running)
            heap.add(carry, 2)
        heap.add(running, 1)
    for bit in spare:
        heap.add(bit, 1)


def _unlike_sum(m: int, s: int, n: int, t: int, d: int) -> int:
    return (1 - (m & n & (s ^ t))) ^ d

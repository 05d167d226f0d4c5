"""Lanes of integer products in LUTs: tables, partial products in full adders, or Booth rows, whichever is cheapest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from hwq.fabric.heap import BitHeap, schedule_of
from hwq.fabric.lanes.fused import AND, LONGEST, Term, add_terms
from hwq.fabric.multiplier import LUT_INPUTS, Number, add_booth, add_table
from hwq.fabric.netlist import Netlist
from hwq.fabric.sites import sites_of
from hwq.numerics.encoding import Encoding

__all__ = ["KINDS", "ProductFront", "add_ands", "add_products", "product_front"]

#: ``booth_x`` recodes the activation, ``booth_w`` the weight.
KINDS = ("table", "ands", "booth_w", "booth_x")

NAND = AND ^ 0b1111


@dataclass(frozen=True)
class ProductFront:
    """How the products of a lane become bits of its heap.

    ``kind``: one of :data:`KINDS`. ``sites``: LUT sites of front and sum, estimated. ``levels``: LUT levels of the front alone.
    """

    kind: str
    sites: int
    levels: int


def add_ands(heap: BitHeap, pairs: Sequence[tuple[Number, Number]], longest: int = LONGEST) -> None:
    """Adds the sum of all ``x * w``: the partial products of all pairs column by column, two in the LUT of every full adder.

    Signs as Baugh and Wooley have them: a partial product that counts negative is complemented, its constant folded.
    Half a LUT a partial product and ``longest`` levels.

    Source: Baugh and Wooley, IEEE Trans. Computers C-22 (1973).
    """
    columns: dict[int, list[Term]] = {}
    for x, w in pairs:
        for i, a in enumerate(x.bits):
            for j, b in enumerate(w.bits):
                is_negative = (x.signed and i == len(x) - 1) != (w.signed and j == len(w) - 1)
                columns.setdefault(i + j, []).append(Term(NAND if is_negative else AND, a, b))
                heap.constant(-(1 << (i + j)) if is_negative else 0)
    for weight, terms in columns.items():
        add_terms(heap, terms, weight, longest=longest)


def add_products(heap: BitHeap, pairs: Sequence[tuple[Number, Number]], kind: str) -> None:
    """Adds the sum of all ``x * w`` by one of :data:`KINDS`; signs and constants are folded into the heap."""
    if kind == "ands":
        add_ands(heap, pairs)
        return
    for x, w in pairs:
        if kind == "table":
            add_table(heap, x, w)
        elif kind == "booth_w":
            add_booth(heap, x, w)
        else:
            add_booth(heap, w, x)


@lru_cache(maxsize=1024)
def product_front(x: Encoding, w: Encoding, n: int, registered: bool | int = False) -> ProductFront:
    """The cheapest front of ``n`` products in LUT sites, the sum of its bits included; of equal ones the one of fewest levels."""
    kinds = [k for k in KINDS if k != "table" or x.bits + w.bits <= LUT_INPUTS]
    # Partial products of long operands never win, and their heaps are large.
    kinds = [k for k in kinds if k != "ands" or x.bits * w.bits <= 36]
    return min((_priced(x, w, n, kind, registered) for kind in kinds), key=lambda f: (f.sites, f.levels))


def _priced(x: Encoding, w: Encoding, n: int, kind: str, registered: bool | int) -> ProductFront:
    heap = BitHeap(Netlist())
    add_products(heap, [_numbers(heap.netlist, x, w, k) for k in range(n)], kind)
    extremes = [a * b for a in (x.lo, x.hi) for b in (w.lo, w.hi)]
    width = max(1, (n * (max(extremes) - min(extremes))).bit_length())
    total = schedule_of(tuple(len(c) for c in heap.settled(width)), width, registered).luts
    if kind == "ands":
        return ProductFront(kind, total - (-n * x.bits * w.bits // 2), LONGEST)
    single = BitHeap(Netlist())
    add_products(single, [_numbers(single.netlist, x, w, 0)], kind)
    single.netlist.output("bits", [single.netlist.flop(b) for column in single.columns for b in column])
    found = sites_of(single.netlist)
    return ProductFront(kind, total + n * found.luts, found.depth)


def _numbers(netlist: Netlist, x: Encoding, w: Encoding, k: int) -> tuple[Number, Number]:
    return Number(tuple(netlist.input(f"x{k}", x.bits)), x.signed), Number(tuple(netlist.input(f"w{k}", w.bits)), w.signed)

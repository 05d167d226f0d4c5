"""Lanes of integer products in LUTs: tables, partial products in full adders, or Booth rows, whichever is cheapest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from hwq.fabric.heap import BitHeap
from hwq.fabric.lanes.fused import AND, LONGEST, Term, add_terms
from hwq.fabric.lanes.table import add_tables
from hwq.fabric.multiplier import LUT_INPUTS, Number, add_booth
from hwq.fabric.netlist import Netlist
from hwq.fabric.sites import sites_of
from hwq.numerics.encoding import Encoding

__all__ = ["KINDS", "ProductFront", "add_ands", "add_products", "product_front"]

#: ``booth_x`` recodes the activation, ``booth_w`` the weight.
KINDS = ("table", "ands", "booth_w", "booth_x")

#: Products that are looked at, and hundredths of a LUT that the sum takes for each of their bits.
SAMPLE, BIT_COST = 8, 55

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
    elif kind == "table":
        add_product_tables(heap, pairs)
    else:
        for x, w in pairs:
            add_booth(heap, *((x, w) if kind == "booth_w" else (w, x)))


def add_product_tables(heap: BitHeap, pairs: Sequence[tuple[Number, Number]]) -> None:
    """Adds the sum of all ``x * w`` of at most six bits together as tables, see :func:`hwq.fabric.lanes.table.add_tables`."""
    x, w = pairs[0]
    values = [a * b for a in _values(x) for b in _values(w)]
    low = min(values)
    heap.constant(low * len(pairs))
    add_tables(
        heap,
        [p.bits for p, _ in pairs],
        [q.bits for _, q in pairs],
        lambda a, b: x.value(a) * w.value(b) - low,
        (max(values) - low).bit_length(),
    )


def _values(number: Number) -> list[int]:
    return [number.value(code) for code in range(1 << len(number))]


@lru_cache(maxsize=1024)
def product_front(x: Encoding, w: Encoding, n: int) -> ProductFront:
    """The cheapest front of ``n`` products in LUT sites, the sum of its bits included; of equal ones the one of fewest levels."""
    kinds = [k for k in KINDS if k != "table" or x.bits + w.bits <= LUT_INPUTS]
    # Partial products of long operands never win, and their heaps are large.
    kinds = [k for k in kinds if k != "ands" or x.bits * w.bits <= 36]
    return min((_priced(x, w, n, kind) for kind in kinds), key=lambda f: (f.sites, f.levels))


def _priced(x: Encoding, w: Encoding, n: int, kind: str) -> ProductFront:
    # A few products stand for all: fused adders are shared between them, their number changes nothing.
    few = min(n, SAMPLE)
    hundredths, depth = _sampled(x, w, few, kind)
    return ProductFront(kind, -(-n * hundredths // (100 * few)), depth)


@lru_cache(maxsize=4096)
def _sampled(x: Encoding, w: Encoding, few: int, kind: str) -> tuple[int, int]:
    """Hundredths of LUT sites of a few products, the sum of their bits included; levels of the front."""
    heap = BitHeap(Netlist())
    add_products(heap, [_numbers(heap.netlist, x, w, k) for k in range(few)], kind)
    bits = [heap.netlist.flop(b) for column in heap.columns for b in column]
    heap.netlist.output("bits", bits)
    found = sites_of(heap.netlist)
    return found.luts * 100 + BIT_COST * len(bits), found.depth


def _numbers(netlist: Netlist, x: Encoding, w: Encoding, k: int) -> tuple[Number, Number]:
    return Number(tuple(netlist.input(f"x{k}", x.bits)), x.signed), Number(tuple(netlist.input(f"w{k}", w.bits)), w.signed)

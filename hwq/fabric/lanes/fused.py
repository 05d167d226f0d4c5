"""Products summed inside the LUTs that make them: chains of full adders, and carry positions of two masked products."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from hwq.fabric.counters import count, counter
from hwq.fabric.heap import BitHeap
from hwq.fabric.netlist import FALSE, Netlist

__all__ = ["AND", "LONGEST", "XNOR", "Masked", "Term", "add_masked", "add_terms", "counted"]

#: Links of a chain of adders: LUT levels of a front.
LONGEST = 4

XNOR, AND = 0b1001, 0b1000


@dataclass(frozen=True)
class Term:
    """A bit of two pins: ``table`` bit (a + 2 b)."""

    table: int
    a: int
    b: int


@dataclass(frozen=True)
class Masked:
    """A bit of three pins: ``mask & f(a, b)`` with ``f`` a table as in :class:`Term`; ``mask`` is no complement."""

    mask: int
    table: int
    a: int
    b: int


def add_terms(heap: BitHeap, terms: Sequence[Term], weight: int = 0, spare: Iterable[int] = (), longest: int = LONGEST) -> None:
    """Adds ``terms``, two a LUT6_2 with the sum of the two before: chains of up to ``longest`` full adders.

    A chain gives a bit of ``weight`` and one of ``weight + 1`` for every LUT. Bits of ``spare``, of the same weight, enter where
    chains begin; those left over are added plain. Cost: half a LUT a term.
    """
    pairs = [terms[k : k + 2] for k in range(0, len(terms), 2)]
    chains = -(-len(pairs) // longest)
    waiting = list(spare)
    for first in range(chains):
        running = waiting.pop() if waiting else FALSE
        for pair in pairs[first::chains]:
            running, carry = _adder(heap, pair, running)
            heap.add(carry, weight + 1)
        heap.add(running, weight)
    for bit in waiting:
        heap.add(bit, weight)


def add_masked(heap: BitHeap, columns: Sequence[Sequence[Masked]], weight: int = 0, longest: int = LONGEST) -> None:
    """Adds masked bits, ``columns[c]`` of weight ``weight + c``, all columns equally many: half a LUT a bit.

    Two bits of every column and a carry make a carry chain of as many positions as there are columns (half a CARRY8 up to four); its
    lowest sum enters the next chain, up to ``longest`` of them in a row. S = f & m ^ f' & m' is a LUT of six inputs whose last is
    m'. DI is the same LUT with m' = 0, f & m: where S = 0 it is what both are, and where also m' = 0 it is 0. Source: own.
    """
    places = range(0, len(columns[0]), 2)
    runs = -(-len(places) // longest)
    for first in range(runs):
        running = FALSE
        for k in places[first::runs]:
            (running, *others), carry = _chain(heap, [column[k : k + 2] for column in columns], running)
            for c, bit in enumerate([*others, carry], weight + 1):
                heap.add(bit, c)
        heap.add(running, weight)


def counted(netlist: Netlist, bits: Sequence[int]) -> list[list[int]]:
    """How many of every seven ``bits`` are 1, as numbers: two LUTs each, and fewer flip-flops behind the front than the bits take."""
    kind = counter("6")
    return [[b for made in count(netlist, kind, [bits[k : k + 7]]) for b in made] for k in range(0, len(bits), 7)]


def _adder(heap: BitHeap, pair: Sequence[Term], running: int) -> tuple[int, int]:
    pins = [pin for term in pair for pin in (term.a, term.b)]
    total, carry = _adder_tables(tuple(t.table for t in pair))
    return heap.netlist.lut2(total, carry, *pins, running)


@lru_cache(maxsize=256)
def _adder_tables(tables: tuple[int, ...]) -> tuple[int, int]:
    """Sum and carry of terms and a bit: tables over the pins of the terms, then the bit."""
    total = carry = 0
    for i in range(2 << 2 * len(tables)):
        count = (i >> 2 * len(tables)) + sum(t >> (i >> 2 * k & 3) & 1 for k, t in enumerate(tables))
        total |= (count & 1) << i
        carry |= (count >> 1) << i
    return total, carry


def _chain(heap: BitHeap, pairs: Sequence[Sequence[Masked]], running: int) -> tuple[list[int], int]:
    """Sums and the last carry of one or two masked bits of every column and a carry."""
    netlist = heap.netlist
    if len(pairs) == 1 and len(pairs[0]) == 1:
        (only,) = pairs[0]
        pins = only.mask, only.a, only.b, running
        total, carry = netlist.lut2(_masked_table(only.table, False), _masked_table(only.table, True), *pins)
        return [total], carry
    s, di = zip(*(_position(netlist, pair) for pair in pairs), strict=True)
    o, co = netlist.chain(s, di, running)
    return o, co[-1]


def _position(netlist: Netlist, pair: Sequence[Masked]) -> tuple[int, int]:
    if len(pair) == 1:
        (only,) = pair
        return netlist.position(_masked_table(only.table, False), 0, only.mask, only.a, only.b, FALSE)
    one, two = pair
    return netlist.lut6_2(_pair_table(one.table, two.table), one.mask, one.a, one.b, two.a, two.b, two.mask)


@lru_cache(maxsize=64)
def _masked_table(table: int, carry: bool) -> int:
    """Half adder of a masked bit (mask, a, b) and a fourth one."""
    ones = [(i & 1) & (table >> (i >> 1 & 3)) for i in range(16)]
    return sum(((one & i >> 3) if carry else (one ^ i >> 3)) << i for i, one in enumerate(ones))


@lru_cache(maxsize=64)
def _pair_table(one: int, two: int) -> int:
    """Exclusive or of two masked bits: mask, a, b of the first, a, b, mask of the second."""
    return sum((((i & 1) & (one >> (i >> 1 & 3))) ^ ((i >> 5) & (two >> (i >> 3 & 3) & 1))) << i for i in range(64))

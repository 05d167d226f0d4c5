"""Front of lanes whose products are bits of tables: see :mod:`hwq.fabric.front_bits`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from hwq.fabric.front_bits import FrontBit, Products
from hwq.fabric.heap import BitHeap, reduce
from hwq.fabric.lanes.fused import Masked, Term, add_masked, add_terms
from hwq.fabric.netlist import Netlist, essential
from hwq.fabric.unroll.words import signed_digits

__all__ = ["add_front_bits", "coded_heap"]

Codes = Sequence[Sequence[int]]

LUT_INPUTS = 6


def coded_heap(netlist: Netlist, products: Products, x: Codes, w: Codes) -> tuple[BitHeap, int]:
    """The heap of the raw sum of activations ``x`` and weights ``w`` behind flip-flops, and the cycles that takes.

    Where bits count odd multiples, those of one factor are summed first; their sum enters by the signed digits of the factor.
    """
    factors = sorted({b.factor for b in products.bits})
    if factors == [1]:
        return _held(add_front_bits(netlist, products.bits, x, w)), 1
    sums = {factor: _summed(netlist, [replace(b, factor=1) for b in products.bits if b.factor == factor], x, w) for factor in factors}
    latency = max(cycles for _, _, cycles in sums.values())
    found = BitHeap(netlist)
    for factor, (bits, least, cycles) in sums.items():
        late = list(bits)
        for _ in range(latency - cycles):
            late = [netlist.flop(b) for b in late]
        for shift, negative in signed_digits(factor):
            (found.subtract if negative else found.add_unsigned)(late, least + shift)
    return found, 1 + latency


def _summed(netlist: Netlist, bits: Sequence[FrontBit], x: Codes, w: Codes) -> tuple[tuple[int, ...], int, int]:
    """Sum of front bits, the exponent it counts with, the cycles behind the front."""
    least = min(b.weight for b in bits)
    lowered = [replace(b, weight=b.weight - least) for b in bits]
    most = len(x) * sum(1 << b.weight for b in lowered)
    total = reduce(_held(add_front_bits(netlist, lowered, x, w)), most.bit_length(), True)
    return total.bits, least, total.latency


def _held(front: BitHeap) -> BitHeap:
    netlist = front.netlist
    return BitHeap(netlist, columns=[[netlist.flop(b) for b in c] for c in front.columns], total=front.total)


def add_front_bits(netlist: Netlist, bits: Iterable[FrontBit], x: Codes, w: Codes) -> BitHeap:
    """The heap of ``bits`` of every product: pairs of two pins in fused adders, of masked ones in carry positions, others in LUTs."""
    heap = BitHeap(netlist)
    masked: dict[int, list[list[Masked]]] = {}
    wide: list[FrontBit] = []
    for bit in bits:
        table, pins = essential(bit.table, [2 * (k + 1) for k in range(len(bit.x_bits) + len(bit.w_bits))])
        places = [p // 2 - 1 for p in pins]
        rows = [[_pins(bit, a, b)[k] for k in places] for a, b in zip(x, w, strict=True)]
        mask = next((k for k in range(3) if not _where(table, k, 0)), None) if len(places) == 3 else None
        if len(places) == 2:
            add_terms(heap, [Term(table, *row) for row in rows], bit.weight)
        elif mask is not None:
            others = [k for k in range(3) if k != mask]
            small = _where(table, mask, 1)
            masked.setdefault(bit.weight, []).append([Masked(row[mask], small, *(row[k] for k in others)) for row in rows])
        else:
            wide.append(bit)
    _add_masked(heap, masked)
    for a, b in zip(x, w, strict=True):
        _add_wide(heap, wide, a, b)
    return heap


def _pins(bit: FrontBit, x: Sequence[int], w: Sequence[int]) -> list[int]:
    return [*(x[k] for k in bit.x_bits), *(w[k] for k in bit.w_bits)]


def _where(table: int, pin: int, value: int) -> int:
    """The table of three pins where one has a value."""
    rows = [i for i in range(8) if i >> pin & 1 == value]
    return sum((table >> i & 1) << k for k, i in enumerate(rows))


def _add_masked(heap: BitHeap, columns: dict[int, list[list[Masked]]]) -> None:
    """Columns of masked bits, neighbouring weights in one carry chain."""
    while columns:
        start = min(columns)
        run = []
        for weight in range(start, max(columns) + 1):
            if weight not in columns:
                break
            run.append(columns[weight].pop())
            if not columns[weight]:
                del columns[weight]
        add_masked(heap, run, start)


def _add_wide(heap: BitHeap, bits: Sequence[FrontBit], x: Sequence[int], w: Sequence[int]) -> None:
    """Bits of one product, each a LUT or more, two of them in one where five pins are all they have."""
    waiting: FrontBit | None = None
    for bit in bits:
        if waiting is not None and len({*_pins(waiting, x, w), *_pins(bit, x, w)}) < LUT_INPUTS:
            shared = sorted({*_pins(waiting, x, w), *_pins(bit, x, w)})
            tables = [_over(b, _pins(b, x, w), shared) for b in (waiting, bit)]
            for b, made in zip((waiting, bit), heap.netlist.lut2(*tables, *shared), strict=True):
                heap.add(made, b.weight)
            waiting = None
            continue
        if waiting is not None:
            heap.add(_wide(heap.netlist, waiting.table, _pins(waiting, x, w)), waiting.weight)
        waiting = bit
    if waiting is not None:
        heap.add(_wide(heap.netlist, waiting.table, _pins(waiting, x, w)), waiting.weight)


def _over(bit: FrontBit, own: Sequence[int], shared: Sequence[int]) -> int:
    """The bit's table over the pins ``shared``."""
    places = [shared.index(p) for p in own]
    return sum((bit.table >> sum((i >> p & 1) << k for k, p in enumerate(places)) & 1) << i for i in range(1 << len(shared)))


def _wide(netlist: Netlist, table: int, pins: Sequence[int]) -> int:
    """A function of any number of bits: multiplexers of halves, by the last pin, where a LUT is too small."""
    table, pins = essential(table, pins)
    if len(pins) <= LUT_INPUTS:
        return netlist.lut(table, *pins)
    half = 1 << (len(pins) - 1)
    low, high = (_wide(netlist, table >> shift & ((1 << half) - 1), pins[:-1]) for shift in (0, half))
    return netlist.lut(lambda a, b, c: b if c else a, low, high, pins[-1])

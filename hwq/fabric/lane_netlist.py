"""Lanes as circuits of the fabric: the front of two encodings, a bit heap in registered stages, and the accumulator behind it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from hwq.fabric.adders import ternary_adder
from hwq.fabric.ages import check_pipeline
from hwq.fabric.embed import delayed
from hwq.fabric.heap import BitHeap, reduce, schedule_of, to_rows
from hwq.fabric.lane_form import LaneForm
from hwq.fabric.lanes.binary import add_signed_planes, add_xnor
from hwq.fabric.lanes.coded import coded_heap
from hwq.fabric.lanes.dsp import DspLanes
from hwq.fabric.lanes.product import add_products, product_front
from hwq.fabric.lanes.table import add_tables
from hwq.fabric.lanes.ternary import add_masked_signs, add_ternary
from hwq.fabric.multiplier import Number
from hwq.fabric.netlist import FALSE, Netlist
from hwq.fabric.packing import lane_packing, packing
from hwq.numerics.encoding import Bipolar, Encoding

__all__ = [
    "accumulated",
    "front_latency",
    "has_netlist",
    "lane_heap",
    "lane_heaps",
    "lane_latency",
    "lane_netlist",
    "row_latency",
    "row_netlist",
    "rows_latency",
    "rows_netlist",
    "two_rows",
]

#: Slices of a cascade: the longer, the fewer LUTs for its sums, and the more flip-flops in which operands wait.
CASCADE = 4

_CIRCUITS = ("xnor", "masked", "ternary", "planes", "table", "product", "dsp", "coded")


def has_netlist(form: LaneForm) -> bool:
    """Whether a front of :mod:`hwq.fabric.lanes` exists for the form."""
    return form.circuit in _CIRCUITS


def lane_netlist(form: LaneForm, rows: int = 1) -> Netlist:
    """The raw sum ``y`` of the products of ``x`` and ``w``; see :class:`hwq.fabric.lane_form.LaneForm` for what *raw* means.

    Timing: free-running, initiation interval 1, latency :func:`lane_latency`: flip-flops behind the front and every stage of counters.

    Ports: ``x``, ``w``: code k from bit ``k * bits`` on, ``y``: ``form.y_bits`` bits; the words and sums of ``rows`` rows follow one
    another.
    """
    netlist, heaps = _lanes(form, rows)
    cycles = _latency(form, form.y_bits, 1)
    sums = [reduce(heap, form.y_bits, registered=True) for heap in heaps]
    netlist.output("y", [bit for y in sums for bit in delayed(netlist, y.bits, cycles - y.latency)])
    check_pipeline(netlist, lane_latency(form))
    return netlist


@lru_cache(maxsize=4096)
def lane_latency(form: LaneForm) -> int:
    """Cycles from operands to ``y`` of :func:`lane_netlist`."""
    return front_latency(form) + _latency(form, form.y_bits, 1)


def rows_netlist(form: LaneForm, bits: int) -> Netlist:
    """The raw sum as two numbers ``a`` and ``b`` of ``bits`` bits: ``(a + b) mod 2**bits = y mod 2**bits``, for an adder elsewhere.

    Latency :func:`rows_latency`.
    """
    netlist, (heap,) = _lanes(form, 1)
    for name, number in zip("ab", two_rows(heap, form, bits)[0], strict=True):
        netlist.output(name, number)
    check_pipeline(netlist, rows_latency(form, bits))
    return netlist


@lru_cache(maxsize=4096)
def rows_latency(form: LaneForm, bits: int) -> int:
    """Cycles from operands to the rows of :func:`rows_netlist`."""
    return front_latency(form) + _latency(form, bits, (2, 2))


def row_netlist(form: LaneForm, total_bits: int, rows: int = 1, *, late: bool = False) -> Netlist:
    """A lane and its exact accumulator: the sum of the raw sums of a vector, modulo ``2**total_bits``.

    The last adder of the lane is a ternary adder whose third row is the accumulator: a LUT site a bit of ``total``, none for the lane's
    own last adder. ``first`` restarts through the adder's free input, ``valid`` low holds through the clock enable.
    Bit-exact with :class:`hwq.gateware.accumulator.Accumulator`, exact mode.

    Timing: initiation interval 1; ``total`` includes operands :func:`row_latency` cycles after they, ``valid`` and ``first`` came; where
    ``late``, those two come a cycle before ``total``, and need no delays here.

    Ports: ``x``, ``w`` as in :func:`lane_netlist`; ``valid``: there are operands; ``first``: of a vector; ``total``: ``total_bits`` bits a
    row.
    """
    netlist, heaps = _lanes(form, rows)
    (valid,), (first,) = netlist.input("valid", 1), netlist.input("first", 1)
    netlist.output("total", [bit for heap in heaps for bit in accumulated(heap, form, total_bits, valid, first, late=late)])
    return netlist


@lru_cache(maxsize=4096)
def row_latency(form: LaneForm, total_bits: int) -> int:
    """Cycles from operands to the ``total`` of :func:`row_netlist` that includes them."""
    return front_latency(form) + _latency(form, total_bits, (4, 2)) + 1


# -- parts of larger circuits


def lane_heaps(netlist: Netlist, form: LaneForm, x: Sequence[int], words: Sequence[Sequence[int]]) -> list[BitHeap]:
    """:func:`lane_heap` of each word of weights; neighbours share slices as the form says, and a last few have theirs half empty."""
    if form.rows == 1:
        return [lane_heap(netlist, form, x, word) for word in words]
    found = []
    for k in range(0, len(words), form.rows):
        found += _slice_heaps(netlist, form, x, words[k : k + form.rows])
    return found


def lane_heap(netlist: Netlist, form: LaneForm, x: Sequence[int], word: Sequence[int]) -> BitHeap:
    """The heap of the raw sum of activations ``x`` and a word of weights, behind the front's flip-flops: see :func:`front_latency`."""
    if form.circuit == "dsp":
        return _slice_heaps(netlist, form, x, [word])[0]
    codes = _codes(x, form.x.bits), _codes(word, form.w.bits)
    if form.products:
        return coded_heap(netlist, form.products, *codes)[0]
    front = _front(netlist, form, *codes)
    return BitHeap(netlist, columns=[[netlist.flop(b) for b in c] for c in front.columns], total=front.total)


@lru_cache(maxsize=4096)
def front_latency(form: LaneForm) -> int:
    """Cycles from operands to the heap of :func:`lane_heap`."""
    if form.products and any(b.factor > 1 for b in form.products.bits):
        netlist = Netlist()
        return coded_heap(netlist, form.products, *(_codes(netlist.input(p, form.n * e.bits), e.bits) for p, e in _operands(form)))[1]
    return _slices(form).front_latency if form.circuit == "dsp" else 1


def _operands(form: LaneForm) -> tuple[tuple[str, Encoding], ...]:
    return ("x", form.x), ("w", form.w)


def _slices(form: LaneForm) -> DspLanes:
    found = lane_packing(form.x, form.w) if form.rows == 1 else packing(form.x, form.w, form.rows)
    assert found is not None, form
    return DspLanes(found, form.n, CASCADE)


def _slice_heaps(netlist: Netlist, form: LaneForm, x: Sequence[int], words: Sequence[Sequence[int]]) -> list[BitHeap]:
    """The heaps of rows that share slices; rows that are missing have weights of 0."""
    lanes = _slices(form)
    absent = [[FALSE] * form.word_bits] * (lanes.rows - len(words))
    heaps = lanes.heaps(netlist, [_codes(x, form.x.bits)], [_codes(word, form.w.bits) for word in (*words, *absent)])
    for heap in heaps.values():
        heap.constant(form.n * (lanes.low - form.low))
    return list(heaps.values())[: len(words)]


def two_rows(heap: BitHeap, form: LaneForm, bits: int) -> tuple[list[list[int]], int]:
    """The heap of :func:`lane_heap` as two numbers of ``bits`` bits, and the cycles that takes."""
    columns, latency = _levelled(heap, form, bits, (2, 2))
    wide = [*columns, *[()] * (bits - len(columns))]
    return [[c[k] if len(c) > k else FALSE for c in wide] for k in range(2)], latency


def accumulated(heap: BitHeap, form: LaneForm, total_bits: int, valid: int, first: int, *, late: bool = False) -> list[int]:
    """The accumulator of :func:`row_netlist` behind the heap of :func:`lane_heap`; its ports are the arguments."""
    netlist = heap.netlist
    columns, latency = _levelled(heap, form, total_bits, (4, 2))
    late_valid, late_first = delayed(netlist, (valid, first), 0 if late else front_latency(form) + latency)
    total = netlist.register(total_bits)
    lowest, extra = columns[0][:3], (*columns[0][3:], FALSE)[0]
    wide = [lowest, *columns[1:], *[()] * (total_bits - len(columns))]
    netlist.close(total, ternary_adder(netlist, wide, total, late_first ^ 1, extra), enable=late_valid)
    return total


# -- inside


def _lanes(form: LaneForm, rows: int) -> tuple[Netlist, list[BitHeap]]:
    netlist = Netlist("lane")
    x, w = netlist.input("x", form.n * form.x.bits), netlist.input("w", rows * form.word_bits)
    return netlist, lane_heaps(netlist, form, x, _codes(w, form.word_bits))


def _levelled(heap: BitHeap, form: LaneForm, bits: int, rows: tuple[int, int]) -> tuple[list[list[int]], int]:
    """The heap as columns of at most ``rows`` bits, at the same time as those of all rows that share its slices."""
    columns, latency = to_rows(heap, _width(heap, form, bits), rows=rows, registered=True)
    cycles = _latency(form, bits, rows)
    return [delayed(heap.netlist, column, cycles - latency) for column in columns], cycles


def _front(netlist: Netlist, form: LaneForm, x: list[list[int]], w: list[list[int]]) -> BitHeap:
    """The heap of a lane's raw sum as the front leaves it."""
    heap = BitHeap(netlist)
    numbers, signs = (w, x) if isinstance(form.x, Bipolar) else (x, w)
    if form.circuit == "xnor":
        add_xnor(heap, [c[0] for c in x], [c[0] for c in w])
    elif form.circuit == "masked":
        add_masked_signs(heap, numbers, [s[0] for s in signs])
    elif form.circuit == "ternary":
        heap.constant(-form.n)
        add_ternary(heap, x, w)
    elif form.circuit == "planes":
        add_signed_planes(heap, [s[0] for s in signs], numbers, form.integer)
        heap.constant(-form.n * (form.low + (1 << (form.integer.bits - form.integer.signed))))
    elif form.circuit == "product" or (_is_full(form.x) and _is_full(form.w)):
        pairs = [(Number(tuple(a), form.x.signed), Number(tuple(b), form.w.signed)) for a, b in zip(x, w, strict=True)]
        add_products(heap, pairs, product_front(form.x, form.w, form.n).kind)
        heap.constant(-form.n * form.low)
    else:
        assert form.circuit == "table", form
        add_tables(heap, x, w, form.raw, form.raw_max.bit_length())
    return heap


def _is_full(encoding: Encoding) -> bool:
    """Whether every code stands for an integer of its own: none is brought into range."""
    return encoding.hi - encoding.lo + 1 == 1 << encoding.bits


def _width(heap: BitHeap, form: LaneForm, bits: int) -> int:
    """Columns that a sum modulo ``2**bits`` needs: those of the raw sum, or all where a negative constant borrows from beyond."""
    return bits if heap.total < 0 else min(form.y_bits, bits)


@lru_cache(maxsize=4096)
def _settled(form: LaneForm, bits: int) -> tuple[tuple[tuple[int, ...], int], ...]:
    """Heights of the heaps modulo ``2**bits`` of all rows that share slices, the constant's bits included, and their widths."""
    heaps = _lanes(form, form.rows)[1]
    widths = [_width(heap, form, bits) for heap in heaps]
    return tuple((tuple(len(c) for c in heap.settled(width)), width) for heap, width in zip(heaps, widths, strict=True))


def _latency(form: LaneForm, bits: int, rows: int | tuple[int, int]) -> int:
    """Cycles that adding takes: the most of all rows that share slices."""
    return max(schedule_of(*settled, True, "luts", rows).latency for settled in _settled(form, bits))


def _codes(bits: Sequence[int], width: int) -> list[list[int]]:
    return [list(bits[k : k + width]) for k in range(0, len(bits), width)]

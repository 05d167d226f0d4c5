"""Lanes as circuits of the fabric: the front of two encodings, a bit heap in registered stages, and the accumulator behind it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from hwq.fabric.adders import ternary_adder
from hwq.fabric.heap import BitHeap, reduce, schedule_of, to_rows
from hwq.fabric.lane_form import LaneForm
from hwq.fabric.lanes.binary import add_signed_planes, add_xnor
from hwq.fabric.lanes.table import add_tables
from hwq.fabric.lanes.ternary import add_masked_signs, add_signed_ternary, add_ternary
from hwq.fabric.netlist import FALSE, Netlist
from hwq.numerics.encoding import Bipolar

__all__ = ["has_netlist", "lane_latency", "lane_netlist", "row_latency", "row_netlist", "rows_latency", "rows_netlist"]

_CIRCUITS = ("xnor", "masked", "ternary", "planes", "table")


def has_netlist(form: LaneForm) -> bool:
    """Whether a front of :mod:`hwq.fabric.lanes` exists for the form."""
    return form.circuit in _CIRCUITS


def lane_netlist(form: LaneForm) -> Netlist:
    """The raw sum ``y`` of the products of ``x`` and ``w``; see :class:`hwq.fabric.lane_form.LaneForm` for what *raw* means.

    Timing: free-running, initiation interval 1, latency :func:`lane_latency`: flip-flops behind the front and every stage of counters.

    Ports: ``x``, ``w``: code k from bit ``k * bits`` on, behind the weights their tally; ``y``: ``form.y_bits`` bits.
    """
    netlist, heap = _registered_front(form)
    netlist.output("y", reduce(heap, form.y_bits, registered=True).bits)
    return netlist


@lru_cache(maxsize=4096)
def lane_latency(form: LaneForm) -> int:
    """Cycles from operands to ``y`` of :func:`lane_netlist`."""
    return 1 + schedule_of(_heights(form), form.y_bits, True).latency


def rows_netlist(form: LaneForm) -> Netlist:
    """The raw sum as two numbers ``a`` and ``b`` of ``form.y_bits`` bits each: ``(a + b) mod 2**y_bits = y``, for an adder elsewhere.

    Latency :func:`rows_latency`.
    """
    netlist, heap = _registered_front(form)
    columns, _ = _two_rows(heap, form.y_bits)
    for name, k in (("a", 0), ("b", 1)):
        netlist.output(name, [c[k] if len(c) > k else FALSE for c in columns])
    return netlist


@lru_cache(maxsize=4096)
def rows_latency(form: LaneForm) -> int:
    """Cycles from operands to the rows of :func:`rows_netlist`."""
    return 1 + _two_rows(_registered_front(form)[1], form.y_bits)[1]


def row_netlist(form: LaneForm, total_bits: int, *, late: bool = False) -> Netlist:
    """A lane and its exact accumulator: the sum of the raw sums of a vector, modulo ``2**total_bits``.

    The last adder of the lane is a ternary adder whose third row is the accumulator: a LUT site a bit of ``total``, none for the lane's
    own last adder. ``first`` restarts through the adder's free input, ``valid`` low holds through the clock enable.
    Bit-exact with :class:`hwq.gateware.accumulator.Accumulator`, exact mode.

    Timing: initiation interval 1; ``total`` includes operands :func:`row_latency` cycles after they, ``valid`` and ``first`` came; where
    ``late``, those two come a cycle before ``total``, and need no delays here.

    Ports: ``x``, ``w`` as in :func:`lane_netlist`; ``valid``: there are operands; ``first``: of a vector; ``total``: ``total_bits`` bits.
    """
    netlist, heap = _registered_front(form)
    valid, first = netlist.input("valid", 1), netlist.input("first", 1)
    columns, stages = _rows_and_carry(heap, total_bits if heap.total < 0 else min(form.y_bits, total_bits))
    late_valid, late_first = (_delayed(netlist, bits[0], 0 if late else 1 + stages) for bits in (valid, first))
    total = netlist.register(total_bits)
    lowest, extra = columns[0][:3], columns[0][3:] or (FALSE,)
    wide = [lowest, *columns[1:], *[()] * (total_bits - len(columns))]
    netlist.close(total, ternary_adder(netlist, wide, total, late_first ^ 1, extra[0]), enable=late_valid)
    netlist.output("total", total)
    return netlist


@lru_cache(maxsize=4096)
def row_latency(form: LaneForm, total_bits: int) -> int:
    """Cycles from operands to the ``total`` of :func:`row_netlist` that includes them."""
    heap = _registered_front(form)[1]
    return 2 + _rows_and_carry(heap, total_bits if heap.total < 0 else min(form.y_bits, total_bits))[1]


def _front(netlist: Netlist, form: LaneForm) -> BitHeap:
    """The heap of a lane's raw sum as the front leaves it, operands as new input ports."""
    x = _codes(netlist.input("x", form.n * form.x.bits), form.x.bits)
    word = netlist.input("w", form.word_bits)
    w, tally = _codes(word[: form.n * form.w.bits], form.w.bits), word[form.n * form.w.bits :]
    heap = BitHeap(netlist)
    numbers, signs = (w, x) if isinstance(form.x, Bipolar) else (x, w)
    if form.circuit == "xnor":
        add_xnor(heap, [c[0] for c in x], [c[0] for c in w])
    elif form.circuit == "masked":
        add_masked_signs(heap, numbers, [s[0] for s in signs], tally)
    elif form.circuit == "ternary":
        heap.constant(-form.n)
        if tally:
            add_signed_ternary(heap, x, w, tally)
        else:
            add_ternary(heap, x, w)
    elif form.circuit == "planes":
        add_signed_planes(heap, [s[0] for s in signs], numbers, form.integer, tally)
        heap.constant(-form.n * (form.low + (1 << (form.integer.bits - form.integer.signed))))
    else:
        assert form.circuit == "table", form
        add_tables(heap, x, w, form.raw, form.raw_max.bit_length())
    return heap


def _registered_front(form: LaneForm) -> tuple[Netlist, BitHeap]:
    """A netlist with the front and the flip-flops behind it."""
    netlist = Netlist("lane")
    front = _front(netlist, form)
    heap = BitHeap(netlist, columns=[[netlist.flop(b) for b in c] for c in front.columns], total=front.total)
    return netlist, heap


@lru_cache(maxsize=4096)
def _heights(form: LaneForm) -> tuple[int, ...]:
    """Heights of the heap behind the front, the constant's bits included."""
    return tuple(len(c) for c in _registered_front(form)[1].settled(form.y_bits))


def _codes(bits: Sequence[int], width: int) -> list[list[int]]:
    return [list(bits[k : k + width]) for k in range(0, len(bits), width)]


def _rows_and_carry(heap: BitHeap, width: int) -> tuple[list[tuple[int, ...]], int]:
    """Two bits a column, up to four in the lowest, and the cycles they took."""
    columns, latency = to_rows(heap, width, rows=(4, 2), registered=True)
    return list(columns), latency


def _two_rows(heap: BitHeap, width: int) -> tuple[list[tuple[int, ...]], int]:
    """Two bits a column, and the cycles they took."""
    columns, latency = to_rows(heap, width, rows=(2, 2), registered=True)
    return list(columns), latency


def _delayed(netlist: Netlist, bit: int, cycles: int) -> int:
    for _ in range(cycles):
        bit = netlist.flop(bit)
    return bit

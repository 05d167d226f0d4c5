"""Arrays of lanes: the rows of a matrix-vector unit with accumulators in LUTs or in DSP slices, and the control of their folds."""

from __future__ import annotations

from collections.abc import Sequence

from hwq.fabric.dsp48e2 import Slice48
from hwq.fabric.embed import delayed
from hwq.fabric.lane_form import LaneForm
from hwq.fabric.lane_netlist import accumulated, lane_heaps, row_latency, rows_latency, two_rows
from hwq.fabric.netlist import FALSE, Netlist

__all__ = [
    "DSP_LATENCY",
    "DSP_WORDS",
    "array_latency",
    "array_netlist",
    "dsp_accumulator_netlist",
    "dsp_accumulators",
    "dsp_word",
    "slice_rows_latency",
    "slice_rows_netlist",
]

#: Bits of an accumulator in a DSP slice, and how many a slice holds (UG579, USE_SIMD).
DSP_WORDS = {12: 4, 24: 2, 48: 1}
#: Cycles from the rows to the sum.
DSP_LATENCY = 2


def dsp_word(bits: int) -> int:
    """Bits of the word of a slice that a sum of ``bits`` bits takes: 12, 24 or 48; 0 where it takes more than a slice."""
    return next((word for word in sorted(DSP_WORDS) if bits <= word), 0)


def slice_rows_netlist(form: LaneForm, rows: int, bits: int) -> Netlist:
    """``rows`` lanes that share their activations, each with an exact accumulator of ``bits`` bits in a word of a slice.

    The lanes end in two rows each, their last adder is the slice's. Timing: initiation interval 1, latency :func:`slice_rows_latency`;
    ``valid`` and ``first`` come :data:`DSP_LATENCY` cycles before ``total``.

    Ports: ``x``; ``w``, ``total``: row by row; ``valid``, ``first`` as in :func:`hwq.fabric.lane_netlist.row_netlist`.
    """
    netlist, word = Netlist("rows"), dsp_word(bits)
    x, w = netlist.input("x", form.n * form.x.bits), netlist.input("w", rows * form.word_bits)
    (valid,), (first,) = netlist.input("valid", 1), netlist.input("first", 1)
    heaps = lane_heaps(netlist, form, x, _words(form, w))
    spare = [FALSE] * (word - bits)
    pairs = [(one + spare, two + spare) for one, two in (two_rows(heap, form, bits)[0] for heap in heaps)]
    totals = dsp_accumulators(netlist, pairs, word, valid, first)
    netlist.output("total", [bit for total in totals for bit in total[:bits]])
    return netlist


def slice_rows_latency(form: LaneForm, bits: int) -> int:
    """Cycles from operands to the totals of :func:`slice_rows_netlist` that include them."""
    return rows_latency(form, bits) + DSP_LATENCY


def dsp_accumulator_netlist(rows: int, bits: int) -> Netlist:
    """Accumulators of ``rows`` sums of two numbers each, ``bits`` bits (12, 24 or 48), four, two or one in a DSP slice's adder.

    The slice adds the word {A, B}, C and its own P, words apart; P is left out where ``first`` holds (OPMODE), held where
    ``valid`` is low (CEP). No LUT.

    Timing: initiation interval 1, latency 2. Ports: ``a``, ``b``: ``rows * bits``; ``valid``, ``first``; ``total``: ``rows * bits``.
    """
    netlist = Netlist("dsp_accumulators")
    a, b = (netlist.input(name, rows * bits) for name in "ab")
    (valid,), (first,) = netlist.input("valid", 1), netlist.input("first", 1)
    pairs = [(a[k : k + bits], b[k : k + bits]) for k in range(0, rows * bits, bits)]
    netlist.output("total", [bit for total in dsp_accumulators(netlist, pairs, bits, valid, first) for bit in total])
    return netlist


def dsp_accumulators(
    netlist: Netlist, pairs: Sequence[tuple[Sequence[int], Sequence[int]]], bits: int, valid: int, first: int
) -> list[list[int]]:
    """Totals of ``pairs`` of numbers of ``bits`` bits: see :func:`dsp_accumulator_netlist`."""
    words = DSP_WORDS[bits]
    use = Slice48(multiply=0, z=2, w=3, lanes=words, m_reg=0, control_reg=1)
    enable = netlist.flop(valid)
    totals = []
    for k in range(0, len(pairs), words):
        here = pairs[k : k + words]
        one, two = ([bit for pair in here for bit in pair[side]] for side in range(2))
        one += [FALSE] * (48 - len(one))
        made = use.build(netlist, b=one[:18], a=one[18:], c=two, ce=enable, restart=first)
        totals += [made.p[j * bits : (j + 1) * bits] for j in range(len(here))]
    return totals


def array_netlist(form: LaneForm, rows: int, bits: int, words: int, dsp: bool = False) -> Netlist:
    """``rows`` lanes that share their activations, with accumulators of ``bits`` bits (``dsp``: in DSP slices), and the fold's control.

    A counter of ``words`` restarts the accumulators; ``done`` marks the cycle in which ``total`` holds the sums of a whole vector.

    Timing: initiation interval 1, latency :func:`array_latency`. Ports: ``x``, ``valid``, ``w``: a word a row; ``total``, ``done``.
    """
    netlist = Netlist("array")
    x, w = netlist.input("x", form.n * form.x.bits), netlist.input("w", rows * form.word_bits)
    (valid,) = netlist.input("valid", 1)
    first, last = _fold(netlist, valid, words)
    heaps = lane_heaps(netlist, form, x, _words(form, w))
    if dsp:
        late_valid, late_first = delayed(netlist, (valid, first), rows_latency(form, bits))
        pairs = [(one, two) for one, two in (two_rows(heap, form, bits)[0] for heap in heaps)]
        totals = dsp_accumulators(netlist, pairs, bits, late_valid, late_first)
    else:
        totals = [accumulated(heap, form, bits, valid, first) for heap in heaps]
    netlist.output("total", [bit for total in totals for bit in total])
    netlist.output("done", delayed(netlist, [last], array_latency(form, bits, dsp)))
    return netlist


def array_latency(form: LaneForm, bits: int, dsp: bool = False) -> int:
    """Cycles from operands to the totals that include them."""
    return rows_latency(form, bits) + DSP_LATENCY if dsp else row_latency(form, bits)


def _words(form: LaneForm, w: Sequence[int]) -> list[Sequence[int]]:
    """Words of weights, row by row."""
    return [w[k : k + form.word_bits] for k in range(0, len(w), form.word_bits)]


def _fold(netlist: Netlist, valid: int, words: int) -> tuple[int, int]:
    """Whether the word of this cycle is the first, and whether it is there and the last, of ``words``."""
    if words == 1:
        return 1, valid
    count = netlist.register((words - 1).bit_length())
    is_first = netlist.lut(0b1, *count[:1]) if len(count) == 1 else _equal(netlist, count, 0)
    is_last = _equal(netlist, count, words - 1)
    wraps = words != 1 << len(count)
    carry = 1
    after = []
    for bit in count:
        after.append(netlist.lut(lambda b, c, e: (b ^ c) & ~e, bit, carry, is_last if wraps else FALSE))
        carry = netlist.lut(lambda b, c: b & c, bit, carry)
    netlist.close(count, after, enable=valid)
    return is_first, netlist.lut(lambda a, b: a & b, is_last, valid)


def _equal(netlist: Netlist, bits: Sequence[int], value: int) -> int:
    """Whether a number equals a constant."""
    terms = [bit ^ (not value >> k & 1) for k, bit in enumerate(bits)]
    while len(terms) > 1:
        terms = [netlist.lut(lambda *v: all(v), *terms[:6]), *terms[6:]]
    return terms[0]

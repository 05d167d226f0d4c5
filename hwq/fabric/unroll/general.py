"""Unrolled layers of any integer weights and inputs: common sums first, then a bit heap and a decision for each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hwq.fabric.carry_balance import balanced
from hwq.fabric.heap import BitHeap, Goal, reduce
from hwq.fabric.netlist import FALSE, Chain, Netlist
from hwq.fabric.prune import prune
from hwq.fabric.retime import retimed
from hwq.fabric.unroll.decide import Steps
from hwq.fabric.unroll.decide_heap import decided_heap
from hwq.fabric.unroll.outputs import Integers, RowOutput
from hwq.fabric.unroll.rows import row_code, steps_of
from hwq.fabric.unroll.share_bits import share_adders
from hwq.fabric.unroll.share_counters import share_counters
from hwq.fabric.unroll.share_words import share_pairs
from hwq.fabric.unroll.words import Row, Term, Word, Words, stages_of, words_of
from hwq.numerics.encoding import Encoding

__all__ = ["general_layer"]

Bits = tuple[int, ...]


def general_layer(
    weights: NDArray[np.int64], x: Encoding, outputs: Sequence[RowOutput], *, registered: bool, goal: Goal = "luts", name: str = "layer"
) -> tuple[Netlist, int]:
    """The netlist (ports ``x``, ``y``) and latency of :func:`hwq.fabric.unroll.layer.unrolled_layer` for any weights and inputs."""
    distinct, uses = _distinct(np.asarray(weights, np.int64))
    words = words_of(distinct, x)
    share_counters(words)
    share_adders(words)
    share_pairs(words)
    build = _Build(Netlist(name), words, registered, "luts" if goal == "slices" else goal)
    build.shared(x, weights.shape[1])
    rows = [build.row(*use, output) for use, output in zip(uses, outputs, strict=True)]
    latency = max((t for _, t in rows), default=0)
    latency = max(latency, 1) if registered else 0
    build.netlist.output("y", [b for bits, t in rows for b in build.later(bits, latency - t)])
    made = prune(build.netlist)
    if not registered:
        return made, 0
    other, cycles = balanced(made) if goal == "slices" else retimed(made)
    fewer = len(other.flops) < len(made.flops) or (goal == "slices" and _chains(other) < _chains(made))
    return (other, cycles) if fewer else (made, latency)


def _chains(netlist: Netlist) -> int:
    return sum(isinstance(cell, Chain) for cell in netlist.cells)


def _distinct(weights: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[tuple[int, bool]]]:
    """Rows that differ in more than their sign, and for each row which of them it is and whether negated."""
    number: dict[tuple[int, ...], int] = {}
    uses = []
    for row in weights.tolist():
        negative = next((w < 0 for w in row if w), False)
        own = tuple(-w for w in row) if negative else tuple(row)
        uses.append((number.setdefault(own, len(number)), negative))
    return np.array(list(number)), uses


class _Build:
    """A netlist under construction for ``words``; where registered, each word is made in its stage and waits in flip-flops."""

    def __init__(self, netlist: Netlist, words: Words, registered: bool, goal: Goal) -> None:
        self.netlist, self.words, self.registered, self.goal = netlist, words, registered, goal
        self._stage = stages_of(words) if registered else [0] * len(words.words)
        ends = [self._stage[w] + bool(words.words[w].terms) for row in words.rows for w, _ in row.terms]
        self._first = max(ends, default=0) if registered else 0
        self._bits: list[Bits] = []
        self._sums: dict[tuple[Term, ...], Bits] = {}
        self._rows: dict[object, tuple[Bits, int]] = {}

    def shared(self, x: Encoding, columns: int) -> None:
        """The input port and the words, inputs first."""
        bits = self.netlist.input("x", x.bits * columns)
        for k in range(columns):
            own = bits[k * x.bits : (k + 1) * x.bits]
            self._bits.append((*own[:-1], own[-1] ^ int(x.signed)))
        for number in range(columns, len(self.words.words)):
            word = self.words.words[number]
            total = self._sum(word, self._stage[number])
            self._bits.append((*total, *[FALSE] * word.bits)[word.low : word.low + word.bits])

    def row(self, number: int, negative: bool, output: RowOutput) -> tuple[Bits, int]:
        """Code and cycle of an output of a row or of its negative; equal ones are made once."""
        row = self.words.rows[number]
        if isinstance(output, Integers):
            return self._once((number, negative, output), lambda: self._integers(row, negative, output))
        lo, hi = self.words.reach(row)
        steps = steps_of(output, -hi, -lo).mirrored(0) if negative else steps_of(output, lo, hi)
        if not steps.points:
            return tuple(steps.codes[0] >> k & 1 for k in range(output.bits)), 0
        return self._once((number, steps, output.bits), lambda: self._decided(row, steps, output.bits))

    def _once(self, key: object, make: Callable[[], tuple[Bits, int]]) -> tuple[Bits, int]:
        if key not in self._rows:
            self._rows[key] = make()
        return self._rows[key]

    def later(self, bits: Sequence[int], cycles: int) -> Bits:
        """The bits ``cycles`` later."""
        for _ in range(cycles):
            bits = [self.netlist.flop(b) for b in bits]
        return tuple(bits)

    def _sum(self, word: Word, stage: int) -> Bits:
        """The sum of a word's terms in its stage, before the flip-flops."""
        if word.terms not in self._sums:
            heap = self._heap(word.terms, stage)
            heap.constant(word.offset)
            most = sum((1 << self.words.words[t.word].bits) - 1 << t.shift for t in word.terms)
            self._sums[word.terms] = reduce(heap, most.bit_length(), False, self.goal).bits
        return self._sums[word.terms]

    def _heap(self, terms: Sequence[Term], stage: int) -> BitHeap:
        """The terms as a heap in a stage."""
        heap = BitHeap(self.netlist)
        for t in terms:
            bits = self.later(self._bits[t.word], stage - self._stage[t.word])
            (heap.subtract if t.negative else heap.add_unsigned)(bits, t.shift)
        return heap

    def _row_heap(self, row: Row, negative: bool = False) -> BitHeap:
        heap = self._heap([Term(w, s, n ^ negative) for (w, s), n in sorted(row.terms.items())], self._first)
        heap.constant(-row.constant if negative else row.constant)
        return heap

    def _integers(self, row: Row, negative: bool, output: Integers) -> tuple[Bits, int]:
        lo, hi = self.words.reach(row)
        reach = (-hi, -lo) if negative else (lo, hi)
        bits, latency = row_code(self._row_heap(row, negative), output, *reach, self.registered, self.goal)
        return tuple(bits), self._first + latency if row.terms else 0

    def _decided(self, row: Row, steps: Steps, width: int) -> tuple[Bits, int]:
        bits, latency = decided_heap(self._row_heap(row), steps, width, self.registered, self.goal)
        return tuple(bits), self._first + latency

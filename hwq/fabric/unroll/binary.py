"""Unrolled layers of +-1 weights and one-bit inputs: shared counts first, then a bit heap and a decision for each row.

A few columns may have other weights: they join the rows' heaps. Such are the columns that stand for the padding of a convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hwq.fabric.carry_balance import balanced
from hwq.fabric.counters import count, counter
from hwq.fabric.heap import BitHeap, Goal
from hwq.fabric.levels import levels
from hwq.fabric.netlist import Netlist
from hwq.fabric.polarity import plain_outputs
from hwq.fabric.prune import prune
from hwq.fabric.retime import retimed
from hwq.fabric.unroll.factors import best_factors
from hwq.fabric.unroll.outputs import Comparison, Integers, RowOutput
from hwq.fabric.unroll.rows import row_code, steps_of
from hwq.fabric.unroll.sums import Gate, Heap, Sums
from hwq.fabric.unroll.words import signed_digits

__all__ = ["BinaryMatrix", "binary_layer", "binary_matrix"]

LEVELS = 2  # LUTs in a row between registers before the rows' heaps

Timed = tuple[int, int]  # literal, cycle
Terms = Sequence[tuple[int, int]]  # literal, weight


@dataclass(frozen=True, eq=False)
class BinaryMatrix:
    """``weights`` (rows, columns) that are +-2**shift on the columns ``dense``, anything elsewhere."""

    weights: NDArray[np.int64]
    dense: tuple[int, ...]
    shift: int

    @property
    def signs(self) -> NDArray[np.int8]:
        """+-1 (rows, dense columns)."""
        return np.sign(self.weights[:, list(self.dense)]).astype(np.int8)

    @cached_property
    def others(self) -> tuple[int, ...]:
        """Columns that are not dense."""
        return tuple(sorted(set(range(self.weights.shape[1])) - set(self.dense)))

    @property
    def reach(self) -> list[int]:
        """Largest sum of each row; the smallest is its negative."""
        return [int(v) for v in np.abs(self.weights).sum(1)]


def binary_matrix(weights: NDArray[np.int64]) -> BinaryMatrix | None:
    """``weights`` as a binary matrix, if at least half of the columns are +-1 times the same power of two; else None."""
    size = np.abs(weights)
    same = np.flatnonzero((size == size[:1]).all(0) & (size[0] > 0) & (size[0] & (size[0] - 1) == 0))
    if 2 * len(same) < weights.shape[1]:
        return None
    sizes, count = np.unique(size[0, same], return_counts=True)
    most = int(sizes[count.argmax()])
    dense = tuple(int(c) for c in same if size[0, c] == most)
    return BinaryMatrix(weights, dense, most.bit_length() - 1) if 2 * len(dense) >= weights.shape[1] else None


def binary_layer(
    matrix: BinaryMatrix, outputs: Sequence[RowOutput], *, registered: bool, goal: Goal = "luts", name: str = "layer"
) -> tuple[Netlist, int]:
    """The netlist (ports ``x``, ``y``) and latency of :func:`hwq.fabric.unroll.layer.unrolled_layer` for bipolar inputs."""
    netlist = Netlist(name)
    x = netlist.input("x", matrix.weights.shape[1])
    alive = [r for r, (o, reach) in enumerate(zip(outputs, matrix.reach, strict=True)) if not _is_constant(o, reach)]
    sums = best_factors(matrix.signs[alive], [_extra(outputs[r], matrix) for r in alive]) if alive else Sums(0)
    made = _Made(netlist, x, matrix, registered)
    for gate in sums.gates:
        made.gate(gate)
    heaps = dict(zip(alive, sums.rows, strict=True))
    rows = made.rows([heaps.get(r, Heap()) for r in range(len(outputs))], outputs, "luts" if goal == "slices" else goal)
    latency = max(max(t for _, t in rows), 1) if registered else 0
    netlist.output("y", [made.later((bit, t), latency) for code, t in rows for bit in code])
    netlist = plain_outputs(prune(netlist))
    if not registered:
        return netlist, 0
    return balanced(netlist) if goal == "slices" else retimed(netlist)


def _is_constant(output: RowOutput, reach: int) -> bool:
    """Whether all sums between ``-reach`` and ``reach`` give the same code."""
    return not isinstance(output, Integers) and not steps_of(output, -reach, reach).points


def _extra(output: RowOutput, matrix: BinaryMatrix) -> int | None:
    """What makes the least sufficient number of agreements of a comparison even (0 or 1); None where every bit matters."""
    if not isinstance(output, Comparison) or matrix.others:
        return None
    threshold = -(-output.threshold >> matrix.shift)
    return (threshold + len(matrix.dense) + 1 >> 1) & 1


class _Made:
    """Literals and cycles of the signals of :class:`Sums`, as they become cells of ``netlist``."""

    def __init__(self, netlist: Netlist, x: Sequence[int], matrix: BinaryMatrix, registered: bool) -> None:
        self.netlist, self.matrix, self.registered = netlist, matrix, registered
        self._signals: list[Timed] = [(x[c], 0) for c in matrix.dense]
        self._others: list[tuple[int, Timed]] = [(c, (x[c], 0)) for c in matrix.others]
        self._depth: dict[int, int] = {}

    def gate(self, gate: Gate) -> None:
        """Makes a gate's cells; its signals follow those there are."""
        pins, time = self._together([self._literal(v) for v in gate.literals])
        if gate.kind == "count":
            bits = [c[0] for c in count(self.netlist, counter("6"), [pins])]
            if self.registered:
                bits, time = [self.netlist.flop(b) for b in bits], time + 1
            self._signals += [(b, time) for b in bits]
        else:
            shift = 0 if gate.kind == "parity" else 1
            bit = self.netlist.lut(lambda *v: sum(v) >> shift & 1, *pins)
            self._depth[bit >> 1] = 1 + max(self._depth.get(p >> 1, 0) for p in pins)
            self._signals.append((bit, time))

    def rows(self, heaps: Sequence[Heap], outputs: Sequence[RowOutput], goal: Goal) -> list[tuple[tuple[int, ...], int]]:
        """Code and cycle of every row; equal rows of equal outputs once."""
        arrival = [] if self.registered else levels(self.netlist)
        known: dict[object, tuple[tuple[int, ...], int]] = {}
        found = []
        for row, (heap, output, reach) in enumerate(zip(heaps, outputs, self.matrix.reach, strict=True)):
            key = self._key(heap, row, output)
            if key not in known:
                bits, time = self._heap(heap, row, arrival)
                code, latency = row_code(bits, output, -reach, reach, self.registered, goal)
                known[key] = (tuple(code), time + latency)
            found.append(known[key])
        return found

    def _key(self, heap: Heap, row: int, output: RowOutput) -> object:
        others = tuple(self.matrix.weights[row, list(self.matrix.others)].tolist())
        return tuple(tuple(sorted(c.items())) for c in heap.columns), heap.constant, others, output

    def _heap(self, heap: Heap, row: int, arrival: Sequence[int]) -> tuple[BitHeap, int]:
        """The sum of products: twice the agreements less the columns, and the products of the other columns."""
        shift, dense = self.matrix.shift, len(self.matrix.dense)
        found = BitHeap(self.netlist, arrival, total=(2 * heap.constant - dense) << shift)
        terms = [(k + 1 + shift, self._literal(2 * s + i)) for k, column in enumerate(heap.columns) for s, i in sorted(column.items())]
        for column, (bit, time) in self._others:
            weight = int(self.matrix.weights[row, column])
            found.constant(-weight)
            for place, negative in signed_digits(2 * weight):
                found.constant(-(1 << place) if negative else 0)
                terms.append((place, (bit ^ negative, time)))
        pins, time = self._together([timed for _, timed in terms])
        for (place, _), pin in zip(terms, pins, strict=True):
            found.add(pin, place)
        return found, time

    def _literal(self, literal: int) -> Timed:
        bit, time = self._signals[literal >> 1]
        return bit ^ (literal & 1), time

    def _together(self, timed: Sequence[Timed]) -> tuple[list[int], int]:
        """The literals in one cycle: that of the latest, or one more if there are too many LUTs before it."""
        time = max((t for _, t in timed), default=0)
        if self.registered and any(t == time and self._depth.get(b >> 1, 0) >= LEVELS for b, t in timed):
            time += 1
        return [self.later(v, time) for v in timed], time

    def later(self, timed: Timed, time: int) -> int:
        """The literal in the given cycle."""
        bit = timed[0]
        for _ in range(time - timed[1]):
            bit = self.netlist.flop(bit)
        return bit

"""Unrolled layers of +-1 weights and one-bit inputs: shared counts first, then a bit heap and a decision for each row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

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

__all__ = ["LEVELS", "binary_layer", "binary_rows"]

LEVELS = 2  # LUTs in a row between registers before the rows' heaps

Timed = tuple[int, int]  # literal, cycle
Terms = Sequence[tuple[int, int]]  # literal, weight


def binary_layer(
    weights: NDArray[np.int64], outputs: Sequence[RowOutput], *, registered: bool, goal: Goal = "luts", name: str = "layer"
) -> tuple[Netlist, int]:
    """The netlist (ports ``x``, ``y``) and latency of :func:`hwq.fabric.unroll.layer.unrolled_layer` for +-1 and bipolar inputs.

    Columns with other weights, few of them, are added to the heaps of the rows.
    """
    netlist = Netlist(name)
    x = netlist.input("x", weights.shape[1])
    binary = (np.abs(weights) == 1).all(0)
    core = [bit for bit, is_one in zip(x, binary, strict=True) if is_one]
    wide = [(bit, weights[:, k]) for k, bit in enumerate(x) if not binary[k]]
    bits, _ = binary_rows(netlist, core, weights[:, binary], outputs, registered=registered, goal=goal, wide=wide)
    netlist.output("y", bits)
    netlist = plain_outputs(prune(netlist))
    return retimed(netlist) if registered else (netlist, 0)


def binary_rows(
    netlist: Netlist,
    x: Sequence[int],
    weights: NDArray[np.int64],
    outputs: Sequence[RowOutput],
    *,
    registered: bool,
    goal: Goal = "luts",
    wide: Sequence[tuple[int, NDArray[np.int64]]] = (),
) -> tuple[list[int], int]:
    """Code bits of all rows for literals ``x``, one a column, and the latency (at least 1 if ``registered``).

    ``wide``: further literals, each with its weight in every row.
    """
    columns = weights.shape[1]
    more = [tuple((bit, int(column[r])) for bit, column in wide if column[r]) for r in range(len(outputs))]
    alive = [r for r, o in enumerate(outputs) if not _is_constant(o, _reach(columns, more[r]))]
    extras = [None if more[r] else _extra(outputs[r], columns) for r in alive]
    sums = best_factors(weights[alive].astype(np.int8), extras) if alive else Sums(columns)
    made = _Made(netlist, x, registered)
    for gate in sums.gates:
        made.gate(gate)
    heaps = dict(zip(alive, sums.rows, strict=True))
    rows = made.rows([heaps.get(r, Heap()) for r in range(len(outputs))], outputs, columns, goal, more)
    latency = max(max(t for _, t in rows), 1) if registered else 0
    return [made.later((bit, t), latency) for code, t in rows for bit in code], latency


def _reach(columns: int, more: Terms) -> int:
    """The largest sum of products."""
    return columns + sum(abs(weight) for _, weight in more)


def _is_constant(output: RowOutput, columns: int) -> bool:
    """Whether all sums of this many products of +-1 give the same code."""
    return not isinstance(output, Integers) and not steps_of(output, -columns, columns).points


def _extra(output: RowOutput, columns: int) -> int | None:
    """What makes the least sufficient number of agreements of a comparison even (0 or 1); None where every bit matters."""
    return (output.threshold + columns + 1 >> 1) & 1 if isinstance(output, Comparison) else None


class _Made:
    """Literals and cycles of the signals of :class:`Sums`, as they become cells of ``netlist``."""

    def __init__(self, netlist: Netlist, x: Sequence[int], registered: bool) -> None:
        self.netlist, self.registered = netlist, registered
        self._signals: list[Timed] = [(bit, 0) for bit in x]
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

    def rows(
        self, heaps: Sequence[Heap], outputs: Sequence[RowOutput], columns: int, goal: Goal, more: Sequence[Terms]
    ) -> list[tuple[tuple[int, ...], int]]:
        """Code and cycle of every row; equal rows of equal outputs once."""
        arrival = [] if self.registered else levels(self.netlist)
        known: dict[object, tuple[tuple[int, ...], int]] = {}
        keys = [self._key(heap, output, terms) for heap, output, terms in zip(heaps, outputs, more, strict=True)]
        for heap, output, terms, key in zip(heaps, outputs, more, keys, strict=True):
            if key not in known:
                bits, time = self._heap(heap, arrival, columns)
                self._widened(bits, terms, time)
                reach = _reach(columns, terms)
                code, latency = row_code(bits, output, -reach, reach, self.registered, goal)
                known[key] = (tuple(code), time + latency)
        return [known[key] for key in keys]

    @staticmethod
    def _key(heap: Heap, output: RowOutput, more: Terms) -> object:
        return tuple(tuple(sorted(c.items())) for c in heap.columns), heap.constant, output, tuple(more)

    def _widened(self, heap: BitHeap, more: Terms, time: int) -> None:
        """Adds the products of wide weights and bits of +-1: twice the weight where the bit is 1, less the weight."""
        for bit, weight in more:
            late = self.later((bit, 0), time)
            heap.constant(-weight)
            for k in range(abs(weight).bit_length()):
                if abs(weight) >> k & 1:
                    heap.add(late, k + 1) if weight > 0 else heap.subtract([late], k + 1)

    def _heap(self, heap: Heap, arrival: Sequence[int], columns: int) -> tuple[BitHeap, int]:
        """The sum of products: twice the agreements less the columns."""
        places = [(k, 2 * s + inverted) for k, column in enumerate(heap.columns) for s, inverted in sorted(column.items())]
        pins, time = self._together([self._literal(v) for _, v in places])
        found = BitHeap(self.netlist, arrival, total=2 * heap.constant - columns)
        for (k, _), pin in zip(places, pins, strict=True):
            found.add(pin, k + 1)
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

"""The code of a row from the heap of its sum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from hwq.fabric.heap import BitHeap, Goal, reduce
from hwq.fabric.netlist import FALSE
from hwq.fabric.unroll.decide import Steps
from hwq.fabric.unroll.decide_heap import decided_heap
from hwq.fabric.unroll.outputs import Comparison, Integers, RowOutput, Staircase
from hwq.numerics.encoding import Bipolar, smallest_integer

__all__ = ["row_code", "steps_of"]


def row_code(heap: BitHeap, output: RowOutput, lo: int, hi: int, registered: bool, goal: Goal) -> tuple[Sequence[int], int]:
    """The code bits that ``output`` gives the heap's sum, which is between ``lo`` and ``hi``, and the latency."""
    if isinstance(output, Integers):
        return _integers(heap, output, lo, hi, registered, goal)
    return decided_heap(heap, steps_of(output, lo, hi), output.bits, registered, goal)


def steps_of(output: RowOutput, lo: int, hi: int) -> Steps:
    """A comparison or staircase on sums between ``lo`` and ``hi``."""
    points = sorted({p for p in _points(output) if lo < p <= hi})
    codes = output.codes(np.array([lo, *points], np.int64))
    return Steps(tuple(points), tuple(int(c) for c in codes)).within(lo, hi)


def _points(output: RowOutput) -> Iterator[int]:
    if isinstance(output, Comparison):
        yield output.threshold
    else:
        assert isinstance(output, Staircase)
        yield from output.points


def _integers(heap: BitHeap, output: Integers, lo: int, hi: int, registered: bool, goal: Goal) -> tuple[Sequence[int], int]:
    """The sum as a code: as many bits as its interval needs, then the sign."""
    heap.constant(output.bias)
    held = smallest_integer(lo + output.bias, hi + output.bias)
    halved = isinstance(output.encoding, Bipolar)
    heap.constant(int(halved))
    total = reduce(heap, held.bits + halved, registered, goal)
    bits = total.bits[halved:]
    fill = bits[-1] if held.signed else FALSE
    return (*bits, *[fill] * output.bits)[: output.bits], total.latency

"""Unrolled layers the plain way, for tests of what stands around them: every row a bit heap of its own, nothing shared."""

from __future__ import annotations

import numpy as np

from hwq.fabric.heap import BitHeap, reduce
from hwq.fabric.netlist import FALSE, Netlist
from hwq.fabric.unroll.layer import UnrolledLayer
from hwq.fabric.unroll.outputs import Comparison, Integers, RowOutput
from hwq.numerics.encoding import Bipolar, Encoding

WIDTH = 24


def plain_layer(weights: np.ndarray, x: Encoding, outputs: tuple[RowOutput, ...]) -> UnrolledLayer:
    """The layer of :func:`hwq.fabric.unroll.layer.unrolled_layer`, with a latency that depends on its size."""
    netlist = Netlist("plain")
    bits = netlist.input("x", weights.shape[1] * x.bits)
    latency = 1 + weights.shape[0] % 3
    codes: list[int] = []
    for row, output in zip(weights, outputs, strict=True):
        codes += _code(netlist, [(int(w), bits[k * x.bits : (k + 1) * x.bits]) for k, w in enumerate(row)], x, output)
    for _ in range(latency):
        codes = [netlist.flop(bit) for bit in codes]
    netlist.output("y", codes)
    return UnrolledLayer(netlist, latency)


def _sum(netlist: Netlist, terms: list[tuple[int, list[int]]], x: Encoding, constant: int) -> list[int]:
    heap = BitHeap(netlist)
    heap.constant(constant)
    for weight, code in terms:
        values = [(2, code[0])] if isinstance(x, Bipolar) else [(1 << k, bit) for k, bit in enumerate(code)]
        if x.signed and not isinstance(x, Bipolar):
            values[-1] = (-values[-1][0], values[-1][1])
        heap.constant(-weight if isinstance(x, Bipolar) else 0)
        for value, bit in values:
            factor = value * weight
            for k in range(abs(factor).bit_length()):
                if abs(factor) >> k & 1:
                    heap.add_unsigned([bit], k) if factor > 0 else heap.subtract([bit], k)
    made = list(reduce(heap, WIDTH).bits)
    return made + [FALSE] * (WIDTH - len(made))


def _code(netlist: Netlist, terms, x: Encoding, output: RowOutput) -> list[int]:
    if isinstance(output, Integers):
        return _sum(netlist, terms, x, output.bias)[: output.bits]
    if isinstance(output, Comparison):
        return [_sum(netlist, terms, x, -output.threshold)[-1] ^ (not output.falling)]
    heap = BitHeap(netlist)
    heap.constant(int(output.start))
    for point, step in zip(output.points, output.steps, strict=True):
        reached = _sum(netlist, terms, x, -point)[-1] ^ 1
        heap.add_unsigned([reached]) if step > 0 else heap.subtract([reached])
    made = list(reduce(heap, output.bits).bits)
    return made + [FALSE] * (output.bits - len(made))

"""Fronts of lanes with a bipolar operand: XNOR products, and integers added or subtracted by a sign."""

from __future__ import annotations

from collections.abc import Sequence

from hwq.fabric.heap import BitHeap
from hwq.fabric.lanes.fused import XNOR, Term, add_terms, counted
from hwq.numerics.encoding import Encoding

__all__ = ["add_signed_planes", "add_xnor"]


def add_xnor(heap: BitHeap, x: Sequence[int], w: Sequence[int]) -> None:
    """Adds ``sum(x[k] == w[k])``, half a LUT a product. Source: own; the adder fused with two products is folklore of BNN accelerators."""
    add_terms(heap, [Term(XNOR, a, b) for a, b in zip(x, w, strict=True)])


def add_signed_planes(heap: BitHeap, signs: Sequence[int], codes: Sequence[Sequence[int]], encoding: Encoding) -> None:
    """Adds ``sum of (sign ? x : -x) + 2**b``, with b the bits of ``encoding`` without its sign bit.

    Plane by plane: ``-x = ~x + 1``, so a plane is a sum of XNOR products of the signs. The ones of the negations enter where the chains of
    the lowest plane begin. An unsigned number has a sign bit more, the sign itself, and N negations add ``N - (N << b)``: N is
    counted by sevens.
    """
    top = encoding.bits - encoding.signed
    negative = [s ^ 1 for s in signs]
    for plane in range(top):
        terms = [Term(XNOR, code[plane], s) for code, s in zip(codes, signs, strict=True)]
        if plane == 0 and encoding.signed:
            add_terms(heap, terms, 0, negative, longest=1)
        else:
            add_terms(heap, terms, plane)
    if encoding.signed:
        add_terms(heap, [Term(XNOR ^ 0b1111, code[top], s) for code, s in zip(codes, signs, strict=True)], top)
    else:
        heap.constant(len(signs) << top)
        for number in counted(heap.netlist, negative):
            heap.add_unsigned(number)
            heap.subtract(number, top)

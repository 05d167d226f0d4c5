"""Pieces of input buffers: the Reader of a folded stage, the row buffer of an unrolled convolution."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from hwq.plan.banks import BankLayout
from hwq.plan.geometry import Geometry, ceil_div
from hwq.plan.loops import BASE, SLOT, WORD, Loop, ReaderLoops, X, Y, distances, fused
from hwq.plan.memories import ram
from hwq.plan.pieces import Piece, piece
from hwq.plan.resources import Resources
from hwq.plan.slide import Slide

__all__ = ["counter_bits", "reader", "row_buffer"]


def counter_bits(count: int) -> int:
    """Flip-flops of a counter of ``count`` rounds."""
    return (count - 1).bit_length() if count > 1 else 0


@lru_cache(maxsize=1 << 16)
def reader(width: int, g: Geometry, buffer: int, memory: str) -> Piece:
    """The Reader of words of ``width`` bits; counts as :class:`hwq.gateware.reader.Reader` is built."""
    layout = BankLayout(g, buffer, memory)
    loops = ReaderLoops(layout)
    nest = fused(loops.taps) + fused(loops.turns) + fused(loops.outer)
    counters = [loop.count for loop in nest if loop.count is not None]
    places = [_span_bits(*loops.span(axis)[:2]) * loops.leaves(axis) for axis in (Y, X)]
    padded = any(places)
    taps = g.window.kernel[1]
    befores = len({layout.column(k, g.pixels - 1) - layout.column(k, v) for k in range(taps) for v in range(g.pixels)}) if padded else 1
    heads = len({layout.slot(k, v) - layout.first_slot(k) for k in range(taps) for v in range(g.pixels)})
    held = (buffer + g.frame).bit_length() if g.height * g.width > 1 else (buffer + g.words).bit_length()
    alone = not counters
    address = (layout.depth - 1).bit_length()
    odd = bool(layout.depth & (layout.depth - 1))
    rotates = g.pixels > 1 and taps > 1
    bank = ram(width // g.pixels, layout.depth, layout.memory).cost
    banks = layout.split * g.pixels
    fixed = ram(width, layout.depth, layout.memory).cost if g.pixels == 1 else _times(bank, banks)
    return piece(
        "reader",
        fixed=fixed,
        counted=sum(map(counter_bits, counters)),
        loops=len(counters),
        excess=buffer.bit_length() + 1,
        debt=0 if alone else held * befores,
        moved=0
        if alone
        else sum(_move_bits(nest, q, 0) for q in (WORD, BASE)) + heads * _move_bits(nest, SLOT, layout.depth if odd else 0),
        address=address * (1 + heads),
        wrapped=address * (1 + heads) if odd else 0,
        place=sum(places) + (g.pixels - 1) * bool(places[1]),
        masked=width if padded else 0,
        rotated=width * (min(taps, banks) - 1) if rotates else 0,
        addressed=address * banks * (heads - 1) if rotates else 0,
        rows=width * (ceil_div(layout.depth, 64) - 1) if layout.memory == "lutram" else 0,
        stored=width * (2 if layout.memory == "lutram" else 1),
    )


def row_buffer(width: int, g: Slide, buffer: int, memory: str) -> Piece:
    """The row buffer of an unrolled convolution."""
    banks, kernel = g.banks(buffer), g.window.kernel[0]
    return piece(
        "row_buffer",
        fixed=_times(ram(width, max(g.row, 2), memory).cost, banks),
        counted=counter_bits(g.words)
        + counter_bits(len(g.completes))
        + counter_bits(g.out_height)
        + counter_bits(g.row)
        + counter_bits(banks),
        places=counter_bits(len(g.completes)) + counter_bits(g.out_height),
        debt=2 * (buffer + 2 * g.frame).bit_length(),
        address=counter_bits(g.row),
        chosen=width * kernel * (banks - 1),
        rows=width * banks * (ceil_div(g.row, 64) - 1) if memory == "lutram" else 0,
        stored=width * kernel + (width * banks if memory == "lutram" else 0),
    )


def _span_bits(low: int, high: int) -> int:
    return max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + (low < 0)


def _move_bits(nest: Sequence[Loop], quantity: int, modulus: int) -> int:
    """Bits of the distance of a quantity to its next place, where it is not always the same."""
    moves = {d % modulus if modulus else d for choices in distances(nest, quantity) for d in choices}
    return _span_bits(min(0, *moves), max(0, *moves)) if len(moves) > 1 else 0


def _times(cost: Resources, n: int) -> Resources:
    return Resources(**{name: n * amount for name, amount in cost.as_dict().items()})

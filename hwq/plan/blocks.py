"""How the words of two edges meet: whether they hold the same, and the blocks in which a converter brings one to the other."""

from __future__ import annotations

from math import lcm

from hwq.plan.geometry import ceil_div
from hwq.plan.units import Edge

__all__ = ["blocks_between", "frame_of", "is_contiguous", "is_flat"]


def is_flat(edge: Edge) -> bool:
    """Whether a frame of the edge is one pixel: an AXI stream, a vector."""
    return edge.positions == 1


def frame_of(edge: Edge) -> tuple[int, int, int]:
    """Height, width, channels of a frame."""
    return edge.height, edge.width, edge.channels


def is_contiguous(edge: Edge) -> bool:
    """Whether the words of a frame hold its elements in stream order without holes but at the end of the frame."""
    if is_flat(edge):
        return True
    if edge.width % edge.pixels:
        return False
    return edge.elements == edge.channels or (edge.pixels == 1 and edge.channels % edge.elements == 0)


def blocks_between(source: Edge, target: Edge) -> tuple[int, int, int, int, int, int]:
    """Blocks a frame, elements, words in, words out of a block, the same words of the last block."""
    if frame_of(source) == frame_of(target):
        pixels = lcm(source.pixels, target.pixels)
        columns = ceil_div(source.width, pixels)
        into, out = ((pixels // e.pixels) * e.words_per_pixel for e in (source, target))
        if columns * pixels != source.width:
            raise ValueError(f"{source.name}: {pixels} pixels do not divide a row of {source.width}")
        return source.height * columns, pixels * source.channels, into, out, into, out
    total = source.positions * source.channels
    elements = min(lcm(source.lanes, target.lanes), total)
    blocks = ceil_div(total, elements)
    rest = total - (blocks - 1) * elements
    return (
        blocks,
        elements,
        ceil_div(elements, source.lanes),
        ceil_div(elements, target.lanes),
        ceil_div(rest, source.lanes),
        ceil_div(rest, target.lanes),
    )

"""What lies between two stages with unlike words: the same components as dataflow.py puts there, as a price."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from hwq.plan.blocks import blocks_between
from hwq.plan.pieces import cost_of
from hwq.plan.resources import Resources
from hwq.plan.stream_pieces import converter, fifo
from hwq.plan.units import Converter, Edge

__all__ = ["between"]

EGRESS = 2  # words behind a converter, before sizing


@lru_cache(maxsize=1 << 17)
def between(edge: Edge, wanted: Edge) -> Resources:
    """Fabric of the converters that turn the words of ``edge`` into those of ``wanted``; edges of equal names, for the cache's sake."""
    if (edge.height, edge.width, edge.channels) == (wanted.height, wanted.width, wanted.channels):
        same = (edge.elements, edge.pixels) == (wanted.elements, wanted.pixels)
        fits = edge.positions == 1 and edge.channels <= min(edge.elements, wanted.elements)
        return Resources() if same or fits else _converter(edge, wanted)
    if _is_contiguous(edge) and _is_contiguous(wanted):
        if edge.lanes == wanted.lanes and edge.words == wanted.words:
            return cost_of(fifo(wanted.word_bits, EGRESS))
        return _converter(edge, wanted)
    image = wanted if edge.positions == 1 else edge
    whole = replace(image, elements=image.channels)
    return between(edge, whole) + between(whole, wanted)


def _converter(edge: Edge, wanted: Edge) -> Resources:
    return cost_of(converter(Converter("", (), (), EGRESS, *blocks_between(edge, wanted)), edge, wanted))


def _is_contiguous(edge: Edge) -> bool:
    if edge.positions == 1:
        return True
    return edge.width % edge.pixels == 0 and (edge.elements == edge.channels or (edge.pixels == 1 and edge.channels % edge.elements == 0))

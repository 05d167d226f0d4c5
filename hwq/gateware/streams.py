"""Stream payloads: V pixels of E codes, channel innermost, element 0 in the low bits."""

from __future__ import annotations

from amaranth.hdl import unsigned
from amaranth.lib import data, stream

from hwq.plan.units import Edge

__all__ = ["edge_stream", "word_layout", "word_stream"]


def word_layout(bits: int, elements: int, pixels: int = 1) -> data.ArrayLayout:
    """Layout of a word: ``ArrayLayout(ArrayLayout(unsigned(bits), elements), pixels)``."""
    return data.ArrayLayout(data.ArrayLayout(unsigned(bits), elements), pixels)


def word_stream(bits: int, elements: int, pixels: int = 1) -> stream.Signature:
    """Signature of a stream of such words."""
    return stream.Signature(word_layout(bits, elements, pixels))


def edge_stream(edge: Edge) -> stream.Signature:
    """Signature of the stream on ``edge``."""
    return word_stream(edge.bits, edge.elements, edge.pixels)

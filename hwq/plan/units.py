"""Descriptors of the stream components of a design with all their sizes, and of the edges between them."""

from __future__ import annotations

from dataclasses import dataclass

from hwq.plan.geometry import Geometry, ceil_div
from hwq.plan.plan import StagePlan
from hwq.plan.stages import Stage

__all__ = [
    "AxiIn",
    "AxiOut",
    "Converter",
    "Depthwise",
    "Edge",
    "Elementwise",
    "Fifo",
    "Fork",
    "Join",
    "Mvu",
    "PoolUnit",
    "StageUnit",
    "Unit",
    "UnrolledConv",
    "UnrolledDense",
    "UpsampleUnit",
    "WindowUnit",
    "pitch_of",
]

# Deeper FIFOs and buffers leave LUT RAM.
LUTRAM_DEPTH = 64


def pitch_of(bits: int) -> int:
    """Bits an element occupies on an AXI stream: the power of two at or above its width."""
    return 1 << (bits - 1).bit_length() if bits > 1 else 1


def memory_kind(memory: str, depth: int) -> str:
    """The memory that a plan's ``memory`` means for ``depth`` words: ``lutram``, ``block`` or ``ultra``."""
    if memory != "auto":
        return memory
    return "lutram" if depth <= LUTRAM_DEPTH else "block"


@dataclass(frozen=True)
class Edge:
    """A stream between two components: frames of ``height`` x ``width`` pixels of ``channels`` channels, in raster order.

    A word carries ``pixels`` neighbours of a row x ``elements`` codes of ``bits`` bits, channel innermost, element 0 in the low
    bits; lanes beyond the last channel or the end of the row are zero. All channel words of ``pixels`` pixels come before the next.
    A flat edge (an AXI stream, a flattened image) is one pixel.
    """

    name: str
    elements: int
    bits: int
    channels: int
    height: int = 1
    width: int = 1
    pixels: int = 1

    @property
    def positions(self) -> int:
        """Pixels a frame."""
        return self.height * self.width

    @property
    def words_per_pixel(self) -> int:
        """Words that carry the channels of one pixel (or of V pixels)."""
        return ceil_div(self.channels, self.elements)

    @property
    def columns(self) -> int:
        """Groups of V pixels in a row."""
        return ceil_div(self.width, self.pixels)

    @property
    def words(self) -> int:
        """Words a frame."""
        return self.height * self.columns * self.words_per_pixel

    @property
    def lanes(self) -> int:
        """Codes a word."""
        return self.pixels * self.elements

    @property
    def word_bits(self) -> int:
        """Bits a word."""
        return self.lanes * self.bits


@dataclass(frozen=True)
class Unit:
    """A stream component: its name (unique), the edges it reads and writes (by name)."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class StageUnit(Unit):
    """A unit that carries out ``stage`` as ``plan`` says."""

    stage: Stage
    plan: StagePlan


@dataclass(frozen=True)
class AxiIn(Unit):
    """AXI4-Stream ingress of graph input ``tensor``: a FIFO of ``depth`` words behind the framing check. One word a beat."""

    tensor: str
    bus_bits: int
    pitch: int
    depth: int = 2


@dataclass(frozen=True)
class AxiOut(Unit):
    """AXI4-Stream egress of graph output ``tensor``: a FIFO of ``depth`` words, packing, tlast, tuser."""

    tensor: str
    bus_bits: int
    pitch: int
    depth: int = 2


@dataclass(frozen=True)
class Converter(Unit):
    """Width converter, any ratio, block by block: ``words_in`` words in, ``words_out`` words out, ``blocks`` a frame.

    A block holds ``elements`` elements of the frame in stream order; the last one of a frame may be shorter (``last_in``,
    ``last_out``). Between images it is the least number of pixels that fill whole words on both sides, with all their channels;
    against a flat edge the least common multiple of the two words.
    """

    depth: int
    blocks: int
    elements: int
    words_in: int
    words_out: int
    last_in: int
    last_out: int


@dataclass(frozen=True)
class Fifo(Unit):
    """A plain FIFO of ``depth`` words. In ``memory`` other than LUT RAM: a Reader of that many words before an Egress of
    :data:`FIFO_EGRESS` words."""

    depth: int
    memory: str = "lutram"


FIFO_EGRESS = 4


@dataclass(frozen=True)
class Fork(Unit):
    """Eager fork: one word to every output, each taken when its reader is ready; no storage."""


@dataclass(frozen=True)
class WindowUnit(StageUnit):
    """A Reader with a datapath and an Egress behind it.

    ``buffer`` words of the Reader, ``depth`` words of the Egress; ``latency`` is L: cycles from the completing firing to the
    Egress write, those of the Reader's memory included.
    """

    geometry: Geometry
    buffer: int
    depth: int
    latency: int

    @property
    def sf(self) -> int:
        """Firings a word of output."""
        return self.geometry.sf

    @property
    def nf(self) -> int:
        """Passes over a vector."""
        return self.geometry.passes

    @property
    def vectors(self) -> int:
        """Vectors a frame."""
        return self.geometry.vectors


@dataclass(frozen=True)
class Mvu(WindowUnit):
    """A contraction, with the staircase behind it when there is one: every pass produces a word of ``pixels`` x ``pe`` codes.

    ``mw`` products an output, ``mh`` output channels. In a grouped convolution the blocks are the groups; each has ``passes``
    passes of its own rows.
    """

    mw: int
    mh: int


@dataclass(frozen=True)
class Depthwise(WindowUnit):
    """A depthwise convolution: ``pe`` output channels of ``pe / multiplier`` input channels a cycle; every block produces a word."""

    multiplier: int


@dataclass(frozen=True)
class UnrolledConv(WindowUnit):
    """A convolution with its weights as wiring, and the staircase behind it: ``geometry`` is a :class:`hwq.plan.slide.Slide`.

    A window a cycle of all ``pe`` output channels, from words of ``simd`` channels (depthwise: of all).
    """


@dataclass(frozen=True)
class UnrolledDense(StageUnit):
    """A matrix product of every pixel with its weights as wiring: gathers ``words`` words; the last firing produces."""

    words: int
    depth: int
    latency: int

    @property
    def sf(self) -> int:
        """Firings a word of output."""
        return self.words


@dataclass(frozen=True)
class PoolUnit(WindowUnit):
    """A pool (and the staircase behind a sum): ``pe`` channels a cycle; every block produces a word."""


@dataclass(frozen=True)
class Elementwise(StageUnit):
    """A staircase of its own, a table or constants of border classes: one word in, one word out, ``latency`` cycles to the Egress."""

    channels: int
    depth: int
    latency: int


@dataclass(frozen=True)
class Join(StageUnit):
    """Sum or product of several streams of equal words (and the staircase behind it): fires when all inputs hold a word."""

    channels: int
    depth: int
    latency: int


@dataclass(frozen=True)
class UpsampleUnit(StageUnit):
    """Nearest neighbour: a buffer of ``buffer`` words (a row at least where rows repeat), read over; one word a cycle.

    Per row of the image: ``factor[0]`` times, each of ``columns`` pixels: ``factor[1]`` times, its ``words`` words. ``latency``
    is that from the firing to the Egress write.
    """

    height: int
    columns: int
    words: int
    factor: tuple[int, int]
    buffer: int
    depth: int
    latency: int

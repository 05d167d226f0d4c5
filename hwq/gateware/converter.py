"""Width converter: words of one shape into words of another, any ratio, block by block."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.egress import Egress
from hwq.gateware.fifo import forward
from hwq.gateware.pipeline import named
from hwq.gateware.streams import edge_stream
from hwq.plan.units import Converter, Edge

__all__ = ["ConverterStage", "block_places"]


def block_places(edge: Edge, words: int, elements: int, *, is_image: bool) -> list[int | None]:
    """For every lane of the ``words`` words of a block: which element of the block it carries, None where it carries nothing.

    Elements are counted in stream order, pixel by pixel. Words of an image hold V pixels x E channels; else elements follow each
    other.
    """
    if not is_image:
        return [n if n < elements else None for n in range(words * edge.lanes)]
    places: list[int | None] = []
    for word in range(words):
        group, part = divmod(word, edge.words_per_pixel)
        for lane in range(edge.lanes):
            pixel, channel = lane // edge.elements, part * edge.elements + lane % edge.elements
            exists = channel < edge.channels
            places.append((group * edge.pixels + pixel) * edge.channels + channel if exists else None)
    return places


class BlockCounter:
    """Counts the words of blocks of ``words`` words, ``short`` the last of ``blocks``: ``value``, ``last`` word, ``ends`` the frame."""

    def __init__(self, m: Module, step: Value, words: int, short: int, blocks: int, name: str) -> None:
        self.value, self.last = Signal(range(max(words, 2)), name=f"{name}_word"), Signal(name=f"{name}_last")
        self.ends = Signal(name=f"{name}_ends")
        m.d.comb += self.last.eq(self.value == Mux(self.ends, short - 1, words - 1))
        with m.If(step):
            m.d.sync += self.value.eq(Mux(self.last, 0, self.value + 1))
        if blocks == 1:
            m.d.comb += self.ends.eq(1)
            return
        block = Signal(range(blocks), name=f"{name}_block")
        m.d.comb += self.ends.eq(block == blocks - 1)
        with m.If(step & self.last):
            m.d.sync += block.eq(Mux(self.ends, 0, block + 1))


class ConverterStage(wiring.Component):
    """Blocks of ``words_in`` words in, ``words_out`` words out; the last block of a frame may be shorter.

    A block is collected in a register (shifted in; where a short block would stop half-way, every word has its own enable),
    handed over whole, and shifted out. Lanes without an element leave as zero, whatever they brought.

    Timing: max(words in, words out) cycles a block exactly. Block b is handed over in the cycle X[b] = max(its last word's + 1,
    the last word out of block b - 1); the next block's first word may enter in that cycle, its first word leaves into the Egress
    (L = 0) in the next.
    Cost: about 1 LUT and 2 FF a bit of the block.

    Members
    -------
    i : In(stream)
        Words of the source edge.
    o : Out(stream)
        Words of the target edge.
    """

    def __init__(self, unit: Converter, source: Edge, target: Edge) -> None:
        self.unit, self.source, self.target = unit, source, target
        self.bits = source.bits
        is_image = (source.height, source.width, source.channels) == (target.height, target.width, target.channels)
        self.into = block_places(source, unit.words_in, unit.elements, is_image=is_image)
        self.out = block_places(target, unit.words_out, unit.elements, is_image=is_image)
        #: Elements of the last block of a frame.
        self.rest = unit.elements if is_image else source.positions * source.channels - (unit.blocks - 1) * unit.elements
        super().__init__({"i": In(edge_stream(source)), "o": Out(edge_stream(target))})

    def elaborate(self, platform):
        m = Module()
        unit = self.unit
        m.submodules.egress = self.egress = egress = Egress(self.target.word_bits, unit.depth)
        entering, leaving, handing = Signal(), Signal(), Signal()
        self.full, self.busy = full, busy = Signal(), Signal()
        self.count_in = BlockCounter(m, entering, unit.words_in, unit.last_in, unit.blocks, "in")
        self.count_out = BlockCounter(m, leaving, unit.words_out, unit.last_out, unit.blocks, "out")
        ended_in, ended_out = entering & self.count_in.last, leaving & self.count_out.last
        m.d.comb += [
            leaving.eq(busy & egress.grant),
            handing.eq(full & (~busy | ended_out)),
            self.i.ready.eq(~full | handing),
            entering.eq(self.i.valid & self.i.ready),
            egress.take.eq(leaving),
            egress.w_en.eq(leaving),
        ]
        m.d.sync += [full.eq(ended_in | (full & ~handing)), busy.eq(handing | (busy & ~ended_out))]
        self.collected = self._collected(m, entering)
        block = self._arranged(m, self.collected, ended_in)
        self.held = held = Signal(len(block), reset_less=True)
        with m.If(handing | leaving):
            m.d.sync += held.eq(Mux(handing, block, held[self.target.word_bits :]))
        m.d.comb += egress.w_data.eq(held[: self.target.word_bits])
        forward(m, egress.o, self.o)
        return m

    def _collected(self, m: Module, entering: Value) -> Signal:
        """The words of a block, the first in the low bits."""
        unit, width, word = self.unit, self.source.word_bits, self.i.payload.as_value()
        collected = Signal(unit.words_in * width, reset_less=True)
        if unit.last_in == unit.words_in:
            # The first word ends up lowest after words_in shifts from the top.
            with m.If(entering):
                m.d.sync += collected.eq(Cat(collected, word)[width:])
            return collected
        for k in range(unit.words_in):
            with m.If(entering & (self.count_in.value == k)):
                m.d.sync += collected[k * width : (k + 1) * width].eq(word)
        return collected

    def _arranged(self, m: Module, collected: Signal, ended_in: Value) -> Value:
        """The block in the words of the target."""
        found = {element: lane for lane, element in enumerate(self.into) if element is not None}
        short = Signal(reset_less=True)
        if self.rest < self.unit.elements:
            with m.If(ended_in):
                m.d.sync += short.eq(self.count_in.ends)
        last_lanes = self.unit.last_out * self.target.lanes
        pieces = []
        for lanes, missing in runs(self.out, found, self.rest, last_lanes):
            first, bits = lanes[0], len(lanes) * self.bits
            piece = Const(0, bits) if first is None else collected[first * self.bits : first * self.bits + bits]
            pieces.append(Mux(short, 0, piece) if missing and self.rest < self.unit.elements else piece)
        return named(m, Cat(*pieces), "arranged")


def runs(out: Sequence[int | None], found: dict[int, int], rest: int, last_lanes: int) -> list[tuple[list[int | None], bool]]:
    """Lanes of the source, of every lane of the target, in runs of neighbours; with each run, whether a short block lacks it.

    Lanes from ``last_lanes`` on never leave with a short block: it does not matter what they hold.
    """
    lanes = [(None if e is None else found[e], e is not None and e >= rest and n < last_lanes) for n, e in enumerate(out)]

    def kind(place: tuple[int, tuple[int | None, bool]]) -> tuple[int | None, bool]:
        n, (lane, missing) = place
        return None if lane is None else lane - n, missing

    return [([lane for _, (lane, _) in run], missing) for (_, missing), run in groupby(enumerate(lanes), kind)]

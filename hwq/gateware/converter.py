"""Width converter: words of one number of elements into words of another, any ratio, one pixel a block."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.egress import Egress
from hwq.gateware.fifo import forward
from hwq.gateware.reader import Counter
from hwq.gateware.streams import word_stream

__all__ = ["ConverterStage"]


class ConverterStage(wiring.Component):
    """``u = ceil(channels / elements_in)`` words in, ``d = ceil(channels / elements_out)`` words out, for every pixel.

    A pixel is collected in a shift register, handed over whole, and shifted out; lanes beyond ``channels`` leave as zero
    whatever they brought.

    Timing: max(u, d) cycles a block exactly. Block b is handed over in the cycle X[b] = max(its last word's + 1, the last
    word out of block b - 1); the next block's first word may enter in that cycle, its first word leaves into the Egress
    (L = 0) in the next.
    Cost: about 1 LUT and 2 FF a bit of the pixel.

    Members
    -------
    i : In(stream)
        Words of ``elements_in`` codes of ``bits`` bits.
    o : Out(stream)
        Words of ``elements_out`` codes.
    """

    def __init__(self, channels: int, bits: int, elements_in: int, elements_out: int, depth: int) -> None:
        self.channels, self.bits, self.depth = channels, bits, depth
        self.elements_in, self.elements_out = elements_in, elements_out
        self.words_in, self.words_out = -(-channels // elements_in), -(-channels // elements_out)
        super().__init__({"i": In(word_stream(bits, elements_in)), "o": Out(word_stream(bits, elements_out))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.egress = egress = Egress(self.elements_out * self.bits, self.depth)
        entering, leaving, handing = Signal(), Signal(), Signal()
        full, busy = Signal(), Signal()
        count_in = Counter(m, entering, self.words_in, "count_in")
        count_out = Counter(m, leaving, self.words_out, "count_out")
        m.d.comb += [
            leaving.eq(busy & egress.grant),
            handing.eq(full & (~busy | (leaving & count_out.last))),
            self.i.ready.eq(~full | handing),
            entering.eq(self.i.valid & self.i.ready),
            egress.take.eq(leaving),
            egress.w_en.eq(leaving),
        ]
        m.d.sync += [
            full.eq((entering & count_in.last) | (full & ~handing)),
            busy.eq(handing | (busy & ~(leaving & count_out.last))),
        ]
        self._registers(m, egress, entering, leaving, handing)
        forward(m, egress.o, self.o)
        return m

    def _registers(self, m: Module, egress: Egress, entering, leaving, handing) -> None:
        word_in, word_out = self.elements_in * self.bits, self.elements_out * self.bits
        collected = Signal(self.words_in * word_in, reset_less=True)
        held = Signal(self.words_out * word_out, reset_less=True)
        # The first word ends up lowest after words_in shifts from the top.
        with m.If(entering):
            m.d.sync += collected.eq(Cat(collected, self.i.payload.as_value())[word_in:])
        pixel = collected[: self.channels * self.bits]
        with m.If(handing | leaving):
            m.d.sync += held.eq(Mux(handing, Cat(pixel, Const(0, len(held) - len(pixel))), held >> word_out))
        m.d.comb += egress.w_data.eq(held[:word_out])

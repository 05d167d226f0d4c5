"""A staircase of its own: threshold or requantize on every code of a stream."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.egress import Egress
from hwq.gateware.fifo import forward
from hwq.gateware.parts import Parts
from hwq.gateware.pe import activation_form
from hwq.gateware.pipeline import delay, valid_chain
from hwq.gateware.reader import Counter
from hwq.gateware.rom import field, place_rom
from hwq.gateware.streams import edge_stream
from hwq.numerics.encoding import Encoding
from hwq.plan.dataflow import Edge, Elementwise
from hwq.plan.domain import encoding_domain
from hwq.plan.latency import READ_LATENCY

__all__ = ["ElementwiseStage"]


class ElementwiseStage(wiring.Component):
    """``pe`` channels a word, the constants of word w of a pixel read from word w of a memory.

    Bit-exact with :class:`hwq.network.ops.Threshold` and :class:`hwq.network.ops.Requantize`; lanes beyond the channels
    leave as zero. Timing: one word a cycle, L = ``unit.latency``. Cost: ``pe`` activation units.

    Members
    -------
    i : In(stream)
        Words of ``pe`` codes.
    o : Out(stream)
        Words of ``pe`` codes.
    weights_ok : Out(1)
        The memory of constants holds what it should.
    """

    def __init__(self, unit: Elementwise, source: Edge, target: Edge, x: Encoding, out: Encoding, parts: Parts) -> None:
        self.unit, self.parts, self.x = unit, parts, x
        self.words = target.words_per_pixel
        self.form = activation_form(unit.stage.node, encoding_domain(x), out)
        depth = READ_LATENCY + self.form.latency
        assert depth == unit.latency, f"{unit.name}: the datapath is {depth} deep, the plan says {unit.latency}"
        super().__init__({"i": In(edge_stream(source)), "o": Out(edge_stream(target)), "weights_ok": Out(1)})

    def elaborate(self, platform):
        m = Module()
        unit, pe = self.unit, self.unit.plan.pe
        m.submodules.egress = egress = Egress(pe * self.form.out.bits, unit.depth)
        fire = Signal()
        word = Counter(m, fire, self.words, "word")
        m.d.comb += [
            self.i.ready.eq(egress.grant),
            fire.eq(self.i.valid & egress.grant),
            egress.take.eq(fire),
            egress.w_en.eq(valid_chain(m, fire, unit.latency, "produced")),
            egress.w_data.eq(self._lanes(m, word)),
        ]
        forward(m, egress.o, self.o)
        return m

    def _lanes(self, m: Module, word: Counter):
        pe, form = self.unit.plan.pe, self.form
        width = form.constant_width
        channels = form.words(self.unit.channels) + [0] * (self.words * pe - self.unit.channels)
        words = [sum(c << (k * width) for k, c in enumerate(channels[first : first + pe])) for first in range(0, len(channels), pe)]
        constants, ok = place_rom(m, self.parts, "constants", words, pe * width, "lutram", word.value)
        codes_in = Signal(pe * self.x.bits)
        m.d.comb += [self.weights_ok.eq(ok), codes_in.eq(self.i.payload.as_value())]
        values = delay(m, codes_in, READ_LATENCY, "value")
        codes = []
        for lane in range(pe):
            m.submodules[f"lane_{lane}"] = unit = form.build()
            m.d.comb += unit.value.eq(values[lane * self.x.bits : (lane + 1) * self.x.bits])
            if width:
                m.d.comb += unit.constants.eq(field(constants, lane, width))
            codes.append(unit.code)
        return self._mask(m, word, Cat(*codes))

    def _mask(self, m: Module, word: Counter, codes):
        """Zero for the lanes beyond the channels in the last word of a pixel."""
        real = self.unit.channels - (self.words - 1) * self.unit.plan.pe
        if real == self.unit.plan.pe:
            return codes
        whole = ~delay(m, word.last, self.unit.latency, "ragged")
        split = real * self.form.out.bits
        return Cat(codes[:split], codes[split:] & whole.replicate(len(codes) - split))

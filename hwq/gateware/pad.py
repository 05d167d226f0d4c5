"""Pad: pixels of one integer around the image."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.channels import lanes_of, masked
from hwq.gateware.egress import Egress
from hwq.gateware.fifo import forward
from hwq.gateware.reader import Counter
from hwq.gateware.recode import recoded
from hwq.gateware.streams import edge_stream
from hwq.network.ops import Pad
from hwq.numerics.encoding import Encoding
from hwq.plan.moving_units import PadUnit
from hwq.plan.units import Edge

__all__ = ["PadStage"]


class PadStage(wiring.Component):
    """The image of the input between ``padding`` (top, left, bottom, right) pixels of one integer, one word a cycle.

    Codes are brought to the output's encoding, which holds that integer.

    Timing: a FIFO law with L = 0; words of the padding need a credit only, but for the first word of a frame, which waits for the
    first word of the image: nothing comes out of frames that were never sent. Cost: counters, an AND a bit.

    Members
    -------
    i : In(stream)
        Words of the image.
    o : Out(stream)
        Words of the larger image.
    """

    def __init__(self, unit: PadUnit, source: Edge, target: Edge, x: Encoding, out: Encoding) -> None:
        assert unit.latency == 0, f"{unit.name}: the datapath has no registers, the plan says {unit.latency}"
        self.unit, self.target, self.x, self.out = unit, target, x, out
        super().__init__({"i": In(edge_stream(source)), "o": Out(edge_stream(target))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.egress = self.egress = egress = Egress(self.target.word_bits, self.unit.depth)
        self.fire = fire = Signal()
        self.word = word = Counter(m, fire, self.unit.words, "word")
        outside = self._outside(m, fire & word.last)
        begins = Signal()
        m.d.comb += begins.eq((self.row.value == 0) & (self.column.value == 0) & (word.value == 0))
        codes = lanes_of(m, self.i.payload.as_value(), self.target.lanes, self.x.bits, "codes")
        recodes = [recoded(code, self.x, self.out) for code in codes]
        real = self.target.channels - (self.unit.words - 1) * self.target.elements
        image = masked(m, recodes, real, self.target.elements, word.last)
        op = self.unit.stage.node.op
        assert isinstance(op, Pad)
        fill = [Const(int(self.out.encode(op.fill)), self.out.bits)] * self.target.lanes
        around = masked(m, fill, real, self.target.elements, word.last)
        m.d.comb += [
            self.i.ready.eq(egress.grant & ~outside),
            fire.eq(egress.grant & ((outside & ~begins) | self.i.valid)),
            egress.take.eq(fire),
            egress.w_en.eq(fire),
            egress.w_data.eq(Mux(outside, around, image)),
        ]
        forward(m, egress.o, self.o)
        return m

    def _outside(self, m: Module, step: Value) -> Signal:
        """Whether the pixel is one of the padding."""
        unit, target = self.unit, self.target
        top, left, _, _ = unit.padding
        self.column = column = Counter(m, step, target.width, "column")
        self.row = row = Counter(m, step & column.last, target.height, "row")
        outside = Signal()
        above, below = row.value < top, row.value >= top + unit.height
        m.d.comb += outside.eq(above | below | (column.value < left) | (column.value >= left + unit.width))
        return outside

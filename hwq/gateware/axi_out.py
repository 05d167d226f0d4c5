"""AXI4-Stream egress: packs codes at their pitch, marks the last beat."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.egress import Egress
from hwq.gateware.reader import Counter
from hwq.gateware.streams import edge_stream
from hwq.plan.geometry import ceil_div
from hwq.plan.units import AxiOut, Edge

__all__ = ["AxiEgress"]


class AxiEgress(wiring.Component):
    """The inverse of :class:`hwq.gateware.axi_in.AxiIngress`: ``channels`` codes a frame, starting on a beat.

    A code fills its pitch by its sign when the encoding is ``signed``, by zeros otherwise. The last beat is zero beyond the
    frame, its ``tkeep`` marks the bytes that hold codes, its ``tuser`` says that the frame was repaired on its way in: while a beat
    waits it says what it said at first, whatever is repaired behind the words that the beat depends on.

    Timing: a FIFO law with L = 0; ``tvalid`` is its valid. Cost: an Egress, a beat counter, two flip-flops.

    Members
    -------
    i : In(stream)
        Words of codes.
    tdata, tkeep, tvalid, tlast, tuser : Out
        AXI4-Stream.
    tready : In(1)
        AXI4-Stream.
    bad : In(1)
        The frame now leaving was repaired.
    frame : Out(1)
        Pulse: the last beat of a frame left in this cycle.
    credits : Out
        Free words of the FIFO, for the high-water mark.
    """

    def __init__(self, unit: AxiOut, edge: Edge, *, signed: bool) -> None:
        self.unit, self.edge, self.signed = unit, edge, signed
        self.lanes = unit.bus_bits // unit.pitch
        # An input that carries the frame in one word may be wider or narrower than the bus.
        self.frame_codes = edge.channels * edge.positions
        self.beats = ceil_div(self.frame_codes, self.lanes)
        super().__init__(
            {
                "i": In(edge_stream(edge)),
                "tdata": Out(unsigned(unit.bus_bits)),
                "tkeep": Out(unsigned(unit.bus_bits // 8)),
                "tvalid": Out(1),
                "tlast": Out(1),
                "tuser": Out(1),
                "tready": In(1),
                "bad": In(1),
                "frame": Out(1),
                "credits": Out(range(unit.depth + 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bits = self.edge.bits
        m.submodules.egress = egress = Egress(self.lanes * bits, self.unit.depth)
        write, leave, waits, said = Signal(), Signal(), Signal(), Signal()
        position = Counter(m, leave, self.beats, "position")
        m.d.comb += [
            self.i.ready.eq(egress.grant),
            write.eq(self.i.valid & egress.grant),
            egress.take.eq(write),
            egress.w_en.eq(write),
            egress.w_data.eq(self.i.payload.as_value()),
            self.tvalid.eq(egress.o.valid),
            egress.o.ready.eq(self.tready),
            leave.eq(egress.o.valid & self.tready),
            self.tlast.eq(position.last),
            self.tuser.eq(Mux(waits, said, position.last & self.bad)),
            self.frame.eq(leave & position.last),
            self.credits.eq(egress.credits),
        ]
        m.d.sync += [waits.eq(self.tvalid & ~self.tready), said.eq(self.tuser)]
        self._pack(m, egress.o.payload, position.last)
        return m

    def _pack(self, m: Module, codes, last) -> None:
        pitch, bits = self.unit.pitch, self.edge.bits
        real = self.frame_codes - (self.beats - 1) * self.lanes
        elements = []
        for lane in range(self.lanes):
            code = codes[lane * bits : (lane + 1) * bits]
            element = Signal(pitch, name=f"element_{lane}")
            m.d.comb += element.eq(code.as_signed() if self.signed else code)
            elements.append(element if lane < real else Mux(last, Const(0, pitch), element))
        full = (1 << len(self.tkeep)) - 1
        used = (1 << ceil_div(real * pitch, 8)) - 1
        m.d.comb += [self.tdata.eq(Cat(*elements)), self.tkeep.eq(Mux(last, used, full))]

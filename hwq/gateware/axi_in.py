"""AXI4-Stream ingress: unpacks codes, checks and repairs framing."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.egress import Egress
from hwq.gateware.fifo import forward
from hwq.gateware.reader import Counter
from hwq.gateware.recode import legal_code
from hwq.gateware.streams import edge_stream
from hwq.numerics.encoding import Encoding
from hwq.plan.units import AxiIn, Edge

__all__ = ["AxiIngress"]


class AxiIngress(wiring.Component):
    """One beat of ``bus_bits`` carries ``bus_bits / pitch`` codes at a pitch of ``pitch`` bits, element 0 lowest.

    A frame is ``edge.words`` beats, ``tlast`` on its last. Bits above a code, lanes beyond the frame and ``tkeep`` are
    ignored. Framing errors are repaired here: ``tlast`` early, the frame is completed with the legal code 0 and input waits;
    ``tlast`` missing, everything up to and including the next ``tlast`` is dropped. Such a frame is *bad*; what follows is not
    touched. Downstream a frame always has its words, and where ``encoding`` is said only codes of it (:func:`legal_code`): lanes have
    no room for others.

    Timing: a FIFO law with L = 0: ``tready`` is ``grant`` while all is well. Cost: an Egress and a beat counter, for a narrow
    encoding a LUT a code.

    Members
    -------
    tdata, tkeep, tvalid, tlast : In
        AXI4-Stream.
    tready : Out(1)
        AXI4-Stream.
    enable : In(1)
        Accept input; a register or a constant.
    o : Out(stream)
        Words of codes.
    frame : Out(1)
        Pulse: the last word of a frame was written in this cycle.
    frame_bad : Out(1)
        With ``frame``: it was repaired.
    credits : Out
        Free words of the FIFO, for the high-water mark.
    """

    def __init__(self, unit: AxiIn, edge: Edge, encoding: Encoding | None = None) -> None:
        self.unit, self.edge, self.encoding = unit, edge, encoding
        super().__init__(
            {
                "tdata": In(unsigned(unit.bus_bits)),
                "tkeep": In(unsigned(unit.bus_bits // 8)),
                "tvalid": In(1),
                "tlast": In(1),
                "tready": Out(1),
                "enable": In(1, init=1),
                "o": Out(edge_stream(edge)),
                "frame": Out(1),
                "frame_bad": Out(1),
                "credits": Out(range(unit.depth + 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.egress = self.egress = egress = Egress(self.edge.word_bits, self.unit.depth)
        beat, write = Signal(), Signal()
        self.padding, self.dropping = padding, dropping = Signal(), Signal()
        self.position = position = Counter(m, write, self.edge.words, "position")
        m.d.comb += [
            self.tready.eq(self.enable & ~padding & (egress.grant | dropping)),
            beat.eq(self.tvalid & self.tready),
            write.eq((beat & ~dropping) | (padding & egress.grant)),
            self.frame.eq(write & position.last),
            self.frame_bad.eq(padding | ~self.tlast),
            egress.take.eq(write),
            egress.w_en.eq(write),
            egress.w_data.eq(Mux(padding, 0, self._codes(position.last))),
            self.credits.eq(egress.credits),
        ]
        with m.If(write & position.last):
            m.d.sync += padding.eq(0)
        with m.Elif(write & self.tlast):
            m.d.sync += padding.eq(1)
        with m.If(beat & self.tlast):
            m.d.sync += dropping.eq(0)
        with m.Elif(beat & position.last):
            m.d.sync += dropping.eq(1)
        forward(m, egress.o, self.o)
        return m

    def _codes(self, last) -> Cat:
        edge, pitch = self.edge, self.unit.pitch
        codes = [self.tdata[k * pitch : k * pitch + edge.bits] for k in range(edge.elements)]
        if self.encoding:
            codes = [legal_code(code, self.encoding) for code in codes]
        real = edge.channels - (edge.words - 1) * edge.elements
        kept = [code if k < real else Mux(last, Const(0, edge.bits), code) for k, code in enumerate(codes)]
        return Cat(*kept)

"""FIFOs: an Egress whose credit is spent by the write itself, and a deep one in block or ultra RAM."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.egress import Egress
from hwq.gateware.pipeline import valid_chain
from hwq.gateware.reader import Reader
from hwq.network.ops import Window
from hwq.plan.geometry import Geometry
from hwq.plan.latency import READ_LATENCY
from hwq.plan.units import FIFO_EGRESS

__all__ = ["DeepFifo", "Fifo", "forward"]


class Fifo(wiring.Component):
    """A FIFO of ``depth`` words of ``shape``; ``i.ready`` is a flip-flop.

    Timing: a word accepted in cycle t is visible from t + 1 (L = 0); full rate from depth 2. Cost: that of :class:`Egress`.

    Members
    -------
    i : In(stream)
        Words in.
    o : Out(stream)
        The same words, in order.
    credits : Out
        Free words, for the high-water mark.
    """

    def __init__(self, shape, depth: int) -> None:
        self.depth = depth
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape)), "credits": Out(range(depth + 1))})

    def elaborate(self, platform):
        m = Module()
        payload = Value.cast(self.i.payload)
        m.submodules.egress = egress = Egress(len(payload), self.depth)
        write = self.i.valid & egress.grant
        m.d.comb += [
            self.i.ready.eq(egress.grant),
            egress.take.eq(write),
            egress.w_en.eq(write),
            egress.w_data.eq(payload),
            self.credits.eq(egress.credits),
        ]
        forward(m, egress.o, self.o)
        return m


class DeepFifo(wiring.Component):
    """A FIFO of ``depth`` words of ``shape`` in ``memory``, ``block`` or ``ultra``: a Reader of single words, an Egress behind it.

    Timing: the Reader's law with H = W = kernel = 1 and a buffer of ``depth``, L = READ_LATENCY, an Egress of FIFO_EGRESS words:
    a word accepted in cycle t is visible from t + 4; full rate. Cost: block RAM, three counters, the Egress.

    Members
    -------
    i : In(stream)
        Words in.
    o : Out(stream)
        The same words, in order.
    credits : Out
        Free words of the buffer, for the high-water mark.
    """

    def __init__(self, shape, depth: int, memory: str) -> None:
        self.depth, self.memory = depth, memory
        super().__init__(
            {"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape)), "credits": Out(range(depth + 1), init=depth)}
        )

    def elaborate(self, platform):
        m = Module()
        payload = Value.cast(self.i.payload)
        m.submodules.reader = reader = Reader(len(payload), Geometry(1, 1, 1, Window((1, 1))), self.depth, self.memory)
        m.submodules.egress = self.egress = egress = Egress(len(payload), FIFO_EGRESS)
        written = Signal()
        m.d.comb += [
            reader.i.valid.eq(self.i.valid),
            reader.i.payload.eq(payload),
            self.i.ready.eq(reader.i.ready),
            written.eq(self.i.valid & reader.i.ready),
            reader.fire.eq(reader.available & egress.grant),
            egress.take.eq(reader.fire),
            egress.w_en.eq(valid_chain(m, reader.fire, READ_LATENCY, "produced")),
            egress.w_data.eq(reader.data),
        ]
        m.d.sync += self.credits.eq(self.credits - written + reader.fire)
        forward(m, egress.o, self.o)
        return m


def forward(m: Module, source, target) -> None:
    """Connect a stream of plain words to an output stream whose payload has a layout of the same width."""
    m.d.comb += [target.valid.eq(source.valid), target.payload.eq(source.payload), source.ready.eq(target.ready)]

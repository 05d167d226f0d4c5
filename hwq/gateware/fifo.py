"""FIFO: an Egress whose credit is spent by the write itself."""

from __future__ import annotations

from amaranth.hdl import Module, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.egress import Egress

__all__ = ["Fifo"]


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


def forward(m: Module, source, target) -> None:
    """Connect a stream of plain words to an output stream whose payload has a layout of the same width."""
    m.d.comb += [target.valid.eq(source.valid), target.payload.eq(source.payload), source.ready.eq(target.ready)]

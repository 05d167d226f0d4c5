"""Eager fork: one stream to several readers, each served as soon as it is ready."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ForkStage"]


class ForkStage(wiring.Component):
    """Copies every word of ``i`` to ``branches`` streams ``o0``, ``o1``, ...; the word is taken when all have it.

    Timing: combinational; ``i.ready`` follows the branches' ready, no valid depends on a ready. Cost: a LUT and a FF a branch.

    Members
    -------
    i : In(stream)
        Words in.
    o0, o1, ... : Out(stream)
        The same words.
    """

    def __init__(self, shape, branches: int) -> None:
        self.branches = branches
        outputs = {f"o{k}": Out(stream.Signature(shape)) for k in range(branches)}
        super().__init__({"i": In(stream.Signature(shape)), **outputs})

    def elaborate(self, platform):
        m = Module()
        done, served = Signal(self.branches), Signal(self.branches)
        outputs = [getattr(self, f"o{k}") for k in range(self.branches)]
        for k, o in enumerate(outputs):
            m.d.comb += [o.valid.eq(self.i.valid & ~done[k]), o.payload.eq(self.i.payload)]
        m.d.comb += [served.eq(done | Cat(*(o.ready for o in outputs))), self.i.ready.eq(served.all())]
        with m.If(self.i.valid):
            m.d.sync += done.eq(Mux(served.all(), 0, served))
        return m

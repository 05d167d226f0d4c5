"""The saturating accumulator behind the chunks of a vector."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib.wiring import In, Out

from hwq.fabric.netlist import Netlist
from hwq.fabric.saturation import saturating_accumulator
from hwq.gateware.fabric_part import FabricPart

__all__ = ["SaturatingSum"]


class SaturatingSum(FabricPart):
    """``total = clip((0 if first else total) + addend)`` to ``bits`` bits of two's complement, where ``valid`` holds; else it stays.

    As a circuit of the fabric (:func:`hwq.fabric.saturation.saturating_accumulator`) one carry chain, which clips the sum of the last
    addition: ``max(bits, width) + 1`` LUT sites, and half a LUT for each bit of ``total``.

    Timing: ``total`` a cycle after ``addend``. No reset: ``first`` restarts.

    Members
    -------
    addend : In(unsigned(width))
        Two's complement.
    valid, first : In(1)
        There is an addend; it is the first of a vector.
    total : Out(unsigned(bits))
        Two's complement, never outside ``-2**(bits - 1) .. 2**(bits - 1) - 1``.
    """

    def __init__(self, width: int, bits: int) -> None:
        self.width, self.bits = width, bits
        super().__init__({"addend": In(unsigned(width)), "valid": In(1), "first": In(1), "total": Out(unsigned(bits))})

    @property
    def netlist(self) -> Netlist:
        netlist = Netlist("saturating_sum")
        addend = netlist.input("addend", self.width)
        (valid,), (first,) = netlist.input("valid", 1), netlist.input("first", 1)
        netlist.output("total", saturating_accumulator(netlist, addend, self.bits, valid, first))
        return netlist

    def elaborate(self, platform):
        m = Module()
        high = (1 << (self.bits - 1)) - 1
        clipped = Signal(signed(self.bits), name="clipped", reset_less=True)
        grown = Mux(self.first, 0, clipped) + self.addend.as_signed()
        with m.If(self.valid):
            m.d.sync += clipped.eq(Mux(grown > high, high, Mux(grown < ~high, ~high, grown)))
        m.d.comb += self.total.eq(clipped)
        return m

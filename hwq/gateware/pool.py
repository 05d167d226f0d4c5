"""Pools: largest, smallest or sum of the taps of a sliding window, channel by channel."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.accumulator import domain_shape
from hwq.gateware.channels import Activations, lanes_of, masked
from hwq.gateware.egress import Egress
from hwq.gateware.fifo import forward
from hwq.gateware.parts import Parts
from hwq.gateware.pe import activation_form
from hwq.gateware.pipeline import delay, named, valid_chain
from hwq.gateware.reader import Reader
from hwq.gateware.streams import edge_stream
from hwq.network.ops import Pool
from hwq.numerics.encoding import Encoding
from hwq.plan.domain import encoding_domain, pool_domain
from hwq.plan.latency import READ_LATENCY
from hwq.plan.units import Edge, PoolUnit, memory_kind

__all__ = ["PoolStage"]


class PoolStage(wiring.Component):
    """``pixels`` windows x ``pe`` channels a cycle, one tap a firing; a sum takes the staircase behind it along.

    Bit-exact with :class:`hwq.network.ops.Pool` and the activation's op; taps in the padding do not count. Lanes beyond the
    channels leave as zero.

    Timing: the law of the Reader; the last tap of a window wants a credit, L = ``unit.latency``.
    Cost: a comparator and a multiplexer, or an adder, a lane; an OR for codes of one bit.

    Members
    -------
    i : In(stream)
        Words of the image.
    o : Out(stream)
        Words of codes.
    weights_ok : Out(1)
        The memory of constants holds what it should.
    """

    def __init__(self, unit: PoolUnit, source: Edge, target: Edge, x: Encoding, out: Encoding, parts: Parts) -> None:
        op = unit.stage.node.op
        assert isinstance(op, Pool)
        self.unit, self.op, self.x, self.parts = unit, op, x, parts
        self.channels, self.lanes, self.words = target.channels, target.lanes, target.words_per_pixel
        self.activation = (
            activation_form(unit.stage.activation, pool_domain(op, x), out, multiplier=unit.plan.multiplier) if op.mode == "sum" else None
        )
        self.bits = out.bits
        depth = READ_LATENCY + 1 + (self.activation.latency if self.activation else 0)
        assert depth == unit.latency, f"{unit.name}: the datapath is {depth} deep, the plan says {unit.latency}"
        super().__init__({"i": In(edge_stream(source)), "o": Out(edge_stream(target)), "weights_ok": Out(1)})

    def elaborate(self, platform):
        m = Module()
        unit = self.unit
        kind = memory_kind(unit.plan.buffer_memory, unit.buffer)
        m.submodules.reader = reader = Reader(self.lanes * self.x.bits, unit.geometry, unit.buffer, kind)
        m.submodules.egress = self.egress = egress = Egress(self.lanes * self.bits, unit.depth)
        m.d.comb += [
            reader.i.valid.eq(self.i.valid),
            reader.i.payload.eq(self.i.payload.as_value()),
            self.i.ready.eq(reader.i.ready),
            reader.fire.eq(reader.available & (~reader.last | egress.grant)),
            egress.take.eq(reader.fire & reader.last),
            egress.w_en.eq(valid_chain(m, egress.take, unit.latency, "produced")),
            egress.w_data.eq(self._codes(m, reader)),
        ]
        forward(m, egress.o, self.o)
        return m

    def _codes(self, m: Module, reader: Reader) -> Value:
        unit, pe = self.unit, self.unit.plan.pe
        fire, first = delay(m, reader.fire, READ_LATENCY, "fire"), delay(m, reader.first, READ_LATENCY, "first")
        real = named(m, delay(m, reader.real, READ_LATENCY, "real"), "real_late")
        codes = lanes_of(m, reader.data, self.lanes, self.x.bits, "codes")
        values = [self._lane(m, code, fire, first, real[k // pe], f"lane{k}") for k, code in enumerate(codes)]
        if self.activation is None:
            m.d.comb += self.weights_ok.eq(1)
            return Cat(*values)
        row = Activations(m, self.parts, self.activation, values, self.channels, unit.plan, delay(m, reader.block, 1, "channel"))
        m.d.comb += self.weights_ok.eq(row.ok)
        last = delay(m, reader.block == self.words - 1, unit.latency, "ragged")
        return masked(m, row.codes, self.channels - (self.words - 1) * pe, pe, last)

    def _lane(self, m: Module, code: Value, fire: Value, first: Value, real: Value, name: str) -> Signal:
        """The accumulator of a lane: reset-less, restarted by ``first``."""
        domain = pool_domain(self.op, self.x) if self.op.mode == "sum" else encoding_domain(self.x)
        value = Signal(domain_shape(domain), name=f"{name}_value", reset_less=True)
        if self.op.mode == "sum":
            grown = Mux(first, 0, value) + self._addend(code, real)
        else:
            grown = self._extreme(m, value, code, first, real, name)
        with m.If(fire):
            m.d.sync += value.eq(grown)
        return value

    def _addend(self, code: Value, real: Value) -> Value:
        # Codes in the padding come as zeros: integers of 0, but for a code that stands for another.
        domain = encoding_domain(self.x)
        if pool_domain(self.op, self.x).scale == 1 and not domain.is_integer:
            return Mux(real, code * domain.scale + domain.offset, 0)
        return code.as_signed() if domain.signed else code

    def _extreme(self, m: Module, value: Signal, code: Value, first: Value, real: Value, name: str) -> Value:
        domain = encoding_domain(self.x)
        neutral = domain.lo if self.op.mode == "max" else domain.hi
        tap = Signal(domain_shape(domain), name=f"{name}_tap")
        m.d.comb += tap.eq(Mux(real, code.as_signed() if domain.signed else code, neutral))
        if self.x.bits == 1:
            before = Mux(first, neutral, value)
            return before | tap if self.op.mode == "max" else before & tap
        better = tap > value if self.op.mode == "max" else tap < value
        return Mux(first | better, tap, value)

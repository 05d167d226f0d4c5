"""A map of single codes on a stream: threshold, requantize, table, or constants of border classes."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.border import BorderConstants
from hwq.gateware.channels import Activations, lanes_of, masked
from hwq.gateware.egress import Egress
from hwq.gateware.fifo import forward
from hwq.gateware.lookup import looked_up
from hwq.gateware.parts import Parts
from hwq.gateware.pe import activation_form
from hwq.gateware.pipeline import delay, valid_chain
from hwq.gateware.reader import Counter
from hwq.gateware.streams import edge_stream
from hwq.network.ops import BorderAffine, Lookup
from hwq.numerics.encoding import Encoding
from hwq.plan.domain import encoding_domain
from hwq.plan.latency import READ_LATENCY, border_latency
from hwq.plan.units import Edge, Elementwise

__all__ = ["ElementwiseStage"]


class ElementwiseStage(wiring.Component):
    """``pixels`` x ``pe`` elements a cycle; the constants of channel word w of a pixel come from word w of a memory.

    Bit-exact with :class:`hwq.network.ops.Threshold`, :class:`hwq.network.ops.Requantize`, :class:`hwq.network.ops.Lookup` and
    :class:`hwq.network.ops.BorderAffine`; lanes beyond the channels leave as zero. Timing: one word a cycle, L = ``unit.latency``.
    Cost: that of the units, tables or adders of every lane.

    Members
    -------
    i : In(stream)
        Words of codes.
    o : Out(stream)
        Words of codes.
    weights_ok : Out(1)
        The memories of constants hold what they should.
    """

    def __init__(self, unit: Elementwise, source: Edge, target: Edge, x: Encoding, out: Encoding, parts: Parts) -> None:
        self.unit, self.parts, self.x, self.out, self.target = unit, parts, x, out, target
        self.op = unit.stage.node.op
        self.words = target.words_per_pixel
        if isinstance(self.op, Lookup):
            depth = READ_LATENCY
        elif isinstance(self.op, BorderAffine):
            depth = border_latency(self.op)
        else:
            self.form = activation_form(unit.stage.node, encoding_domain(x), out, multiplier=unit.plan.multiplier)
            depth = READ_LATENCY + self.form.latency
        assert depth == unit.latency, f"{unit.name}: the datapath is {depth} deep, the plan says {unit.latency}"
        super().__init__({"i": In(edge_stream(source)), "o": Out(edge_stream(target)), "weights_ok": Out(1)})

    def elaborate(self, platform):
        m = Module()
        unit, pe = self.unit, self.unit.plan.pe
        m.submodules.egress = self.egress = egress = Egress(self.target.word_bits, unit.depth)
        fire = Signal()
        word = Counter(m, fire, self.words, "word")
        codes = lanes_of(m, self.i.payload.as_value(), self.target.lanes, self.x.bits, "codes")
        results, checks = self._mapped(m, codes, fire, word)
        last = delay(m, word.last, unit.latency, "ragged")
        m.d.comb += [
            self.i.ready.eq(egress.grant),
            fire.eq(self.i.valid & egress.grant),
            egress.take.eq(fire),
            egress.w_en.eq(valid_chain(m, fire, unit.latency, "produced")),
            egress.w_data.eq(masked(m, results, unit.channels - (self.words - 1) * pe, pe, last)),
            self.weights_ok.eq(Cat(*checks).all()),
        ]
        forward(m, egress.o, self.o)
        return m

    def _mapped(self, m: Module, codes: list[Value], fire: Value, word: Counter) -> tuple[list[Value], list[Value]]:
        """Codes out, ``latency`` cycles after ``codes``; what says that the memories are right."""
        op, unit = self.op, self.unit
        if isinstance(op, Lookup):
            return looked_up(m, self.parts, op, self.x, codes, unit.channels, unit.plan, word.value)
        if isinstance(op, BorderAffine):
            constants = BorderConstants(op, self.x, self.out, unit.channels, unit.plan)
            return constants.codes(m, self.parts, codes, fire & word.last, word.value)
        values = [delay(m, code, READ_LATENCY, f"value_{k}") for k, code in enumerate(codes)]
        row = Activations(m, self.parts, self.form, values, unit.channels, unit.plan, word.value)
        return row.codes, [row.ok]

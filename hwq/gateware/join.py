"""Join: sum or product of several streams, word by word, with the staircase behind it."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.accumulator import domain_shape
from hwq.gateware.activation import pack_fields
from hwq.gateware.channels import Activations, channel_words, constants_memory, lanes_of, masked
from hwq.gateware.egress import Egress
from hwq.gateware.fifo import forward
from hwq.gateware.parts import Parts
from hwq.gateware.pe import activation_form
from hwq.gateware.pipeline import delay, register, valid_chain
from hwq.gateware.reader import Counter
from hwq.gateware.requantize import signed_bits
from hwq.gateware.rom import field, place_rom
from hwq.gateware.streams import edge_stream
from hwq.network.ops import Add, Mul
from hwq.numerics.encoding import Bipolar, Encoding
from hwq.plan.join import JoinForm, signed_digits
from hwq.plan.latency import READ_LATENCY
from hwq.plan.units import Edge, Join

__all__ = ["JoinStage"]


class JoinStage(wiring.Component):
    """``pixels`` x ``pe`` elements of every input a cycle: their sum with coefficients, or product, then a staircase.

    Bit-exact with :class:`hwq.network.ops.Add`, :class:`hwq.network.ops.Mul` and the activation's op, for inputs of any
    encodings. Lanes beyond the channels leave as zero.

    Timing: fires when all inputs hold a word and a credit is free; one word a cycle, L = ``unit.latency``. ``i<k>.ready``
    follows the valid of the other inputs, never its own.
    Cost: adders; coefficients that all channels share are shifts and adds (a power of two is free), others come from a memory
    and want multipliers.

    Members
    -------
    i0, i1, ... : In(stream)
        Words of one shape.
    o : Out(stream)
        Words of codes.
    weights_ok : Out(1)
        The memories of constants hold what they should.
    """

    def __init__(self, unit: Join, sources: Sequence[Edge], target: Edge, xs: Sequence[Encoding], out: Encoding, parts: Parts) -> None:
        op = unit.stage.node.op
        assert isinstance(op, Add | Mul)
        self.unit, self.op, self.xs, self.parts = unit, op, tuple(xs), parts
        self.form = JoinForm(op, self.xs)
        self.activation = activation_form(unit.stage.activation, self.form.domain, out, multiplier=unit.plan.multiplier)
        self.value_latency = self.form.value_latency(READ_LATENCY)
        self.words, self.lanes = target.words_per_pixel, target.lanes
        depth = self.value_latency + self.activation.latency
        assert depth == unit.latency, f"{unit.name}: the datapath is {depth} deep, the plan says {unit.latency}"
        inputs = {f"i{k}": In(edge_stream(source)) for k, source in enumerate(sources)}
        super().__init__({**inputs, "o": Out(edge_stream(target)), "weights_ok": Out(1)})

    def elaborate(self, platform):
        m = Module()
        unit = self.unit
        inputs = [getattr(self, f"i{k}") for k in range(len(self.xs))]
        m.submodules.egress = self.egress = egress = Egress(self.lanes * self.activation.out.bits, unit.depth)
        fire = Signal()
        word = Counter(m, fire, self.words, "word")
        for k, i in enumerate(inputs):
            others = Cat(*(j.valid for n, j in enumerate(inputs) if n != k))
            m.d.comb += i.ready.eq(egress.grant & others.all())
        m.d.comb += [
            fire.eq(egress.grant & Cat(*(i.valid for i in inputs)).all()),
            egress.take.eq(fire),
            egress.w_en.eq(valid_chain(m, fire, unit.latency, "produced")),
            egress.w_data.eq(self._codes(m, inputs, word)),
        ]
        forward(m, egress.o, self.o)
        return m

    def _codes(self, m: Module, inputs: Sequence, word: Counter) -> Value:
        unit, pe = self.unit, self.unit.plan.pe
        self.checks: list[Value] = []
        codes = [
            lanes_of(m, i.payload.as_value(), self.lanes, x.bits, f"codes_{k}")
            for k, (i, x) in enumerate(zip(inputs, self.xs, strict=True))
        ]
        coefficients = self._coefficients(m, word)
        values = []
        for lane in range(self.lanes):
            operands = [c[lane] for c in codes]
            value = Signal(domain_shape(self.form.domain), name=f"value_{lane}")
            m.d.comb += value.eq(self._value(m, operands, coefficients[lane % pe] if coefficients else [], f"lane{lane}"))
            values.append(value)
        address = delay(m, word.value, self.value_latency - READ_LATENCY, "channel")
        row = Activations(m, self.parts, self.activation, values, unit.channels, unit.plan, address)
        m.d.comb += self.weights_ok.eq(Cat(*self.checks, row.ok).all())
        real = unit.channels - (self.words - 1) * pe
        return masked(m, row.codes, real, pe, delay(m, word.last, unit.latency, "ragged"))

    def _value(self, m: Module, codes: Sequence[Value], coefficients: Sequence[Value], name: str) -> Value:
        """The value of one lane, ``value_latency`` cycles after its codes."""
        if isinstance(self.op, Mul):
            return register(m, self._product(m, codes, name), f"{name}_product")
        if coefficients:
            return self._weighted(m, codes, coefficients, name)
        return self._sum(m, codes, name)

    def _operand(self, m: Module, code: Value, k: int, cycles: int, name: str) -> Value:
        """Code ``k`` as a number, ``cycles`` later."""
        late = delay(m, code, cycles, f"{name}_code{k}")
        return late.as_signed() if self.form.domains[k].signed else late

    def _product(self, m: Module, codes: Sequence[Value], name: str) -> Value:
        a, b = (self._operand(m, code, k, 1, name) for k, code in enumerate(codes))
        if self.form.is_equality:
            return ~(a ^ b)
        if isinstance(self.xs[0], Bipolar):
            return Mux(a, b, -b)
        if isinstance(self.xs[1], Bipolar):
            return Mux(b, a, -a)
        return a * b

    def _sum(self, m: Module, codes: Sequence[Value], name: str) -> Value:
        factors, terms = self.form.factors, []
        multiplies = any(len(signed_digits(k)) > 1 for k in factors)
        for k, (code, factor) in enumerate(zip(codes, factors, strict=True)):
            if factor:
                term = multiple(self._operand(m, code, k, 1, name), factor)
                terms.append(register(m, term, f"{name}_product{k}") if multiplies else term)
        return tree(m, terms or [Const(0, 1)], name)

    def _weighted(self, m: Module, codes: Sequence[Value], coefficients: Sequence[Value], name: str) -> Value:
        terms: list[Value] = []
        for k, coefficient in enumerate(coefficients):
            # A constant without a code is added as it is.
            term = self._operand(m, codes[k], k, READ_LATENCY, name) * coefficient if k < len(codes) else coefficient
            terms.append(register(m, term, f"{name}_product{k}"))
        return tree(m, terms, name)

    def _coefficients(self, m: Module, word: Counter) -> list[list[Value]]:
        """Coefficients, and the constant where there is one, of every lane of a pixel; none where all channels share them."""
        if self.form.is_shared:
            return []
        unit, pe = self.unit, self.unit.plan.pe
        fields = [*self.form.coefficients] + ([self.form.constants] if self.form.constants.any() else [])
        widths = [signed_bits(f) for f in fields]
        width = sum(widths)
        words = channel_words(pack_fields(fields, widths) + [0] * (-unit.channels % pe), pe, width)
        data, ok = place_rom(m, self.parts, "coefficients", words, pe * width, constants_memory(unit.plan), word.value)
        self.checks.append(ok)
        return [self._fields(m, field(data, lane, width), widths, f"coefficient{lane}") for lane in range(pe)]

    def _fields(self, m: Module, constants: Value, widths: Sequence[int], name: str) -> list[Value]:
        fields, start = [], 0
        for k, width in enumerate(widths):
            number = Signal(width, name=f"{name}_{k}")
            m.d.comb += number.eq(constants[start : start + width])
            fields.append(number.as_signed())
            start += width
        return fields


def multiple(value: Value, factor: int) -> Value:
    """``factor * value`` by shifts, additions and subtractions: a power of two costs nothing, no multiplier is asked for."""
    terms = [(sign, value << place) for sign, place in signed_digits(factor)]
    terms.sort(key=lambda term: -term[0])
    total = terms[0][1] if terms[0][0] > 0 else -terms[0][1]
    for sign, term in terms[1:]:
        total = total + term if sign > 0 else total - term
    return total


def tree(m: Module, terms: Sequence[Value], name: str) -> Value:
    """Sum of ``terms`` in pairs, a register a level, one level at least."""
    level = 0
    while len(terms) > 1 or not level:
        pairs = [terms[k : k + 2] for k in range(0, len(terms), 2)]
        terms = [register(m, sum(pair[1:], pair[0]), f"{name}_sum{level}_{k}") for k, pair in enumerate(pairs)]
        level += 1
    return terms[0]

"""Unrolled contractions: weights as wiring, a whole window a cycle, all output channels at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwq.errors import InputError
from hwq.gateware.egress import Egress
from hwq.gateware.fabric_part import NetlistPart
from hwq.gateware.fifo import forward
from hwq.gateware.parts import Parts, content_key
from hwq.gateware.pe import activation_form
from hwq.gateware.pipeline import delay, named, register, valid_chain
from hwq.gateware.reader import Counter
from hwq.gateware.row_buffer import RowBuffer
from hwq.gateware.streams import edge_stream
from hwq.network.ops import Conv
from hwq.numerics.encoding import Encoding
from hwq.plan.latency import READ_LATENCY
from hwq.plan.units import Edge, UnrolledConv, UnrolledDense, memory_kind
from hwq.plan.unrolled import UnrolledForm, unrolled_latency

__all__ = ["UnrolledConvStage", "UnrolledDenseStage"]


class UnrolledStage(wiring.Component):
    """A contraction with the staircase behind it as one free-running circuit (:class:`hwq.plan.unrolled.UnrolledForm`) and an Egress.

    Bit-exact with :class:`hwq.network.ops.Conv` and the activation's op. Timing: ``w_en`` is ``take`` ``unit.latency`` cycles later.

    Members
    -------
    i : In(stream)
        Words of the image.
    o : Out(stream)
        Words of all output channels of a pixel.
    """

    def __init__(self, unit: UnrolledConv | UnrolledDense, source: Edge, target: Edge, x: Encoding, out: Encoding, parts: Parts) -> None:
        op = unit.stage.node.op
        assert isinstance(op, Conv)
        self.unit, self.op, self.x, self.parts = unit, op, x, parts
        self.form = UnrolledForm(op, x, unit.stage.activation, out)
        self.channels, self.elements = source.channels, source.elements
        super().__init__({"i": In(edge_stream(source)), "o": Out(edge_stream(target))})

    def _check(self) -> None:
        """The plan may hold the latency of a circuit that another version of the optimisers made."""
        unit = self.unit
        made = unrolled_latency(self.form, isinstance(unit, UnrolledDense))
        if made != unit.latency:
            message = f"its circuit now takes {made} cycles, the design was made with {unit.latency}"
            raise InputError("PLAN-CIRCUIT", message, where=unit.name, hint="Another version of hwq made it: compile again")

    def _output(self, m: Module, take: Value, codes: Sequence[Value]) -> None:
        """The Egress behind ``codes``, which stand ``unit.latency`` cycles after their ``take``."""
        m.submodules.egress = self.egress = egress = Egress(len(self.o.payload.as_value()), self.unit.depth)
        m.d.comb += [
            egress.take.eq(take),
            egress.w_en.eq(valid_chain(m, take, self.unit.latency, "produced")),
            egress.w_data.eq(Cat(*codes)),
        ]
        forward(m, egress.o, self.o)

    def _words(self, m: Module, enable: Value, word: Value, count: int, name: str) -> list[Value]:
        """A shift register of ``count`` words, the newest first."""
        words: list[Value] = []
        for k in range(count):
            q = Signal(word.shape(), reset_less=True, name=f"{name}_{k}")
            with m.If(enable):
                m.d.sync += q.eq(words[-1] if words else word)
            words.append(q)
        return words

    def _pixel(self, words: Sequence[Value]) -> Value:
        """The channels of a pixel whose words are given, the first one first; lanes that do not exist are dropped."""
        return Cat(*words)[: self.channels * self.x.bits]

    def _codes(self, m: Module, taps: Sequence[Value], borders: Sequence[Value]) -> list[Value]:
        """Codes of all output channels of a window, ``form.latency`` cycles after its ``taps`` (pixels in the order kh, kw)."""
        form, groups = self.form, self.op.groups
        size = len(taps[0]) // groups
        codes: list[Value] = []
        for group, layer in enumerate(form.layers):
            key = content_key(layer.netlist.inputs, layer.netlist.outputs, layer.netlist.cells, layer.netlist.flops)
            hint = f"{self.unit.name}_{group}" if groups > 1 else self.unit.name
            part = self.parts.place("unrolled", hint, key, partial(NetlistPart, layer.netlist))
            m.submodules[f"circuit_{group}"] = part
            m.d.comb += part.x.eq(Cat(*(tap[group * size : (group + 1) * size] for tap in taps), *borders))
            y = delay(m, part.y, form.circuit_latency - layer.latency, f"late_{group}")
            y = named(m, y, f"rows_{group}")
            place = 0
            for output in form.outputs[group * form.rows : (group + 1) * form.rows]:
                codes.append(y[place : place + output.bits])
                place += output.bits
        return self._activated(m, codes)

    def _activated(self, m: Module, values: list[Value]) -> list[Value]:
        """The codes: what the circuit gives, or the units behind it make of it."""
        form = self.form
        values = [v[1:] for v in values] if form.doubled and (form.node is None or not form.is_fused) else values
        if form.is_fused:
            return [value[: form.out.bits] for value in values]
        activation = activation_form(form.node, form.domain, form.out, multiplier=self.unit.plan.multiplier)
        words = activation.words(self.op.mh)
        codes = []
        for row, value in enumerate(values):
            m.submodules[f"activation_{row}"] = unit = activation.build()
            m.d.comb += [unit.value.eq(value.as_signed() if form.sums.signed else value)]
            if activation.constant_width:
                m.d.comb += unit.constants.eq(Const(words[row], activation.constant_width))
            codes.append(unit.code)
        return codes


class UnrolledDenseStage(UnrolledStage):
    """A matrix product of every pixel: ``words`` words are gathered, then the circuit fires once.

    Timing: one word a cycle; only the last one of a pixel wants a credit. Cost: a register of the pixel, the circuit.
    """

    unit: UnrolledDense

    def elaborate(self, platform):
        self._check()
        m = Module()
        unit = self.unit
        fire, wants = Signal(), Signal()
        word = Counter(m, fire, unit.words, "word")
        words = self._words(m, fire, self.i.payload.as_value(), unit.words, "word_in")
        codes = self._codes(m, [self._pixel(words[::-1])], [])
        self._output(m, fire & word.last, codes)
        m.d.comb += [
            wants.eq(word.last if unit.words > 1 else 1),
            self.i.ready.eq(~wants | self.egress.grant),
            fire.eq(self.i.valid & self.i.ready),
        ]
        return m


class UnrolledConvStage(UnrolledStage):
    """A convolution: a :class:`RowBuffer`, a shift register that holds a window, the circuit.

    Timing: a column of the window a firing where a word carries all channels, so a window a cycle; law of
    :class:`hwq.plan.slide.Slide`. Taps in the padding bring code 0. Cost: rows of memory, registers of two windows, the circuit.
    """

    unit: UnrolledConv

    def elaborate(self, platform):
        self._check()
        m = Module()
        unit, g = self.unit, self.unit.geometry
        width = len(self.i.payload.as_value())
        kind = memory_kind(unit.plan.buffer_memory, g.row)
        m.submodules.rows = self.rows = rows = RowBuffer(width, g, unit.buffer, kind)
        take = Signal()
        read = valid_chain(m, rows.fire, READ_LATENCY, "read")
        (kh, kw), dx = g.window.kernel, g.window.dilation[1]
        taps: list[Value] = []
        for k in range(kh):
            held = self._words(m, read, rows.data[k * width : (k + 1) * width], (g.span[1] + 1) * g.words, f"row_{k}")
            for j in range(kw):
                newest = (kw - 1 - j) * dx * g.words
                taps.append(named(m, self._pixel(held[newest : newest + g.words][::-1]), f"tap_{k}_{j}"))
        borders: list[Value] = []
        if g.window.is_padded:
            taps, borders = self._masked(m, taps)
        codes = self._codes(m, taps, borders)
        self._output(m, take, codes)
        m.d.comb += [
            rows.i.valid.eq(self.i.valid),
            rows.i.payload.eq(self.i.payload.as_value()),
            self.i.ready.eq(rows.i.ready),
            rows.fire.eq(rows.available & (~rows.completes | self.egress.grant)),
            take.eq(rows.fire & rows.completes),
        ]
        return m

    def _masked(self, m: Module, taps: list[Value]) -> tuple[list[Value], list[Value]]:
        """The taps a cycle later, code 0 where they lie in the padding; and the bits of border taps."""
        rows, kw = self.rows, self.unit.geometry.window.kernel[1]
        row = delay(m, rows.rows, READ_LATENCY, "rows_real")
        column = delay(m, rows.columns, READ_LATENCY, "columns_real")
        # A register a tap: each drives the channels of its own alone.
        outside = [register(m, ~(row[k // kw] & column[k % kw]), f"outside_{k // kw}_{k % kw}", keep=True) for k in range(len(taps))]
        found = [register(m, Mux(outside[k], 0, tap), f"masked_{k // kw}_{k % kw}") for k, tap in enumerate(taps)]
        return found, [register(m, outside[k], f"border_{k}") for k in self.form.border_taps]

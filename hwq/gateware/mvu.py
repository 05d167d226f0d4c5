"""Matrix-vector unit: Reader, free-running datapath and Egress in one, no FIFO between."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.accumulator import AccumulatorControl
from hwq.gateware.egress import Egress
from hwq.gateware.fifo import forward
from hwq.gateware.lane import lane_hint
from hwq.gateware.parts import Parts
from hwq.gateware.pe import ElementForm, ProcessingElement
from hwq.gateware.pipeline import broadcast, delay, valid_chain
from hwq.gateware.reader import Counter, Reader
from hwq.gateware.rom import field, place_rom
from hwq.gateware.streams import edge_stream
from hwq.network.ops import Conv, Saturating
from hwq.numerics.encoding import Encoding
from hwq.plan.dataflow import Edge, Mvu
from hwq.plan.domain import chunk_folds
from hwq.plan.latency import READ_LATENCY, broadcast_levels

__all__ = ["MvuStage", "weight_words"]


class MvuStage(wiring.Component):
    """One contraction with the staircase behind it: ``pe`` rows by ``simd`` columns a cycle.

    The vector of ``mw`` activations comes in ``sf`` words of ``simd`` and is read ``nf`` times; pass f computes rows
    ``f * pe .. f * pe + pe - 1``, row ``f * pe`` in lane 0. Rows and columns that do not exist are weightless, their output
    lanes zero. Bit-exact with :class:`hwq.network.ops.Conv` and the activation's op.

    Timing: one firing a cycle, ``sf * nf`` a vector; only the last firing of a pass wants a credit, only the first pass
    waits for input. ``w_en`` is ``take`` ``unit.latency`` cycles later.
    Cost: weights ``ceil(mh / pe) * ceil(mw / simd)`` words of ``pe * simd`` weights; ``pe`` processing elements.

    Members
    -------
    i : In(stream)
        Words of the activation vector.
    o : Out(stream)
        Words of ``pe`` output codes.
    weights_ok : Out(1)
        All memories hold what they should.
    """

    def __init__(self, unit: Mvu, source: Edge, target: Edge, x: Encoding, out: Encoding, parts: Parts) -> None:
        self.unit, self.x, self.parts = unit, x, parts
        op = unit.stage.node.op
        assert isinstance(op, Conv)
        self.op = op
        self.form = ElementForm(op, x, unit.plan.simd, unit.stage.activation, out)
        self.tree = broadcast_levels(unit.plan.pe)
        depth = READ_LATENCY + self.tree + self.form.latency
        assert depth == unit.latency, f"{unit.name}: the datapath is {depth} deep, the plan says {unit.latency}"
        super().__init__({"i": In(edge_stream(source)), "o": Out(edge_stream(target)), "weights_ok": Out(1)})

    def elaborate(self, platform):
        m = Module()
        self.checks = []
        unit, pe = self.unit, self.unit.plan.pe
        m.submodules.reader = reader = Reader(unit.plan.simd * self.x.bits, unit.sf, unit.nf, unit.buffer)
        m.submodules.egress = self.egress = egress = Egress(pe * self.form.out.bits, unit.depth)
        m.d.comb += [
            reader.i.valid.eq(self.i.valid),
            reader.i.payload.eq(self.i.payload.as_value()),
            self.i.ready.eq(reader.i.ready),
            reader.fire.eq(reader.available & (~reader.last | egress.grant)),
            egress.take.eq(reader.fire & reader.last),
            egress.w_en.eq(valid_chain(m, egress.take, unit.latency, "produced")),
            egress.w_data.eq(Cat(*self._rows(m, reader))),
            self.weights_ok.eq(Cat(*self.checks).all()),
        ]
        forward(m, egress.o, self.o)
        return m

    def _rows(self, m: Module, reader: Reader) -> list[Value]:
        """The processing elements; their codes."""
        unit, pe, form = self.unit, self.unit.plan.pe, self.form
        columns = unit.plan.simd * self.op.weight_encoding.bits
        x = broadcast(m, reader.data, pe, "x")
        control = delay(m, self._control(m, reader), READ_LATENCY + form.lane.latency, "control")
        controls = broadcast(m, control, pe, "control")
        weights, constants = self._weights(m, reader), self._constants(m, reader)
        codes = []
        for row in range(pe):
            element = self.parts.place("pe", lane_hint(form.lane), form.key, lambda: ProcessingElement(form, self.parts))
            m.submodules[f"pe_{row}"] = element
            m.d.comb += [
                element.x.eq(x[row]),
                element.w.eq(field(weights, row, columns)),
                element.control.as_value().eq(controls[row]),
            ]
            width = form.activation.constant_width
            if width:
                m.d.comb += element.constants.eq(field(constants, row, width))
            codes.append(element.code)
        return self._mask(m, reader, codes)

    def _control(self, m: Module, reader: Reader) -> Value:
        control = Signal(AccumulatorControl(), name="issue")
        m.d.comb += [control.valid.eq(reader.fire), control.first.eq(reader.first), control.last.eq(reader.last)]
        if isinstance(self.op.accumulation, Saturating):
            folds = chunk_folds(self.op, self.unit.plan.simd)
            position = Signal(range(max(folds, 2)), name="chunk_position")
            full = position == folds - 1
            with m.If(reader.fire):
                m.d.sync += position.eq(Mux(full | reader.last, 0, position + 1))
            m.d.comb += [control.chunk_first.eq(position == 0), control.chunk_last.eq(full | reader.last)]
        return control.as_value()

    def _weights(self, m: Module, reader: Reader) -> Value:
        plan = self.unit.plan
        words = weight_words(self.op, self.form.lane.pad_weight, plan.pe, plan.simd)
        address = Counter(m, reader.fire, len(words), "weight_address")
        width = plan.pe * plan.simd * self.op.weight_encoding.bits
        # The address waits while the activations pass the register tree: narrower than delaying the weights.
        late = delay(m, address.value, self.tree, "weight_address")
        data, ok = place_rom(m, self.parts, "weights", words, width, plan.memory, late)
        self.checks.append(ok)
        return data

    def _constants(self, m: Module, reader: Reader) -> Value:
        unit, pe, form = self.unit, self.unit.plan.pe, self.form
        width = form.activation.constant_width
        channels = form.activation.words(unit.mh) + [0] * (unit.nf * pe - unit.mh)
        words = [sum(word << (k * width) for k, word in enumerate(channels[f : f + pe])) for f in range(0, unit.nf * pe, pe)]
        fold = delay(m, reader.fold, self.tree + form.constants_at, "fold")
        kind = "logic" if self.unit.plan.memory == "logic" else "lutram"
        data, ok = place_rom(m, self.parts, "constants", words, pe * width, kind, fold)
        self.checks.append(ok)
        return data

    def _mask(self, m: Module, reader: Reader, codes: list[Value]) -> list[Value]:
        """Zero for the rows beyond ``mh`` of the last pass."""
        unit, pe = self.unit, self.unit.plan.pe
        real = unit.mh - (unit.nf - 1) * pe
        if real == pe:
            return codes
        ragged = delay(m, reader.fold == unit.nf - 1, unit.latency, "ragged")
        return codes[:real] + [Mux(ragged, 0, code) for code in codes[real:]]


def weight_words(op: Conv, pad: int, pe: int, simd: int) -> list[int]:
    """Weight memory of a contraction: word ``f * sf + s`` holds rows ``f * pe ..`` and columns ``s * simd ..``.

    Code of row p, column k of the word stands in bits ``(p * simd + k) * bits ..``; ``pad`` where there is no weight.
    """
    bits = op.weight_encoding.bits
    nf, sf = -(-op.mh // pe), -(-op.mw // simd)
    codes = np.full((nf * pe, sf * simd), pad, np.int64)
    codes[: op.mh, : op.mw] = op.weight_encoding.encode(op.matrix)
    words = codes.reshape(nf, pe, sf, simd).transpose(0, 2, 1, 3).reshape(nf * sf, pe * simd, 1)
    planes = (words >> np.arange(bits)) & 1
    packed = np.packbits(planes.reshape(nf * sf, -1).astype(np.uint8), axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]

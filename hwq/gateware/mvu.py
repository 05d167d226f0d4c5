"""Contractions: Reader, free-running datapath and Egress in one, no FIFO between; the matrix-vector unit is one of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwq.fabric.weight_code import WeightCode
from hwq.gateware.accumulator import AccumulatorControl
from hwq.gateware.egress import Egress
from hwq.gateware.fifo import forward
from hwq.gateware.lane import lane_hint
from hwq.gateware.parts import Parts
from hwq.gateware.pe import ElementForm, ProcessingElement
from hwq.gateware.pipeline import broadcast, delay, named, valid_chain
from hwq.gateware.reader import Counter, Reader
from hwq.gateware.rom import field, place_rom
from hwq.gateware.streams import edge_stream
from hwq.network.ops import Conv, Saturating
from hwq.numerics.encoding import Encoding
from hwq.plan.domain import chunk_folds
from hwq.plan.latency import READ_LATENCY, broadcast_levels
from hwq.plan.units import Depthwise, Edge, Mvu, memory_kind

__all__ = ["ContractionStage", "MvuStage", "packed_words", "weight_words"]


class ContractionStage(wiring.Component):
    """A convolution with the staircase behind it: V windows of ``pe`` rows by ``simd`` columns a cycle, one weight word for all.

    Every block of a window group is read ``passes`` times; turn ``block * passes + pass`` computes the output channels from
    ``turn * pe`` on, the first in lane 0. Rows and columns that do not exist are weightless, their output lanes zero; taps in the
    padding contribute nothing. Bit-exact with :class:`hwq.network.ops.Conv` and the activation's op.

    Timing: one firing a cycle; only the last firing of a pass wants a credit, only the first pass waits for input. ``w_en`` is
    ``take`` ``unit.latency`` cycles later.

    Members
    -------
    i : In(stream)
        Words of the image.
    o : Out(stream)
        Words of V x ``pe`` output codes.
    weights_ok : Out(1)
        All memories hold what they should.
    """

    #: Products a processing element adds a cycle, and register levels between the Reader and the elements.
    simd: int
    tree: int
    #: What sums up.
    accumulator: str = "lut"
    #: Rows that share their activations.
    shared: int = 1

    def __init__(self, unit: Mvu | Depthwise, source: Edge, target: Edge, x: Encoding, out: Encoding, parts: Parts) -> None:
        self.unit, self.x, self.parts = unit, x, parts
        op = unit.stage.node.op
        assert isinstance(op, Conv)
        self.op = op
        plan = unit.plan
        self.form = ElementForm(op, x, self.simd, unit.stage.activation, out, plan.multiplier, self.accumulator, self.shared)
        self.turns = unit.geometry.blocks * unit.nf
        depth = READ_LATENCY + self.tree + self.form.latency
        assert depth == unit.latency, f"{unit.name}: the datapath is {depth} deep, the plan says {unit.latency}"
        super().__init__({"i": In(edge_stream(source)), "o": Out(edge_stream(target)), "weights_ok": Out(1)})

    def elaborate(self, platform):
        m = Module()
        self.checks = []
        unit, g = self.unit, self.unit.geometry
        kind = memory_kind(unit.plan.buffer_memory, unit.buffer)
        width = len(self.i.payload.as_value())
        m.submodules.reader = self.reader = reader = Reader(width, g, unit.buffer, kind)
        m.submodules.egress = self.egress = egress = Egress(len(self.o.payload.as_value()), unit.depth)
        m.d.comb += [
            reader.i.valid.eq(self.i.valid),
            reader.i.payload.eq(self.i.payload.as_value()),
            self.i.ready.eq(reader.i.ready),
            reader.fire.eq(reader.available & (~reader.last | egress.grant)),
            egress.take.eq(reader.fire & reader.last),
            egress.w_en.eq(valid_chain(m, egress.take, unit.latency, "produced")),
            egress.w_data.eq(Cat(*self._elements(m))),
            self.weights_ok.eq(Cat(*self.checks).all()),
        ]
        forward(m, egress.o, self.o)
        return m

    # -- what the kinds of contraction differ in

    def operands(self, m: Module, pixel: Value) -> list[Value]:
        """The activations of every row of one window, ``tree`` cycles later."""
        raise NotImplementedError

    def weights(self) -> list[int]:
        """The weight memory, a word a firing of a window group."""
        raise NotImplementedError

    # -- datapath

    def _elements(self, m: Module) -> list[Value]:
        """The processing elements of every window; their codes."""
        unit, pe, form = self.unit, self.unit.plan.pe, self.form
        pixels = unit.geometry.pixels
        columns, width = form.lane.word_bits, form.activation.constant_width
        turn = self._turn(m)
        weights, constants = self._weights(m), self._constants(m, turn)
        controls = self._controls(m)
        size = len(self.reader.data) // pixels
        codes = []
        for v in range(pixels):
            x = self.operands(m, self.reader.data[v * size : (v + 1) * size])
            for row in range(0, pe, form.rows):
                rows = min(form.rows, pe - row)
                build = partial(ProcessingElement, form, self.parts, rows)
                element = self.parts.place("pe", lane_hint(form.lane), form.key(rows), build)
                m.submodules[f"pe_{row}" if pixels == 1 else f"pe_{v}_{row}"] = element
                m.d.comb += [
                    element.x.eq(x[row]),
                    element.w.eq(Cat(*(field(weights, row + k, columns) for k in range(rows)))),
                    element.control.as_value().eq(controls[v][row]),
                ]
                if width:
                    m.d.comb += element.constants.eq(Cat(*(field(constants, row + k, width) for k in range(rows))))
                codes += [element.code[k * form.out.bits : (k + 1) * form.out.bits] for k in range(rows)]
        return self._mask(m, turn, codes)

    def _turn(self, m: Module) -> Value:
        """Number of the output word within its window group."""
        reader, g = self.reader, self.unit.geometry
        if g.blocks == 1:
            return reader.fold
        return reader.block if g.passes == 1 else Counter(m, reader.fire & reader.last, self.turns, "turn").value

    def _controls(self, m: Module) -> list[list[Value]]:
        """What the accumulators of every window and row are told, as their raw sums arrive."""
        pe, is_masked = self.unit.plan.pe, self.form.raw.zero is not None
        control = Signal(AccumulatorControl(is_masked=is_masked), name="issue")
        reader, early = self.reader, READ_LATENCY + self.form.control_at + self.tree - broadcast_levels(pe)
        m.d.comb += [control.valid.eq(reader.fire), control.first.eq(reader.first), control.last.eq(reader.last)]
        if isinstance(self.op.accumulation, Saturating):
            self._chunks(m, control)
        if not is_masked:
            return [broadcast(m, delay(m, control.as_value(), early, "control"), pe, "control")] * self.unit.geometry.pixels
        words = -(-self.op.weights.shape[3] // self.simd)
        m.d.comb += control.ragged.eq(Counter(m, reader.fire, words, "tap_word").last)
        found = []
        for v in range(self.unit.geometry.pixels):
            own = Signal.like(control, name=f"issue_{v}")
            m.d.comb += [own.eq(control), own.pad.eq(~reader.real[v])]
            found.append(broadcast(m, delay(m, own.as_value(), early, f"control_{v}"), pe, f"control_{v}"))
        return found

    def _chunks(self, m: Module, control) -> None:
        folds, reader = chunk_folds(self.op, self.simd), self.reader
        position = Signal(range(max(folds, 2)), name="chunk_position")
        full = position == folds - 1
        with m.If(reader.fire):
            m.d.sync += position.eq(Mux(full | reader.last, 0, position + 1))
        m.d.comb += [control.chunk_first.eq(position == 0), control.chunk_last.eq(full | reader.last)]

    def _weights(self, m: Module) -> Value:
        words = self.weights()
        address = Counter(m, self.reader.fire, len(words), "weight_address")
        width = self.unit.plan.pe * self.form.lane.word_bits
        # The address waits while the activations pass the register tree: narrower than delaying the weights.
        late = delay(m, address.value, self.tree, "weight_address")
        return self._rom(m, "weights", words, width, self.unit.plan.memory, late)

    def _constants(self, m: Module, turn: Value) -> Value:
        plan, form = self.unit.plan, self.form
        width = form.activation.constant_width
        channels = form.activation.words(self.op.mh) + [0] * (self.turns * plan.pe - self.op.mh)
        words = [sum(word << (k * width) for k, word in enumerate(channels[f : f + plan.pe])) for f in range(0, len(channels), plan.pe)]
        # The turn stood before the vector's last firing as long as the constants shall stand after it.
        late = delay(m, turn, self.tree + form.constants_at + form.activation.held - 1, "turn")
        kind = plan.memory if plan.constants == "auto" else plan.constants
        return self._rom(m, "constants", words, plan.pe * width, kind, late)

    def _rom(self, m: Module, hint: str, words: Sequence[int], width: int, kind: str, address: Value) -> Value:
        data, ok = place_rom(m, self.parts, hint, words, width, kind, address)
        self.checks.append(ok)
        return data if isinstance(data, Const) else named(m, data, f"{hint}_word")

    def _mask(self, m: Module, turn: Value, codes: list[Value]) -> list[Value]:
        """Zero for the rows beyond the channels in the last turn."""
        pe = self.unit.plan.pe
        real = self.op.mh - (self.turns - 1) * pe
        if real == pe:
            return codes
        ragged = delay(m, turn == self.turns - 1, self.unit.latency, "ragged")
        return [Mux(ragged, 0, code) if k % pe >= real else code for k, code in enumerate(codes)]


class MvuStage(ContractionStage):
    """The matrix-vector unit: the rows share the activations, which reach them through a tree of registers.

    ``sf`` = taps x words of a group's channels, ``nf`` = passes; in a grouped convolution the blocks are the groups.
    Cost: weights ``blocks * nf * sf`` words of ``pe * simd`` weights; V x ``pe`` processing elements.
    """

    def __init__(self, unit: Mvu, source: Edge, target: Edge, x: Encoding, out: Encoding, parts: Parts) -> None:
        plan = unit.plan
        self.simd, self.tree, self.accumulator, self.shared = plan.simd, broadcast_levels(plan.pe), plan.accumulator, plan.pe
        super().__init__(unit, source, target, x, out, parts)

    def operands(self, m: Module, pixel: Value) -> list[Value]:
        return broadcast(m, pixel, self.unit.plan.pe, "x")

    def weights(self) -> list[int]:
        return weight_words(self.op, self.form.contraction.code, self.form.lane.pad_weight, self.unit.plan.pe, self.simd)


def weight_words(op: Conv, code: WeightCode, pad: int, pe: int, simd: int) -> list[int]:
    """Weight memory of a contraction, in the order of the firings: group, pass, kh, kw, word of the group's channels.

    A word holds rows of its pass and columns of its tap; the code of row p, column k stands in bits ``(p * simd + k) * bits ..``;
    ``pad`` where there is no weight.
    """
    _, kh, kw, channels = op.weights.shape
    rows, taps = op.mh // op.groups, int(kh * kw)
    nf, words = -(-rows // pe), -(-channels // simd)
    # The smallest type: a large layer has a hundred million weights.
    codes = np.full((op.groups, nf * pe, taps, words * simd), pad, np.min_scalar_type((1 << code.bits) - 1))
    codes[:, :rows, :, :channels] = code.encode(op.weights).reshape(op.groups, rows, taps, channels)
    ordered = codes.reshape(op.groups, nf, pe, taps, words, simd).transpose(0, 1, 3, 4, 2, 5)
    return packed_words(ordered.reshape(op.groups * nf * taps * words, pe * simd), code.bits)


def packed_words(codes: np.ndarray, bits: int) -> list[int]:
    """Rows of codes as integers, the first code in the low bits."""
    planes = np.empty((*codes.shape, bits), np.uint8)
    for bit in range(bits):
        planes[:, :, bit] = (codes >> bit) & 1
    packed = np.packbits(planes.reshape(len(codes), -1), axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]

"""Upsample: every pixel several times, nearest neighbour."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.channels import lanes_of
from hwq.gateware.egress import Egress
from hwq.gateware.fifo import forward
from hwq.gateware.memories import memory_attributes
from hwq.gateware.pipeline import register, valid_chain
from hwq.gateware.reader import Counter
from hwq.gateware.streams import edge_stream
from hwq.plan.latency import READ_LATENCY
from hwq.plan.units import Edge, UpsampleUnit, memory_kind

__all__ = ["UpsampleStage"]


class UpsampleStage(wiring.Component):
    """Every row ``factor[0]`` times, in it every pixel ``factor[1]`` times, from a buffer of ``buffer`` words.

    A word is freed by the firing that reads it for the last time; where pixels repeat (``factor[1]`` > 1), all words of a pixel
    by the last word of its last repetition. Word m may enter while fewer than ``buffer`` words are held; a firing may read a word
    from the cycle after it was written.

    Timing: one word a cycle, each wants a credit, L = ``unit.latency``.
    Cost: a simple dual-port memory, two counters of words and the position.

    Members
    -------
    i : In(stream)
        Words of the image; ``ready`` is a flip-flop.
    o : Out(stream)
        Words of the larger image.
    """

    def __init__(self, unit: UpsampleUnit, source: Edge, target: Edge) -> None:
        assert unit.latency == READ_LATENCY, f"{unit.name}: the datapath is {READ_LATENCY} deep, the plan says {unit.latency}"
        self.unit, self.target = unit, target
        #: Words that are read over before any is freed.
        self.span = unit.words * (unit.columns if unit.factor[0] > 1 else 1)
        if unit.buffer < (self.span if max(unit.factor) > 1 else 1):
            raise ValueError(f"the buffer must hold what repeats: buffer={unit.buffer}, at least {self.span}")
        super().__init__({"i": In(edge_stream(source)), "o": Out(edge_stream(target))})

    def elaborate(self, platform):
        m = Module()
        unit = self.unit
        m.submodules.egress = self.egress = egress = Egress(self.target.word_bits, unit.depth)
        fire, written, there = Signal(), Signal(), Signal()
        self._position(m, fire)
        self._occupancy(m, written, fire, there)
        m.d.comb += [
            written.eq(self.i.valid & self.i.ready),
            fire.eq(there & egress.grant),
            egress.take.eq(fire),
            egress.w_en.eq(valid_chain(m, fire, unit.latency, "produced")),
            egress.w_data.eq(self._memory(m, written, fire)),
        ]
        forward(m, egress.o, self.o)
        return m

    def _position(self, m: Module, fire: Value) -> None:
        """Where the reading goes after a firing: back by ``back`` words, and what it frees."""
        unit = self.unit
        self.word = word = Counter(m, fire, unit.words, "word")
        self.again = again = Counter(m, fire & word.last, unit.factor[1], "pixel_again")
        self.column = column = Counter(m, fire & word.last & again.last, unit.columns, "column")
        self.row_again = row_again = Counter(m, fire & word.last & again.last & column.last, unit.factor[0], "row_again")
        pixel_back, row_back = Signal(), Signal()
        m.d.comb += [
            pixel_back.eq(word.last & ~again.last),
            row_back.eq(word.last & again.last & column.last & ~row_again.last),
        ]
        #: Words by which the reading goes back after the firing, less the one that it goes forward.
        self.back = Signal(range(-1, max(self.span, unit.words)), name="back")
        m.d.comb += self.back.eq(Mux(pixel_back, unit.words - 1, Mux(row_back, self.span - 1, -1)))
        whole = unit.factor[1] > 1
        #: Words that the firing frees.
        self.freed = Signal(range(unit.words + 1), name="freed")
        last_time = row_again.last & (word.last & again.last if whole else 1)
        m.d.comb += self.freed.eq(Mux(last_time, unit.words if whole else 1, 0))

    def _occupancy(self, m: Module, written: Value, fire: Value, there: Signal) -> None:
        buffer = self.unit.buffer
        self.held = held = Signal(range(buffer + 1))
        after = Signal(range(buffer + 1))
        # Words from the one that is read next to the last one written.
        self.ahead = ahead = Signal(range(buffer + 1))
        ready = Signal(init=1)
        m.d.comb += [
            after.eq(held + written - Mux(fire, self.freed, 0)),
            there.eq(ahead != 0),
            self.i.ready.eq(ready),
        ]
        m.d.sync += [held.eq(after), ready.eq(after != buffer), ahead.eq(ahead + written + Mux(fire, self.back, 0))]

    def _memory(self, m: Module, written: Value, fire: Value) -> Value:
        # Addresses wrap at a power of two; the counts above keep the ring from overflowing.
        unit, width = self.unit, self.target.word_bits
        bits = max(1, (unit.buffer - 1).bit_length())
        attributes = memory_attributes(memory_kind(unit.plan.buffer_memory, unit.buffer))
        m.submodules.ring = ring = memory.Memory(shape=unsigned(width), depth=1 << bits, init=[], attrs=attributes)
        write, read = ring.write_port(), ring.read_port()
        self.tail, self.head = tail, head = Signal(bits), Signal(bits)
        word = lanes_of(m, self.i.payload.as_value(), 1, width, "word_in")[0]
        m.d.comb += [write.en.eq(written), write.addr.eq(tail), write.data.eq(word), read.addr.eq(head)]
        m.d.sync += tail.eq(tail + written)
        with m.If(fire):
            m.d.sync += head.eq(head - self.back)
        return register(m, read.data, "output")

"""Reader: the input buffer of a stage, which re-reads its vector for every neuron fold."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.memories import memory_attributes
from hwq.gateware.pipeline import register

__all__ = ["Counter", "Reader"]

# Deeper buffers go to block RAM.
LUTRAM_DEPTH = 64


class Counter:
    """Counts ``step`` from 0 to ``count - 1`` and over: ``value``, and ``last`` while it stands at its end."""

    def __init__(self, m: Module, step, count: int, name: str) -> None:
        self.value = Signal(range(max(count, 2)), name=name)
        self.last = Signal(name=f"{name}_last")
        m.d.comb += self.last.eq(self.value == count - 1)
        if count > 1:
            with m.If(step):
                m.d.sync += self.value.eq(Mux(self.last, 0, self.value + 1))


class Reader(wiring.Component):
    """Buffers vectors of ``sf`` words and presents each ``nf`` times, word by word.

    The window law of the design with H = W = k = 1: word m of the stream may enter while fewer than ``buffer`` words are
    held, counted from the vector being read; a vector is freed when the last word of its last pass is read. In the first pass a
    word is available from the cycle after it was written; in later passes always.

    Timing: ``fire`` in cycle t reads the word at (``fold``, ``word``) and puts it on ``data`` in cycle t + 2
    (:data:`hwq.plan.latency.READ_LATENCY`). Full rate with ``buffer`` >= 2 sf, or a bit less.
    Cost: a simple dual-port memory of 2**ceil(log2 ``buffer``) words and some counters.

    Members
    -------
    i : In(stream)
        Words in; ``ready`` is a flip-flop.
    available : Out(1)
        The word that the next firing reads is there.
    fire : In(1)
        Read now; only while ``available``.
    word, fold : Out
        Position of the firing: word of the vector, pass.
    first, last, done : Out(1)
        The firing is the first, the last of its pass; the last of the vector's last pass.
    data : Out(unsigned(width))
        Word read two cycles ago.
    """

    def __init__(self, width: int, sf: int, nf: int, buffer: int) -> None:
        if buffer < sf:
            raise ValueError(f"the buffer must hold a vector: buffer={buffer}, sf={sf}")
        self.width, self.sf, self.nf, self.buffer = width, sf, nf, buffer
        super().__init__(
            {
                "i": In(stream.Signature(unsigned(width))),
                "available": Out(1),
                "fire": In(1),
                "word": Out(range(max(sf, 2))),
                "fold": Out(range(max(nf, 2))),
                "first": Out(1),
                "last": Out(1),
                "done": Out(1),
                "data": Out(unsigned(width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        word = Counter(m, self.fire, self.sf, "word_count")
        fold = Counter(m, self.fire & word.last, self.nf, "fold_count")
        m.d.comb += [
            self.word.eq(word.value),
            self.fold.eq(fold.value),
            self.first.eq(word.value == 0),
            self.last.eq(word.last),
            self.done.eq(word.last & fold.last),
        ]
        written = Signal()
        m.d.comb += written.eq(self.i.valid & self.i.ready)
        self._occupancy(m, written)
        self._memory(m, written)
        return m

    def _occupancy(self, m: Module, written) -> None:
        # Words held, counted from the first word of the vector being read.
        fill, after = Signal(range(self.buffer + 1)), Signal(range(self.buffer + 1))
        freed = Signal()
        ready = Signal(init=1)
        m.d.comb += [
            freed.eq(self.fire & self.done),
            after.eq(fill + written - Mux(freed, self.sf, 0)),
            self.i.ready.eq(ready),
            self.available.eq((fill > self.word) | (self.fold != 0)),
        ]
        m.d.sync += [fill.eq(after), ready.eq(after != self.buffer)]

    def _memory(self, m: Module, written) -> None:
        # Addresses wrap at a power of two; the count above keeps the ring from overflowing.
        bits = max(1, (self.buffer - 1).bit_length())
        kind = "lutram" if self.buffer <= LUTRAM_DEPTH else "block"
        m.submodules.ring = ring = memory.Memory(shape=unsigned(self.width), depth=1 << bits, init=[], attrs=memory_attributes(kind))
        write, read = ring.write_port(), ring.read_port()
        tail, head, base = Signal(bits), Signal(bits), Signal(bits)
        m.d.comb += [
            write.en.eq(written),
            write.addr.eq(tail),
            write.data.eq(self.i.payload),
            read.addr.eq(head),
            self.data.eq(register(m, read.data, "output")),
        ]
        m.d.sync += tail.eq(tail + written)
        with m.If(self.fire):
            with m.If(self.done):
                m.d.sync += [head.eq(head + 1), base.eq(head + 1)]
            with m.Elif(self.last):
                m.d.sync += head.eq(base)
            with m.Else():
                m.d.sync += head.eq(head + 1)

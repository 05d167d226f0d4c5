"""Egress: credits and output FIFO, the only flow control of a stage."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Shape, Signal, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.memories import memory_attributes

__all__ = ["Egress"]


class Egress(wiring.Component):
    """Credits and a FIFO of ``depth`` words behind a datapath that cannot be stopped.

    A credit is spent with ``take`` when the firing that will produce a word is issued; the datapath raises ``w_en`` a
    constant number L of cycles later. Overflow is impossible by counting, so there is no full flag.

    Timing: ``w_en`` in cycle t gives ``o.valid`` from t + 1; a credit is usable again in the cycle after its word was
    popped. So D words in flight sustain one word a cycle when D >= L + 2.
    Cost: about 11 LUT of control at depth 8 whatever the width, and a LUT RAM of ``width`` bits; a register at depth 1.

    Members
    -------
    grant : Out(1)
        A credit is free. A flip-flop.
    take : In(1)
        Spend a credit in this cycle; only while ``grant``.
    w_en, w_data : In
        The word, exactly L cycles after its ``take``.
    credits : Out
        Free credits, 0 .. depth.
    o : Out(stream)
        The words, in order.
    """

    def __init__(self, width: int, depth: int) -> None:
        if depth < 1:
            raise ValueError(f"depth must be at least 1: depth={depth}")
        self.width, self.depth = width, depth
        super().__init__(
            {
                "grant": Out(1, init=1),
                "take": In(1),
                "w_en": In(1),
                "w_data": In(unsigned(width)),
                "credits": Out(Shape.cast(range(depth + 1)), init=depth),
                "o": Out(stream.Signature(unsigned(width))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        pop = Signal()
        m.d.comb += pop.eq(self.o.valid & self.o.ready)
        with m.If(self.take & ~pop):
            m.d.sync += [self.credits.eq(self.credits - 1), self.grant.eq(self.credits != 1)]
        with m.Elif(pop & ~self.take):
            m.d.sync += [self.credits.eq(self.credits + 1), self.grant.eq(1)]
        if self.depth == 1:
            self._register(m, pop)
        else:
            self._ring(m, pop)
        return m

    def _register(self, m: Module, pop: Signal) -> None:
        valid, word = Signal(), Signal(self.width, reset_less=True)
        with m.If(self.w_en):
            m.d.sync += [valid.eq(1), word.eq(self.w_data)]
        with m.Elif(pop):
            m.d.sync += valid.eq(0)
        m.d.comb += [self.o.valid.eq(valid), self.o.payload.eq(word)]
        #: Occupied words, 0 or 1, for proofs.
        self.level = valid

    def _ring(self, m: Module, pop: Signal) -> None:
        # Pointers wrap at a power of two: the credits keep the level at or below the depth.
        bits = (self.depth - 1).bit_length()
        m.submodules.ring = ring = memory.Memory(shape=unsigned(self.width), depth=1 << bits, init=[], attrs=memory_attributes("lutram"))
        write, read = ring.write_port(), ring.read_port(domain="comb")
        head, tail = Signal(bits), Signal(bits)
        level, valid = Signal(range(self.depth + 1)), Signal()
        m.d.comb += [
            write.en.eq(self.w_en),
            write.addr.eq(tail),
            write.data.eq(self.w_data),
            read.addr.eq(head),
            self.o.valid.eq(valid),
            self.o.payload.eq(read.data),
        ]
        m.d.sync += [tail.eq(tail + self.w_en), head.eq(head + pop)]
        with m.If(self.w_en & ~pop):
            m.d.sync += [level.eq(level + 1), valid.eq(1)]
        with m.Elif(pop & ~self.w_en):
            m.d.sync += [level.eq(level - 1), valid.eq(level != 1)]
        self.level = level
        self._head, self._tail, self._memory = head, tail, ring

    def ghost_slots(self, m: Module) -> list:
        """For proofs only, before elaboration of ``m`` ends: the words of the FIFO, oldest first (valid up to ``level``)."""
        if self.depth == 1:
            return [self.o.payload]
        bits = len(self._head)
        slots = []
        for k in range(self.depth):
            port = self._memory.read_port(domain="comb")
            m.d.comb += port.addr.eq((self._head + k)[:bits])
            slots.append(Cat(port.data))
        return slots

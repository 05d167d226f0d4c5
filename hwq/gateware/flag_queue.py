"""Queue of one bit a frame: tells the egress which frames were repaired at the ingress."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.memories import memory_attributes

__all__ = ["FlagQueue"]


class FlagQueue(wiring.Component):
    """A queue of bits that never delays anything: it holds all frames that can be in flight.

    A frame may leave before it has entered whole, where its last words are read by no window: then what went wrong behind them
    cannot have touched it, and it is not bad. The next frame does not leave before.

    Timing: a bit pushed in cycle t is at the head from t + 1. Cost: two pointers and a LUT RAM one bit wide.

    Members
    -------
    push, push_bad : In(1)
        A frame has entered; it was repaired.
    pop : In(1)
        A frame has left.
    bad : Out(1)
        The oldest frame has entered whole, and was repaired.
    """

    def __init__(self, frames: int) -> None:
        self.frames = frames
        super().__init__({"push": In(1), "push_bad": In(1), "pop": In(1), "bad": Out(1)})

    def elaborate(self, platform):
        m = Module()
        bits = (self.frames + 1).bit_length()
        m.submodules.ring = ring = memory.Memory(shape=unsigned(1), depth=1 << bits, init=[], attrs=memory_attributes("lutram"))
        write, read = ring.write_port(), ring.read_port(domain="comb")
        head, tail, level = Signal(bits), Signal(bits), Signal(bits)
        m.d.comb += [
            write.en.eq(self.push),
            write.addr.eq(tail),
            write.data.eq(self.push_bad),
            read.addr.eq(head),
            level.eq(tail - head),
            # One ahead, at most: a level of -1.
            self.bad.eq(read.data & level.any() & ~level.all()),
        ]
        m.d.sync += [tail.eq(tail + self.push), head.eq(head + self.pop)]
        return m

"""Queue of one bit a frame: tells the egress which frames were repaired at the ingress."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.memories import memory_attributes
from hwq.plan.dataflow import Dataflow, Mvu

__all__ = ["FlagQueue", "frames_in_flight"]


def frames_in_flight(dataflow: Dataflow) -> int:
    """An upper bound of the frames inside the design at a time: the words that fit between ingress and egress, unit by unit."""
    frames = 2
    for unit in dataflow.units:
        words = dataflow.edges[unit.outputs[0]].words if unit.outputs else dataflow.edges[unit.inputs[0]].words
        # A unit holds at most its output words, a frame half read and a frame half written.
        frames += -(-getattr(unit, "depth", 1) // words) + 2
        if isinstance(unit, Mvu):
            frames += -(-unit.buffer // unit.sf)
    return frames


class FlagQueue(wiring.Component):
    """A queue of bits that never delays anything: it holds all frames that can be in flight.

    Timing: a bit pushed in cycle t is at the head from t + 1. Cost: two pointers and a LUT RAM one bit wide.

    Members
    -------
    push, push_bad : In(1)
        A frame has entered; it was repaired.
    pop : In(1)
        A frame has left.
    bad : Out(1)
        The oldest frame was repaired.
    """

    def __init__(self, frames: int) -> None:
        self.frames = frames
        super().__init__({"push": In(1), "push_bad": In(1), "pop": In(1), "bad": Out(1)})

    def elaborate(self, platform):
        m = Module()
        bits = max(1, (self.frames - 1).bit_length())
        m.submodules.ring = ring = memory.Memory(shape=unsigned(1), depth=1 << bits, init=[], attrs=memory_attributes("lutram"))
        write, read = ring.write_port(), ring.read_port(domain="comb")
        head, tail = Signal(bits), Signal(bits)
        m.d.comb += [
            write.en.eq(self.push),
            write.addr.eq(tail),
            write.data.eq(self.push_bad),
            read.addr.eq(head),
            self.bad.eq(read.data),
        ]
        m.d.sync += [tail.eq(tail + self.push), head.eq(head + self.pop)]
        return m

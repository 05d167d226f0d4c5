"""Concat: the channels of several streams one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.channels import lanes_of
from hwq.gateware.egress import Egress
from hwq.gateware.fifo import forward
from hwq.gateware.reader import Counter
from hwq.gateware.recode import recoded
from hwq.gateware.streams import edge_stream
from hwq.numerics.encoding import Encoding
from hwq.plan.moving_units import ConcatUnit
from hwq.plan.units import Edge

__all__ = ["ConcatStage", "turns"]


def turns(m: Module, position: Value, words: Sequence[int]) -> list[Value]:
    """Whose turn it is: bit k while ``position`` is among the ``words[k]`` words of k."""
    ends = [sum(words[: k + 1]) for k in range(len(words))]
    bits = []
    for k, end in enumerate(ends):
        turn = Signal(name=f"turn_{k}")
        m.d.comb += turn.eq((position >= end - words[k]) & (position < end))
        bits.append(turn)
    return bits


class ConcatStage(wiring.Component):
    """Channels of input 0, then of input 1, ... for every V pixels; codes are brought to the output's encoding.

    Serial: ``words[k]`` words of input k in turn, one a cycle. Wide: all inputs bring their channels in one word each and are
    taken at once.

    Timing: a FIFO law with L = 0. Serial, ``i<k>.ready`` is the credit in its turn; wide, it follows the other inputs' valid.
    Cost: a multiplexer of the word, or wires.

    Members
    -------
    i0, i1, ... : In(stream)
        Words of each input.
    o : Out(stream)
        Words of the joined channels.
    """

    def __init__(self, unit: ConcatUnit, sources: Sequence[Edge], target: Edge, xs: Sequence[Encoding], out: Encoding) -> None:
        assert unit.latency == 0, f"{unit.name}: the datapath has no registers, the plan says {unit.latency}"
        self.unit, self.target, self.xs, self.out = unit, target, tuple(xs), out
        #: Channels a pixel in a word of each input.
        self.parts = [source.channels if unit.is_wide else target.elements for source in sources]
        inputs = {f"i{k}": In(edge_stream(source)) for k, source in enumerate(sources)}
        super().__init__({**inputs, "o": Out(edge_stream(target))})

    def elaborate(self, platform):
        m = Module()
        inputs = [getattr(self, f"i{k}") for k in range(len(self.xs))]
        m.submodules.egress = self.egress = egress = Egress(self.target.word_bits, self.unit.depth)
        self.fire = fire = Signal()
        pixels = [self._pixels(m, i.payload.as_value(), k) for k, i in enumerate(inputs)]
        valids = [i.valid for i in inputs]
        if self.unit.is_wide:
            for k, i in enumerate(inputs):
                m.d.comb += i.ready.eq(egress.grant & Cat(*(v for n, v in enumerate(valids) if n != k)).all())
            m.d.comb += fire.eq(egress.grant & Cat(*valids).all())
            word = Cat(*(part[v] for v in range(self.target.pixels) for part in pixels))
        else:
            self.position = position = Counter(m, fire, sum(self.unit.words), "position")
            chosen = turns(m, position.value, self.unit.words)
            m.d.comb += [i.ready.eq(egress.grant & turn) for i, turn in zip(inputs, chosen, strict=True)]
            m.d.comb += fire.eq(egress.grant & (Cat(*valids) & Cat(*chosen)).any())
            word = Cat(*pixels[-1])
            for turn, part in zip(chosen[:-1], pixels[:-1], strict=True):
                word = Mux(turn, Cat(*part), word)
        m.d.comb += [egress.take.eq(fire), egress.w_en.eq(fire), egress.w_data.eq(word)]
        forward(m, egress.o, self.o)
        return m

    def _pixels(self, m: Module, payload: Value, k: int) -> list[Value]:
        """The codes of each of the V pixels of a word of input k, in the output's encoding."""
        part, x = self.parts[k], self.xs[k]
        codes = lanes_of(m, payload, part * self.target.pixels, x.bits, f"codes_{k}")
        new = [recoded(code, x, self.out) for code in codes]
        return [Cat(*new[v * part : (v + 1) * part]) for v in range(self.target.pixels)]

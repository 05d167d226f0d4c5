"""Argmax: the index of the largest channel; ties take the lowest."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.accumulator import domain_shape
from hwq.gateware.pipeline import delay, register
from hwq.gateware.reader import Counter
from hwq.gateware.selection import select
from hwq.gateware.streams import edge_stream
from hwq.numerics.encoding import Encoding
from hwq.plan.domain import encoding_domain
from hwq.plan.moving_units import ArgMaxUnit
from hwq.plan.units import Edge

__all__ = ["ArgMaxStage"]


@dataclass(frozen=True)
class Candidate:
    """A value of a tournament, its lane, and whether its channel exists."""

    value: Value
    lane: Value
    exists: Value


class ArgMaxStage(wiring.Component):
    """Index of the largest of ``channels`` codes that come in words of ``pe``; bit-exact with :class:`hwq.network.ops.ArgMax`.

    A tournament of the lanes of a word, a register a round, then the best word so far: the later wins only when larger.

    Timing: a word a cycle; the last word of a pixel wants a credit and produces, L = ceil(log2 ``pe``) + 1.
    Cost: ``pe`` comparators and multiplexers.

    Members
    -------
    i : In(stream)
        Words of ``pe`` codes, ``unit.words`` a pixel.
    o : Out(stream)
        One index a pixel.
    """

    def __init__(self, unit: ArgMaxUnit, source: Edge, target: Edge, x: Encoding) -> None:
        self.unit, self.x, self.pe = unit, x, unit.plan.pe
        self.rounds = (self.pe - 1).bit_length()
        assert self.rounds + 1 == unit.latency, f"{unit.name}: the datapath is {self.rounds + 1} deep, the plan says {unit.latency}"
        super().__init__({"i": In(edge_stream(source)), "o": Out(edge_stream(target))})

    def elaborate(self, platform):
        m = Module()
        select(m, self.unit, self.i, self.o, lambda fire, word: self._best(m, fire, word))
        return m

    def _best(self, m: Module, fire, word: Counter) -> Signal:
        winner = self._tournament(m, word)
        arrived = delay(m, fire, self.rounds, "arrived")
        first = delay(m, word.value == 0, self.rounds, "first")
        base = delay(m, (word.value * self.pe)[: len(self.o.payload.as_value())], self.rounds, "base")
        value = Signal(winner.value.shape(), name="best_value", reset_less=True)
        index = Signal(len(self.o.payload.as_value()), name="best_index", reset_less=True)
        with m.If(arrived & (first | (winner.value > value))):
            m.d.sync += [value.eq(winner.value), index.eq(base + winner.lane)]
        return index

    def _tournament(self, m: Module, word: Counter) -> Candidate:
        shape, bits = domain_shape(encoding_domain(self.x)), self.x.bits
        codes = Signal(self.pe * bits, name="codes")
        m.d.comb += codes.eq(self.i.payload.as_value())
        real = self.unit.channels - (self.unit.words - 1) * self.pe
        lanes = []
        for lane in range(self.pe):
            value = Signal(shape, name=f"value_{lane}")
            exists = Signal(name=f"exists_{lane}")
            m.d.comb += [value.eq(codes[lane * bits : (lane + 1) * bits]), exists.eq(1 if lane < real else ~word.last)]
            number = Signal(range(max(self.pe, 2)), name=f"number_{lane}", init=lane)
            m.d.comb += number.eq(lane)
            lanes.append(Candidate(value, number, exists))
        for level in range(self.rounds):
            pairs = [lanes[k : k + 2] for k in range(0, len(lanes), 2)]
            lanes = [self._round(m, pair, f"round{level}_{k}") for k, pair in enumerate(pairs)]
        return lanes[0]

    def _round(self, m: Module, pair: list[Candidate], name: str) -> Candidate:
        left, right = pair[0], pair[-1]
        later = right.exists & (right.value > left.value)
        return Candidate(
            register(m, Mux(later, right.value, left.value), f"{name}_value"),
            register(m, Mux(later, right.lane, left.lane), f"{name}_lane"),
            register(m, left.exists, f"{name}_exists"),
        )

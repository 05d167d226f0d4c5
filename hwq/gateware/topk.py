"""Top-k: the indices of the largest channels, largest first; ties take the lowest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.channels import lanes_of
from hwq.gateware.pipeline import delay, named, register
from hwq.gateware.reader import Counter
from hwq.gateware.selection import select
from hwq.gateware.streams import edge_stream
from hwq.numerics.encoding import Encoding
from hwq.plan.moving_units import TopKUnit
from hwq.plan.units import Edge

__all__ = ["TopKStage"]


@dataclass(frozen=True)
class Arrival:
    """What comes to a rank with a word: a key a lane, whether there is a word, whether it opens a pixel."""

    keys: Sequence[Value]
    valid: Value
    first: Value


class TopKStage(wiring.Component):
    """Indices of the ``k`` largest of ``channels`` codes that come in words of ``pe``; bit-exact with :class:`hwq.network.ops.TopK`.

    A channel is a key: whether it exists, its value, its index inverted, so that the larger key is the better channel. Ranks in a
    row, each holds the largest key of those that reach it: a tournament of the lanes of a word, then a comparison with the one
    it holds. The word goes on to the next rank with the smaller of the two in the place of the winner.

    Timing: a word a cycle; the last word of a pixel wants a credit and produces, L = ``k`` (ceil(log2 ``pe``) + 1).
    Cost: ``k pe`` comparators and multiplexers.

    Members
    -------
    i : In(stream)
        Words of ``pe`` codes, ``unit.words`` a pixel.
    o : Out(stream)
        ``k`` indices a pixel.
    """

    def __init__(self, unit: TopKUnit, source: Edge, target: Edge, x: Encoding) -> None:
        self.unit, self.x, self.pe, self.bits = unit, x, unit.plan.pe, target.bits
        self.rounds = (self.pe - 1).bit_length()
        depth = unit.k * (self.rounds + 1)
        assert depth == unit.latency, f"{unit.name}: the datapath is {depth} deep, the plan says {unit.latency}"
        super().__init__({"i": In(edge_stream(source)), "o": Out(edge_stream(target))})

    def elaborate(self, platform):
        m = Module()
        self.egress = select(m, self.unit, self.i, self.o, lambda fire, word: self._ranked(m, fire, word))
        return m

    def _ranked(self, m: Module, fire: Value, word: Counter) -> Value:
        arrival = Arrival(self._keys(m, fire, word), fire, word.value == 0)
        indices = []
        for rank in range(self.unit.k):
            held, arrival = self._rank(m, arrival, f"rank{rank}")
            indices.append(delay(m, ~held[: self.bits], (self.unit.k - 1 - rank) * (self.rounds + 1), f"rank{rank}_index"))
        return Cat(*indices)

    def _keys(self, m: Module, fire: Value, word: Counter) -> list[Value]:
        codes = lanes_of(m, self.i.payload.as_value(), self.pe, self.x.bits, "codes")
        real = self.unit.channels - (self.unit.words - 1) * self.pe
        base = Signal(self.bits, name="base")
        with m.If(fire):
            m.d.sync += base.eq(Mux(word.last, 0, base + self.pe))
        keys: list[Value] = []
        for lane, code in enumerate(codes):
            key = Signal(self.bits + self.x.bits + 1, name=f"key_{lane}")
            # Two's complement numbers in the order of unsigned ones.
            value = code ^ (1 << (self.x.bits - 1)) if self.x.signed else code
            m.d.comb += key.eq(Cat(~(base + lane)[: self.bits], value, 1 if lane < real else ~word.last))
            keys.append(key)
        return keys

    def _rank(self, m: Module, arrival: Arrival, name: str) -> tuple[Signal, Arrival]:
        """The best so far, a cycle after the tournament; what goes on to the next rank in the same cycle."""
        winner, place = self._tournament(m, arrival.keys, name)
        keys = [delay(m, key, self.rounds, f"{name}_key{k}") for k, key in enumerate(arrival.keys)]
        first, valid = (delay(m, v, self.rounds, f"{name}_{n}") for n, v in (("first", arrival.first), ("valid", arrival.valid)))
        held = Signal(winner.shape(), name=f"{name}_held", reset_less=True)
        before = named(m, Mux(first, 0, held), f"{name}_before")
        wins = named(m, winner > before, f"{name}_wins")
        with m.If(valid):
            m.d.sync += held.eq(Mux(wins, winner, before))
        after = [register(m, Mux(wins & (place == k), before, key), f"{name}_next{k}") for k, key in enumerate(keys)]
        return held, Arrival(after, register(m, valid, f"{name}_went"), register(m, first, f"{name}_opens"))

    def _tournament(self, m: Module, keys: Sequence[Value], name: str) -> tuple[Value, Value]:
        """The largest key and its lane; a register a round."""
        entries: list[tuple[Value, Value]] = [(key, Const(k, range(max(self.pe, 2)))) for k, key in enumerate(keys)]
        for level in range(self.rounds):
            pairs = [entries[k : k + 2] for k in range(0, len(entries), 2)]
            entries = [self._round(m, pair[0], pair[-1], f"{name}_round{level}_{k}") for k, pair in enumerate(pairs)]
        return entries[0]

    def _round(self, m: Module, left: tuple[Value, Value], right: tuple[Value, Value], name: str) -> tuple[Value, Value]:
        later = named(m, right[0] > left[0], f"{name}_later")
        key, place = (register(m, Mux(later, b, a), f"{name}_{n}") for n, a, b in zip(("key", "place"), left, right, strict=True))
        return key, place

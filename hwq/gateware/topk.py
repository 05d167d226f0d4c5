"""Top-k: the indices of the largest channels, largest first; ties take the lowest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.accumulator import domain_shape
from hwq.gateware.channels import lanes_of
from hwq.gateware.egress import Egress
from hwq.gateware.fifo import forward
from hwq.gateware.pipeline import delay, named, register, valid_chain
from hwq.gateware.reader import Counter
from hwq.gateware.streams import edge_stream
from hwq.numerics.encoding import Encoding
from hwq.plan.domain import encoding_domain
from hwq.plan.units import Edge, TopKUnit

__all__ = ["TopKStage"]


@dataclass(frozen=True)
class Candidate:
    """A value, the index of its channel, and whether there is one."""

    value: Value
    index: Value
    exists: Value


@dataclass(frozen=True)
class Arrival:
    """What comes to a rank with a word: candidates in order of index, whether the first was driven out of the rank above."""

    lanes: Sequence[Candidate]
    displaced: Value
    valid: Value
    first: Value


class TopKStage(wiring.Component):
    """Indices of the ``k`` largest of ``channels`` codes that come in words of ``pe``; bit-exact with :class:`hwq.network.ops.TopK`.

    Ranks in a row, each holds the best so far of what reaches it: a tournament of the lanes of a word, then a comparison with
    the one it holds. The word goes on to the next rank without the winner, and with the one that it drove out in front.

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
        unit = self.unit
        m.submodules.egress = self.egress = egress = Egress(len(self.o.payload.as_value()), unit.depth)
        fire = Signal()
        word = Counter(m, fire, unit.words, "word")
        m.d.comb += [
            self.i.ready.eq(~word.last | egress.grant),
            fire.eq(self.i.valid & self.i.ready),
            egress.take.eq(fire & word.last),
            egress.w_en.eq(valid_chain(m, egress.take, unit.latency, "produced")),
            egress.w_data.eq(self._ranked(m, fire, word)),
        ]
        forward(m, egress.o, self.o)
        return m

    def _ranked(self, m: Module, fire: Value, word: Counter) -> Value:
        arrival = Arrival(self._lanes(m, fire, word), Const(0, 1), fire, word.value == 0)
        indices = []
        for rank in range(self.unit.k):
            held, arrival = self._rank(m, arrival, f"rank{rank}")
            indices.append(delay(m, held.index, (self.unit.k - 1 - rank) * (self.rounds + 1), f"rank{rank}_index"))
        return Cat(*indices)

    def _lanes(self, m: Module, fire: Value, word: Counter) -> list[Candidate]:
        shape, bits = domain_shape(encoding_domain(self.x)), self.x.bits
        codes = lanes_of(m, self.i.payload.as_value(), self.pe, bits, "codes")
        real = self.unit.channels - (self.unit.words - 1) * self.pe
        base = Signal(self.bits, name="base")
        with m.If(fire):
            m.d.sync += base.eq(Mux(word.last, 0, base + self.pe))
        lanes = []
        for lane, code in enumerate(codes):
            value, index = Signal(shape, name=f"value_{lane}"), Signal(self.bits, name=f"index_{lane}")
            m.d.comb += [value.eq(code), index.eq(base + lane)]
            lanes.append(Candidate(value, index, Const(1, 1) if lane < real else ~word.last))
        return lanes

    def _rank(self, m: Module, arrival: Arrival, name: str) -> tuple[Candidate, Arrival]:
        """The best so far, a cycle after the tournament; what goes on to the next rank in the same cycle."""
        winner, place = self._tournament(m, arrival.lanes, name)
        lanes = [self._late(m, lane, self.rounds, f"{name}_lane{k}") for k, lane in enumerate(arrival.lanes)]
        displaced, first = (
            delay(m, v, self.rounds, f"{name}_{n}") for v, n in ((arrival.displaced, "displaced"), (arrival.first, "first"))
        )
        valid = delay(m, arrival.valid, self.rounds, f"{name}_valid")
        held = Candidate(*(Signal(v.shape(), name=f"{name}_held_{k}", reset_less=True) for k, v in enumerate(fields(winner))))
        before = named(m, held.exists & ~first, f"{name}_before")
        wins = named(m, winner.exists & (displaced | ~before | (winner.value > held.value)), f"{name}_wins")
        with m.If(valid & (wins | first)):
            m.d.sync += [held.value.eq(winner.value), held.index.eq(winner.index), held.exists.eq(winner.exists)]
        old = Candidate(held.value, held.index, before)
        after = [self._passed(m, lanes, old, wins, place, k, f"{name}_next{k}") for k in range(self.pe)]
        late = [register(m, v, f"{name}_{n}") for v, n in ((wins, "drove"), (valid, "went"), (first, "opens"))]
        return held, Arrival(after, *late)

    def _passed(self, m: Module, lanes: Sequence[Candidate], old: Candidate, wins: Value, place: Value, k: int, name: str) -> Candidate:
        """Lane k of what goes on: with the winner taken out, the lanes before it move up by one behind the one driven out."""
        moved = wins & (place >= k)
        above = lanes[k - 1] if k else old
        chosen = (Mux(moved, a, b) for a, b in zip(fields(above), fields(lanes[k]), strict=True))
        return Candidate(*(register(m, v, f"{name}_{n}") for n, v in enumerate(chosen)))

    def _tournament(self, m: Module, lanes: Sequence[Candidate], name: str) -> tuple[Candidate, Value]:
        """The largest of the lanes, the first of equals, and its lane; a register a round."""
        entries = [(lane, Const(k, range(max(self.pe, 2)))) for k, lane in enumerate(lanes)]
        for level in range(self.rounds):
            pairs = [entries[k : k + 2] for k in range(0, len(entries), 2)]
            entries = [self._round(m, pair[0], pair[-1], f"{name}_round{level}_{k}") for k, pair in enumerate(pairs)]
        return entries[0]

    def _round(self, m: Module, left: tuple[Candidate, Value], right: tuple[Candidate, Value], name: str) -> tuple[Candidate, Value]:
        (a, place_a), (b, place_b) = left, right
        later = named(m, b.exists & (~a.exists | (b.value > a.value)), f"{name}_later")
        pairs = zip((*fields(a), place_a), (*fields(b), place_b), strict=True)
        value, index, exists, place = (register(m, Mux(later, q, p), f"{name}_{n}") for n, (p, q) in enumerate(pairs))
        return Candidate(value, index, exists), place

    def _late(self, m: Module, lane: Candidate, cycles: int, name: str) -> Candidate:
        return Candidate(*(delay(m, v, cycles, f"{name}_{k}") for k, v in enumerate(fields(lane))))


def fields(candidate: Candidate) -> tuple[Value, Value, Value]:
    """Value, index, existence."""
    return candidate.value, candidate.index, candidate.exists

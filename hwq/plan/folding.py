"""Folding: the cheapest pe, simd and weight memory of every stage that keep within a number of cycles a frame.

ceil(mw / simd) * ceil(mh / pe) changes only at the breakpoints of the two ceilings, so few candidates matter. Every
tensor has one writer, so stages form trees below the graph inputs, and the cheapest choice is found exactly, converters
between unlike words included, from the outputs up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from hwq.network.graph import Network
from hwq.plan.cost import STATUS, axi_cost, converter_cost, fifo_cost, stage_cost
from hwq.plan.dataflow import ceil_div, pitch_of
from hwq.plan.draft import PlanDraft, StageDraft
from hwq.plan.resources import Resources
from hwq.plan.stages import stages_of
from hwq.plan.summary import StageSummary, summary_of

__all__ = ["Fold", "Folder", "Folding"]


@dataclass(frozen=True)
class Fold:
    """Decisions for one stage: lanes, weight memory, and what they cost."""

    pe: int
    simd: int
    memory: str
    cost: Resources


@dataclass(frozen=True)
class Folding:
    """A fold for every stage, by name, and the fabric of the whole with its converters and interfaces."""

    folds: Mapping[str, Fold]
    cost: Resources


@dataclass(frozen=True)
class _Choice:
    """A candidate of one stage with everything behind it: its price and the choices below."""

    price: float
    fold: Fold
    below: tuple[_Branch, ...]


@dataclass(frozen=True)
class _Branch:
    """One reader of a tensor as chosen: a stage's choice or a graph output (``choice`` None), with the converter before it."""

    price: float
    stage: str
    choice: _Choice | None
    converter: Resources


class Folder:
    """Finds foldings of ``network`` on buses of ``buses`` bits; keeps what it has computed between calls."""

    def __init__(self, network: Network, draft: PlanDraft, buses: Mapping[str, int]) -> None:
        self.network, self.draft, self.buses = network, draft, buses
        self.stages = stages_of(network)
        self.summaries = {s.name: summary_of(network, s) for s in self.stages}
        self._readers: dict[str, list[str]] = {}
        for stage in self.stages:
            self._readers.setdefault(stage.source, []).append(stage.name)
        self._costs: dict[tuple[str, int, int, str], Resources] = {}
        self.lanes = {name: bus // pitch_of(network.tensors[name].encoding.bits) for name, bus in buses.items()}
        self.io_cycles = max(self._beats(name) for name in buses)

    def _beats(self, name: str) -> int:
        h, w, c = self.network.tensors[name].shape
        return ceil_div(h * w * c, self.lanes[name])

    def least_cycles(self) -> tuple[int, str]:
        """Fewest cycles a frame that the stages can reach, and the stage that sets it."""
        least = {n: self._least(s) for n, s in self.summaries.items()} or {"": 1}
        slowest = max(least, key=lambda n: least[n])
        return least[slowest], slowest

    def most_cycles(self) -> int:
        """Cycles a frame with one lane everywhere: more never saves anything."""
        return max([self._most(s) for s in self.summaries.values()] + [self.io_cycles])

    def _least(self, s: StageSummary) -> int:
        d = self.draft.stage(s.name)
        pe = d.pe or s.mh
        return ceil_div(s.mh, pe) * (ceil_div(s.mw, d.simd or self._widest(s)) if s.kind == "mvu" else 1)

    def _most(self, s: StageSummary) -> int:
        d = self.draft.stage(s.name)
        return ceil_div(s.mh, d.pe or 1) * (ceil_div(s.mw, d.simd or 1) if s.kind == "mvu" else 1)

    @staticmethod
    def _widest(s: StageSummary) -> int:
        """Most columns a cycle: a divisor of the chunk where the accumulator saturates."""
        return max(n for n in range(1, s.mw + 1) if s.chunk % n == 0) if s.chunk else s.mw

    def fold(self, cycles: int, prices: Mapping[str, float]) -> Folding | None:
        """The cheapest folding with at most ``cycles`` cycles a stage; ``prices`` weigh the resources. None: there is none."""
        chosen: dict[str, list[_Choice]] = {}
        for stage in reversed(self.stages):
            folds = self._candidates(self.summaries[stage.name], cycles, prices)
            below = {pe: self._branches(stage.target, pe, chosen, prices) for pe in {f.pe for f in folds}}
            choices = [_Choice(price(f.cost, prices) + sum(b.price for b in below[f.pe]), f, below[f.pe]) for f in folds]
            if not choices:
                return None
            chosen[stage.name] = sorted(choices, key=lambda c: c.price)
        picked: dict[str, Fold] = {}
        total = STATUS
        for bus in self.buses.values():
            total += axi_cost(bus)
        for i in self.network.inputs:
            for branch in self._branches(i.name, self.lanes[i.name], chosen, prices):
                total = self._pick(branch, picked, total)
        return Folding({s.name: picked[s.name] for s in self.stages}, total)

    def _pick(self, branch: _Branch, picked: dict[str, Fold], total: Resources) -> Resources:
        waiting = [branch]
        while waiting:
            b = waiting.pop()
            total += b.converter
            if b.choice is not None:
                picked[b.stage] = b.choice.fold
                total += b.choice.fold.cost
                waiting += b.choice.below
        return total

    def _branches(self, tensor: str, lanes: int, chosen: Mapping[str, list[_Choice]], prices: Mapping[str, float]) -> tuple[_Branch, ...]:
        """The best reader of every kind behind ``tensor`` when it is written in words of ``lanes``."""
        info = self.network.tensors[tensor]
        branches = []
        for name in self._readers.get(tensor, ()):
            branches.append(self._cheapest(name, info.shape[2], info.encoding.bits, lanes, chosen[name], prices))
        for _ in range(self.network.outputs.count(tensor)):
            c = info.shape[0] * info.shape[1] * info.shape[2]
            converter = self._between(c, info.encoding.bits, lanes, self.lanes[tensor])
            branches.append(_Branch(price(converter, prices), tensor, None, converter))
        return tuple(branches)

    def _cheapest(self, stage: str, channels: int, bits: int, lanes: int, choices: list[_Choice], prices: Mapping[str, float]) -> _Branch:
        kind = self.summaries[stage].kind
        best: _Branch | None = None
        for choice in choices:  # cheapest first
            if best is not None and choice.price >= best.price:
                break
            converter = self._between(channels, bits, lanes, choice.fold.simd if kind == "mvu" else choice.fold.pe)
            total = choice.price + price(converter, prices)
            if best is None or total < best.price:
                best = _Branch(total, stage, choice, converter)
        assert best is not None
        return best

    @staticmethod
    def _between(channels: int, bits: int, lanes: int, wanted: int) -> Resources:
        if lanes == wanted or channels <= min(lanes, wanted):
            return Resources()
        return converter_cost(channels, bits) + fifo_cost(wanted * bits, 2)

    def _candidates(self, s: StageSummary, cycles: int, prices: Mapping[str, float]) -> list[Fold]:
        d = self.draft.stage(s.name)
        hints = {lanes for lanes in self.lanes.values() if lanes <= s.mw}
        if s.kind != "mvu":
            lanes = {d.pe} if d.pe else _breakpoints(s.mw) | hints
            return [self._priced(s, pe, 1, "lutram") for pe in sorted(lanes) if ceil_div(s.mw, pe) <= cycles]
        if d.style == "constant" or d.memory == "logic":
            return [self._mvu(s, d, s.mh, s.mw, prices)]
        simds = {d.simd} if d.simd else {n for n in _breakpoints(s.mw) | hints | _divisors(s.chunk) if n <= s.mw}
        folds = []
        for simd in sorted(simds):
            sf = ceil_div(s.mw, simd)
            if sf > cycles or (s.chunk and s.chunk % simd):
                continue
            least = ceil_div(s.mh, cycles // sf)
            # All rows at once too: as constants, the whole matrix can be cheaper than a part of it with a memory.
            whole = {s.mh} if sf == 1 else set()
            shared = {h for h in hints if least <= h <= s.mh}
            pes = {d.pe} if d.pe else {ceil_div(s.mh, ceil_div(s.mh, least))} | shared | whole
            folds += [self._mvu(s, d, pe, simd, prices) for pe in sorted(pes) if pe >= least and self._allowed(s, d, simd)]
        return folds

    @staticmethod
    def _allowed(s: StageSummary, d: StageDraft, simd: int) -> bool:
        return d.buffer is None or d.buffer >= ceil_div(s.mw, simd)

    def _mvu(self, s: StageSummary, d: StageDraft, pe: int, simd: int, prices: Mapping[str, float]) -> Fold:
        if pe >= s.mh and simd >= s.mw and d.style != "folded" and d.memory in (None, "logic"):
            return self._priced(s, pe, simd, "logic")
        kinds = (d.memory,) if d.memory else ("lutram", "block")
        return min((self._priced(s, pe, simd, k) for k in kinds), key=lambda f: price(f.cost, prices))

    def _priced(self, s: StageSummary, pe: int, simd: int, memory: str) -> Fold:
        key = (s.name, pe, simd, memory)
        if key not in self._costs:
            queues = fifo_cost(pe * s.out_bits, 4)
            if s.kind == "mvu":
                queues += fifo_cost(simd * s.x_bits, max(2, ceil(1.5 * ceil_div(s.mw, simd))))
            self._costs[key] = stage_cost(s, pe, simd, memory) + queues
        return Fold(pe, simd, memory, self._costs[key])


def price(cost: Resources, prices: Mapping[str, float]) -> float:
    """Weighted sum of the amounts; a price is 1 / what there is of the resource."""
    return (
        cost.lut * prices["lut"]
        + cost.lutram * prices["lutram"]
        + cost.ff * prices["ff"]
        + cost.bram36 * prices["bram36"]
        + cost.uram * prices["uram"]
        + cost.dsp * prices["dsp"]
    )


def _breakpoints(n: int) -> set[int]:
    """Every value of ceil(n / k): the least lanes for each number of folds."""
    values, k = set(), 1
    while k <= n:
        v = ceil_div(n, k)
        values.add(v)
        # The next k at which the ceiling falls.
        k = ceil_div(n, v - 1) if v > 1 else n + 1
    return values


def _divisors(n: int) -> set[int]:
    return {k for k in range(1, n + 1) if n % k == 0}

"""Folding: the cheapest lanes and memories of every stage that keep within a number of cycles a frame.

Each stage brings its own candidates (candidates.py); what neighbours choose meets in the converters between them. Stages and
their edges form a graph. Without the edges that close its cycles (the second inputs of joins) it is a forest, in which the
cheapest choice is found exactly, from the leaves up; the joins of cycles are then fixed in turn and the rest solved again,
until nothing gets cheaper. Networks without joins are solved exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hwq.network.graph import Network
from hwq.plan.candidates import Candidates, Fold, is_open, is_small, price
from hwq.plan.circuit_estimate import expected_circuit
from hwq.plan.draft import PlanDraft, StageDraft
from hwq.plan.forest import Forest
from hwq.plan.geometry import ceil_div
from hwq.plan.pieces import Piece, cost_of, piece_cost
from hwq.plan.resources import Resources
from hwq.plan.stages import stages_of
from hwq.plan.stream_pieces import axi_in, axi_out, status
from hwq.plan.summary import CONTRACTIONS, StageSummary, summary_of
from hwq.plan.units import AxiIn, AxiOut, Edge, pitch_of
from hwq.plan.wires import between

__all__ = ["UNROLLED_LUTS", "Fold", "Folder", "Folding", "price"]

# LUTs of the circuits, as expected and in all, that a design gets without being asked for them: their Verilog takes a simulator some
# 20 ms of compilation a LUT, and its user waits.
UNROLLED_LUTS = 2500

Prices = Mapping[str, float]
_Tables = dict[tuple[tuple[Edge, ...], tuple[Edge, ...]], NDArray[np.float64]]


@dataclass(frozen=True)
class Folding:
    """A fold for every stage, by name, and the fabric of the whole with its converters and interfaces."""

    folds: Mapping[str, Fold]
    cost: Resources


@dataclass(frozen=True)
class _Wire:
    """A tensor from stage ``source`` (output ``out``) to stage ``target`` (input ``place``); "" is the outside, on bus ``tensor``."""

    tensor: str
    source: str
    out: int
    target: str
    place: int


class Folder:
    """Finds foldings of ``network`` on buses of ``buses`` bits; keeps what it has computed between calls.

    Where ``unroll``, layers of which the draft says nothing may be unrolled: the smallest ones, of :data:`UNROLLED_LUTS` together, where
    that is cheapest; others where it halves their LUTs.
    """

    def __init__(self, network: Network, draft: PlanDraft, buses: Mapping[str, int], unroll: bool = False) -> None:
        self.network, self.draft, self.buses = network, draft, buses
        self.stages = stages_of(network)
        self.summaries = {
            s.name: summary_of(network, s, draft.stage(s.name).multiplier or "auto", draft.stage(s.name).accumulator or "auto")
            for s in self.stages
        }
        self.lanes = {name: bus // pitch_of(network.tensors[name].encoding.bits) for name, bus in buses.items()}
        self.io_cycles = max(self._beats(name) for name in buses)
        self.unroll = self._unroll() if unroll else {}
        self.candidates = self._candidates()
        self.wires = tuple(self._wires())

    def _candidates(self) -> dict[str, Candidates]:
        """Candidates by stage; stages of equal sizes share them, and what they remember."""
        shared: dict[tuple[StageSummary, StageDraft, str], Candidates] = {}
        found = {}
        for name, s in self.summaries.items():
            d, unroll = replace(self.draft.stage(name), name=""), self.unroll.get(name, "never")
            key = replace(s, name=""), d, unroll
            found[name] = shared.setdefault(key, Candidates(*key[:2], self.lanes.values(), unroll))
        return found

    def _unroll(self) -> dict[str, str]:
        """How freely layers of open style may be unrolled, see :class:`Candidates`."""
        small = {n: piece_cost(expected_circuit(s)).lut for n, s in self.summaries.items() if is_open(self.draft.stage(n)) and is_small(s)}
        found, total = {}, 0.0
        for name in sorted(small, key=lambda n: small[n]):
            total += small[name]
            found[name] = "freely" if total <= UNROLLED_LUTS else "halves"
        return found

    @property
    def is_unrolled(self) -> bool:
        """Whether every contraction may be, or is to be, an unrolled layer."""
        ways = {self.candidates[s.name].unroll for s in self.stages if s.kind in CONTRACTIONS}
        return ways == {"freely"}

    def made(self, name: str, circuit: Piece) -> None:
        """From now on, count the circuit of stage ``name`` as it was made."""
        old = self.candidates[name]
        self.candidates[name] = Candidates(old.s, old.d, old.hints, self.unroll.get(name, "never"), circuit)

    def _beats(self, name: str) -> int:
        h, w, c = self.network.tensors[name].shape
        return ceil_div(h * w * c, self.lanes[name])

    def _wires(self) -> list[_Wire]:
        writers = {t: (s.name, k) for s in self.stages for k, t in enumerate(s.targets) if t}
        found = []
        for stage in self.stages:
            for place, tensor in enumerate(stage.sources):
                found.append(_Wire(tensor, *writers.get(tensor, ("", 0)), stage.name, place))
        return found + [_Wire(o, *writers.get(o, ("", 0)), "", 0) for o in self.network.outputs]

    def least_cycles(self) -> tuple[int, str]:
        """Fewest cycles a frame that the stages can reach, and the stage that sets it."""
        least = {n: c.least_cycles() for n, c in self.candidates.items()} or {"": 1}
        slowest = max(least, key=lambda n: least[n])
        return least[slowest], slowest

    def cycles(self, folding: Folding) -> int:
        """Cycles a frame of ``folding``, by the cycle laws of its stages and buses."""
        return max([self.summaries[n].cycles(*f.shape) for n, f in folding.folds.items()] + [self.io_cycles])

    def most_cycles(self) -> int:
        """Cycles a frame with one lane everywhere: more never saves anything."""
        return max([c.most_cycles() for c in self.candidates.values()] + [self.io_cycles])

    def fold(self, cycles: int, prices: Prices) -> Folding | None:
        """The cheapest folding with at most ``cycles`` cycles a stage; ``prices`` weigh the resources. None: there is none."""
        within = {id(c): c.within(cycles, prices) for c in {id(c): c for c in self.candidates.values()}.values()}
        folds = {n: within[id(c)] for n, c in self.candidates.items()}
        if not all(folds.values()):
            return None
        names = list(folds)
        own = [np.array([price(f.cost, prices) for f in folds[n]]) for n in names]
        forest = Forest(own)
        tables: _Tables = {}
        for wire in self.wires:
            matrix = self._matrix(wire, folds, prices, tables)
            if wire.source and wire.target:
                forest.join(names.index(wire.source), names.index(wire.target), matrix)
            elif wire.source or wire.target:
                forest.own[names.index(wire.source or wire.target)] += matrix.reshape(-1)
        picked = {n: folds[n][k] for n, k in zip(names, forest.solve(), strict=True)}
        return Folding(picked, self._total(picked))

    def _total(self, picked: Mapping[str, Fold]) -> Resources:
        parts = [self._around()]
        parts += [f.cost for f in picked.values()]
        parts += [between(self._from(w, picked.get(w.source)), self._to(w, picked.get(w.target))) for w in self.wires]
        return sum(parts, Resources())

    def _around(self) -> Resources:
        """AXI streams and registers: the same in every folding."""
        inputs, outputs = [i.name for i in self.network.inputs], self.network.outputs
        pieces = [status(len(inputs), len(outputs), 0)]
        for name in inputs:
            pieces += axi_in(AxiIn("", (), (), name, self.buses[name], 1), self._bus(name))
        for name in outputs:
            pitch = pitch_of(self.network.tensors[name].encoding.bits)
            pieces += axi_out(AxiOut("", (), (), name, self.buses[name], pitch), self._bus(name))
        return cost_of(pieces)

    def _matrix(self, wire: _Wire, folds: Mapping[str, list[Fold]], prices: Prices, tables: _Tables) -> NDArray[np.float64]:
        """Prices of the converters for every choice of the writer (rows) and the reader (columns); ``tables`` remembers them."""
        rows = [self._from(wire, f) for f in folds[wire.source]] if wire.source else [self._from(wire, None)]
        columns = [self._to(wire, f) for f in folds[wire.target]] if wire.target else [self._to(wire, None)]
        left, right = {e: k for k, e in enumerate(dict.fromkeys(rows))}, {e: k for k, e in enumerate(dict.fromkeys(columns))}
        key = tuple(left), tuple(right)
        if key not in tables:
            tables[key] = np.array([[price(between(a, b), prices) for b in right] for a in left])
        return tables[key][np.ix_([left[e] for e in rows], [right[e] for e in columns])]

    def _from(self, wire: _Wire, fold: Fold | None) -> Edge:
        """Words in which the tensor of ``wire`` is written."""
        if fold is None:
            return self._bus(wire.tensor)
        return self._edge(wire.tensor, self.summaries[wire.source].lanes_out(fold.pe, wire.out), fold.pixels)

    def _to(self, wire: _Wire, fold: Fold | None) -> Edge:
        """Words in which the tensor of ``wire`` is read."""
        if fold is None:
            return self._bus(wire.tensor)
        s = self.summaries[wire.target]
        if s.kind == "flatten":
            h, w, c = self.network.tensors[wire.tensor].shape
            return Edge("", fold.pe, s.x_bits, h * w * c)
        return self._edge(wire.tensor, s.lanes_in(fold.pe, fold.simd, wire.place), fold.pixels)

    def _edge(self, tensor: str, elements: int, pixels: int) -> Edge:
        info = self.network.tensors[tensor]
        h, w, c = info.shape
        return Edge("", elements, info.encoding.bits, c, h, w, pixels)

    def _bus(self, tensor: str) -> Edge:
        info = self.network.tensors[tensor]
        h, w, c = info.shape
        return Edge("", self.lanes[tensor], info.encoding.bits, h * w * c)

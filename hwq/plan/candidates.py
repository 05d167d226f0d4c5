"""Candidates: the folds of one stage worth considering for a number of cycles a frame, each with its fabric."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil, gcd

from hwq.plan.arithmetic import unrolled_arithmetic_breaches
from hwq.plan.circuit_estimate import expected_circuit
from hwq.plan.contraction_pieces import unrolled
from hwq.plan.draft import StageDraft
from hwq.plan.geometry import Geometry, ceil_div
from hwq.plan.pieces import Piece, cost_of, piece_cost
from hwq.plan.resources import Resources
from hwq.plan.sizing import start_buffer
from hwq.plan.stage_cost import input_cost, queue_cost, stage_cost
from hwq.plan.summary import CONTRACTIONS, WINDOWED, StageSummary

__all__ = ["MOST_LUTS", "Candidates", "Fold", "breakpoints", "divisors", "expected_buffer", "is_open", "is_small", "price"]

EGRESS = 4  # words, before sizing
MOST = 40  # folds of a stage that are kept: the cheapest of each pair of words
BUFFERED = (*WINDOWED, "upsample")
ALL_BREAKPOINTS = 1024  # channels up to which lanes that do not divide them are tried
# LUTs of a circuit, as expected, up to which the planner unrolls a stage unasked: larger ones take a minute and more to make.
MOST_LUTS = 20_000
# What says how a stage is folded.
FOLDED_FIELDS = ("pe", "simd", "pixels", "memory", "buffer", "constants", "multiplier", "accumulator")

Shape = tuple[int, int, int, str]  # pe, simd, pixels, and "unrolled" or ""


@dataclass(frozen=True)
class Fold:
    """Decisions for one stage: lanes, memories, and what they cost; ``style`` is ``unrolled`` or empty."""

    pe: int
    simd: int
    pixels: int
    memory: str
    buffer_memory: str
    constants: str
    cost: Resources
    style: str = ""

    @property
    def shape(self) -> Shape:
        """Lanes and style."""
        return self.pe, self.simd, self.pixels, self.style


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


def expected_buffer(g: Geometry) -> int:
    """Words that a Reader is taken to need before it is sized: a vector and a half without a window, else those to start with."""
    return max(2, ceil(1.5 * g.sf), g.least_buffer) if g.height == g.width == 1 else start_buffer(g)


def breakpoints(n: int) -> set[int]:
    """Every value of ceil(n / k): the least lanes for each number of folds."""
    values, k = set(), 1
    while k <= n:
        v = ceil_div(n, k)
        values.add(v)
        # The next k at which the ceiling falls.
        k = ceil_div(n, v - 1) if v > 1 else n + 1
    return values


def divisors(n: int) -> set[int]:
    """Divisors of ``n``; none of 0."""
    small = [k for k in range(1, int(n**0.5) + 1) if n % k == 0] if n else []
    return {*small, *(n // k for k in small)}


def is_small(s: StageSummary) -> bool:
    """Whether stage ``s`` may be unrolled unasked."""
    return s.kind in CONTRACTIONS and s.slides and s.mw * s.mh > 0 and piece_cost(expected_circuit(s)).lut <= MOST_LUTS


def is_open(d: StageDraft) -> bool:
    """Whether nothing in the draft of a stage says how it is folded."""
    return d.style is None and all(getattr(d, name) is None for name in FOLDED_FIELDS)


class Candidates:
    """The folds of stage ``s`` that a draft leaves open; prices of fabric are remembered.

    Parameters
    ----------
    hints
        Lanes of the buses.
    unroll
        Of a stage whose style is open: ``never`` unrolled; ``freely``; or only where that ``halves`` the LUTs of every other way.
    circuit
        The circuit of the unrolled stage, where it is made already.
    """

    def __init__(
        self, s: StageSummary, draft: StageDraft, hints: Iterable[int] = (), unroll: str = "never", circuit: Piece | None = None
    ) -> None:
        self.s, self.d, self.hints = s, draft, frozenset(hints)
        self.unroll = {"unrolled": "freely", "auto": "freely" if is_small(s) else "never", None: unroll}.get(draft.style, "never")
        self.circuit = circuit
        self._costs: dict[tuple[Shape, str, str], Resources] = {}
        self._shapes: dict[int, list[Shape]] = {}

    @property
    def pixels(self) -> list[int]:
        """Possible V."""
        return [self.d.pixels] if self.d.pixels else sorted(divisors(gcd(*self.s.widths)))

    def least_cycles(self) -> int:
        """Fewest cycles a frame."""
        unrolled = [self._cycles(shape) for shape in self._unrolled()] if self.unroll == "freely" else []
        if self.d.style == "unrolled":
            return min(unrolled)
        return min(*unrolled, self._least_folded()) if unrolled else self._least_folded()

    def _least_folded(self) -> int:
        return self.s.cycles(self.d.pe or self.s.rows, self.d.simd or max(self._simds()), self.pixels[-1])

    def most_cycles(self) -> int:
        """Cycles a frame with the fewest lanes."""
        if self.d.style == "unrolled":
            return max(self._cycles(shape) for shape in self._unrolled())
        return self.s.cycles(self.d.pe or min(self._pes()), self.d.simd or 1, self.pixels[0])

    def within(self, cycles: int, prices: Mapping[str, float]) -> list[Fold]:
        """Folds of at most ``cycles`` cycles a frame, the cheapest of each pair of words, cheapest first."""
        best: dict[Shape, tuple[float, Fold]] = {}
        for shape in self.shapes(cycles):
            fold = self.priced(shape, prices)
            best[shape] = price(fold.cost, prices), fold
        least = min((f.cost.lut for _, f in best.values() if not f.style), default=0.0)
        kept = [b for b in best.values() if self.unroll != "halves" or not b[1].style or 2 * b[1].cost.lut <= least]
        ranked = sorted(kept, key=lambda b: (b[0], b[1].pe, b[1].simd, b[1].pixels))
        return [fold for _, fold in ranked[:MOST]]

    def shapes(self, cycles: int) -> list[Shape]:
        """Lanes and styles of at most ``cycles`` cycles."""
        if cycles not in self._shapes:
            folded: set[tuple[int, int, int]] = set()
            if self.d.style != "unrolled":
                folded = self._contractions(cycles) if self.s.kind == "mvu" else self._lanes(cycles)
            unrolled = {shape for shape in self._unrolled() if self._cycles(shape) <= cycles}
            self._shapes = {cycles: sorted({(*f, "") for f in folded} | unrolled)}
        return self._shapes[cycles]

    def _cycles(self, shape: Shape) -> int:
        return self.s.cycles(*shape)

    def _unrolled(self) -> list[Shape]:
        """The unrolled shapes, by the channels of a word; none where the stage cannot be unrolled or is not to be."""
        s, d = self.s, self.d
        fits = d.pe in (None, s.mh) and d.pixels in (None, 1) and d.memory in (None, "logic")
        if self.unroll == "never" or not s.slides or not fits or any(unrolled_arithmetic_breaches(s, d)):
            return []
        channels = s.shape[2]
        simds = {d.simd} if d.simd else {1} if s.kind != "mvu" else divisors(channels) | {h for h in self.hints if h <= channels}
        least = {n: s.slide(n).least_buffer for n in simds}
        return [(s.mh, n, 1, "unrolled") for n in sorted(simds) if d.buffer is None or d.buffer >= least[n]]

    def _contractions(self, cycles: int) -> set[tuple[int, int, int]]:
        s, d = self.s, self.d
        if d.style == "constant" or d.memory == "logic":
            return {shape for shape in self._constant() if s.cycles(*shape) <= cycles}
        found = set()
        for v in self.pixels:
            for simd in self._simds():
                least = s.cycles(s.rows, simd, v)
                if least > cycles or not self._allowed(simd, v):
                    continue
                passes = min(s.rows, max(1, cycles // (s.geometry(s.rows, simd, v).firings)))
                found |= {(pe, simd, v) for pe in self._rows(ceil_div(s.rows, passes), simd)}
        return found

    def _constant(self) -> set[tuple[int, int, int]]:
        """All rows at once, or all columns."""
        s, d = self.s, self.d
        rows = {(s.rows, simd, v) for simd in self._simds() for v in self.pixels} if s.groups == 1 and d.pe in (None, s.rows) else set()
        simds = {max(self._simds())} & {s.columns} if s.taps == 1 else set()
        return rows | {(pe, simd, v) for simd in simds for pe in self._pes() for v in self.pixels}

    def _rows(self, least: int, simd: int) -> set[int]:
        """Rows a cycle, ``least`` or more."""
        s = self.s
        if self.d.pe:
            return {self.d.pe} if self.d.pe >= least else set()
        even = min(k for k in divisors(s.rows) if k >= least)
        if s.groups > 1:
            return {even}
        shared = {h for h in self.hints if least <= h <= s.rows}
        # All rows at once too: as constants, the whole matrix can be cheaper than a part of it with a memory.
        whole = {s.rows} if s.taps * ceil_div(s.columns, simd) == 1 else set()
        return {ceil_div(s.rows, ceil_div(s.rows, least)), *shared, *whole, *({even} if even <= 2 * least else ())}

    def _allowed(self, simd: int, pixels: int) -> bool:
        s, d = self.s, self.d
        return d.buffer is None or d.buffer >= s.geometry(d.pe or s.rows, simd, pixels).least_buffer

    def _simds(self) -> list[int]:
        s = self.s
        if self.d.simd:
            return [self.d.simd]
        if s.kind != "mvu":
            return [1]
        whole = divisors(s.columns)
        if s.groups == 1 and not (s.chunk and s.taps > 1) and s.taps == 1 and s.shape[:2] == (1, 1):
            whole |= (breakpoints(s.columns) if s.columns <= ALL_BREAKPOINTS else set()) | {h for h in self.hints if h <= s.columns}
            whole |= {n for n in divisors(s.chunk) if n <= s.columns}
        return sorted(n for n in whole if not s.chunk or s.chunk % n == 0)

    def _lanes(self, cycles: int) -> set[tuple[int, int, int]]:
        if self.s.kind == "depthwise" and "constant" in (self.d.style, "constant" * (self.d.memory == "logic")) and self.s.taps > 1:
            return {(self.s.rows, 1, v) for v in self.pixels if self.s.cycles(self.s.rows, 1, v) <= cycles}
        return {(pe, 1, v) for v in self.pixels for pe in self._pes() if self.s.cycles(pe, 1, v) <= cycles}

    def _pes(self) -> list[int]:
        s = self.s
        if self.d.pe:
            return [self.d.pe]
        if s.kind == "mvu":
            return sorted(divisors(s.rows) | {1})
        if s.kind in ("concat", "split"):
            return sorted(divisors(gcd(*s.sizes)) | {s.rows})
        if s.kind == "depthwise":
            return sorted(n * s.multiplier for n in divisors(s.groups))
        flat = s.shape[:2] == (1, 1) and s.rows <= ALL_BREAKPOINTS
        return sorted((breakpoints(s.rows) if flat else divisors(s.rows)) | {h for h in self.hints if h <= s.rows and flat})

    def priced(self, shape: Shape, prices: Mapping[str, float]) -> Fold:
        """The cheapest memories for ``shape``."""
        memories, constants, buffers = self._kinds(shape)
        cores = [(price(self._core(shape, m, c), prices), m, c) for m in memories for c in constants]
        _, memory, constant = min(cores, key=lambda found: found[0])
        buffer = min(buffers, key=lambda kind: price(self._queues(shape, kind), prices))
        return self._fold(shape, memory, buffer, constant)

    def alternatives(self, fold: Fold) -> Iterator[Fold]:
        """``fold`` with one of its memories of another kind."""
        shape = fold.shape
        memories, constants, buffers = self._kinds(shape)
        yield from (self._fold(shape, m, fold.buffer_memory, fold.constants) for m in memories if m != fold.memory)
        yield from (self._fold(shape, fold.memory, b, fold.constants) for b in buffers if b != fold.buffer_memory)
        yield from (self._fold(shape, fold.memory, fold.buffer_memory, c) for c in constants if c != fold.constants)

    def _kinds(self, shape: Shape) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """Possible memories of weights, of constants, of the input buffer."""
        s, d = self.s, self.d
        pe, simd, _, style = shape
        buffers: tuple[str, ...] = ("lutram", "block", "ultra") if s.kind in BUFFERED else ("auto",)
        buffers = (d.buffer_memory,) if d.buffer_memory else buffers
        if style:
            return ("logic",), (d.constants or "auto",), ("auto",) if s.slide(simd).is_gathered and not d.buffer_memory else buffers
        one_fold = s.kind == "mvu" and s.taps * s.groups == 1 and pe >= s.rows and simd >= s.columns
        memories: tuple[str, ...] = ("lutram", "block") if s.w_bits else ("lutram",)
        if d.style == "constant" or (one_fold and d.style != "folded" and d.memory in (None, "logic")):
            memories = ("logic",)
        constants: tuple[str, ...] = ("auto",)
        if (s.thresholds or s.multiplier_bits) and memories != ("logic",) and s.groups * s.rows > pe:
            constants = ("lutram", "block")
        return (d.memory,) if d.memory else memories, (d.constants,) if d.constants else constants, buffers

    def _fold(self, shape: Shape, memory: str, buffer: str, constants: str) -> Fold:
        cost = self._core(shape, memory, constants) + self._queues(shape, buffer)
        return Fold(*shape[:3], memory, buffer, constants, cost, shape[3])

    def _core(self, shape: Shape, memory: str, constants: str) -> Resources:
        key = shape, memory, constants
        if key not in self._costs:
            pe, simd, pixels, style = shape
            if style:
                self._costs[key] = cost_of(unrolled(self.s, simd, circuit=self.circuit or expected_circuit(self.s)))
            else:
                self._costs[key] = stage_cost(self.s, pe, simd, memory, pixels, constants)
        return self._costs[key]

    def _queues(self, shape: Shape, kind: str) -> Resources:
        """Egress and input buffer, as deep as they normally get."""
        key = shape, kind, "queues"
        if key not in self._costs:
            s = self.s
            pe, simd, pixels, style = shape
            total = queue_cost(s.lanes_out(pe) * pixels * s.out_bits, EGRESS) if s.kind != "flatten" else Resources()
            depth = expected_buffer(s.geometry(pe, simd, pixels, style)) if s.kind in WINDOWED else 2 * s.shape[1] * ceil_div(s.rows, pe)
            total += input_cost(s, pe, simd, pixels, depth, kind, style)
            self._costs[key] = total
        return self._costs[key]

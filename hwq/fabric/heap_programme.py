"""Schedules as integer programmes: how many counters stand where in every stage, chains of any length as flows from column to column.

:mod:`hwq.fabric.heap_milp` solves them, offline.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hwq.fabric.counters import ATOMS, BESIDE, counter
from hwq.fabric.heap_schedule import Placed, Schedule, Stage, priced

__all__ = ["Programme", "Wanted", "programme_of", "schedule_from"]

_ALONE = ("fa", "ha", "5:3", "6:3")
_MAJORITIES = ("t", "T")  # atoms whose majority leaves, or enters the T behind


@dataclass(frozen=True)
class Wanted:
    """A heap to reduce to ``rows`` rows in ``stages`` stages; ``halves``: at most so many CARRY8 halves; ``flop``: price of a flip-flop."""

    heights: tuple[int, ...]
    width: int
    every: int
    rows: int | tuple[int, int]
    stages: int
    halves: int | None = None
    flop: float = 0.01
    atoms: str = "64p2tT"

    @property
    def phases(self) -> int:
        """Positions of a chain that are told apart: those of a CARRY8 where they count."""
        return 1 if self.halves is None else 8


@dataclass
class Programme:
    """Variables, whole and not negative, and rows: coefficients by variable, least and most.

    ``names``: what a variable counts, (kind, stage, column, and of a chain's atoms the positions before); ``upper``: its most.
    """

    costs: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    names: list[tuple] = field(default_factory=list)
    rows: list[tuple[dict[int, float], float, float]] = field(default_factory=list)

    def variable(self, name: tuple, cost: float, upper: float = np.inf) -> int:
        """A new variable, its number."""
        self.names.append(name)
        self.costs.append(cost)
        self.upper.append(upper)
        return len(self.costs) - 1


def programme_of(wanted: Wanted) -> Programme:
    """The programme whose least costs are the LUT sites and the price of the flip-flops of the best schedule."""
    programme = Programme()
    halves: dict[int, float] = defaultdict(float)
    before: list[int] = []
    now: list[int] = []
    for stage in range(wanted.stages):
        kept = wanted.every > 0 and ((stage + 1) % wanted.every == 0 or stage + 1 == wanted.stages)
        now = [programme.variable(("n", stage, c), wanted.flop if kept else 0.0) for c in range(wanted.width)]
        taken, given = _counters(programme, wanted, stage, kept, halves)
        for c in range(wanted.width):
            height = wanted.heights[c] if stage == 0 and c < len(wanted.heights) else 0
            made = {v: -k for v, k in given[c].items()}
            passed = {now[c]: 1.0, **{v: taken[c].get(v, 0) + made.get(v, 0) for v in {*taken[c], *made}}}
            if before:
                passed[before[c]] = -1.0
            programme.rows += [(passed, height, np.inf), ({now[c]: 1.0, **made}, 0, np.inf)]
        before = now
    first, others = wanted.rows if isinstance(wanted.rows, tuple) else (wanted.rows + (wanted.rows > 1), wanted.rows)
    for c, variable in enumerate(now):
        programme.upper[variable] = others if c else first
    if wanted.halves is not None:
        programme.rows.append((dict(halves), 0, wanted.halves))
    return programme


def _counters(programme: Programme, wanted: Wanted, stage: int, kept: bool, halves: dict[int, float]) -> tuple[list, list]:
    """Variables of a stage; what they take and give, by column."""
    width = wanted.width
    taken: list[dict[int, float]] = [defaultdict(float) for _ in range(width + 2)]
    given: list[dict[int, float]] = [defaultdict(float) for _ in range(width + 8)]
    top = min(width, _top(wanted, stage) + 1)
    for name in _ALONE:
        kind = counter(name)
        for c in range(top):
            v = programme.variable((name, stage, c), kind.luts)
            taken[c][v] += kind.takes[0]
            for k in range(len(kind.gives)):
                given[c + k][v] += 1
    flow: dict[tuple[int, int, bool], dict[int, float]] = defaultdict(dict)
    for atom in (a for a in wanted.atoms if kept or a not in _MAJORITIES):
        length = len(ATOMS[atom])
        for c, phase in _places(top, wanted.phases, atom != "T"):
            v = programme.variable((atom, stage, c, phase), min(length, width - c) + (atom == "p" and c + 1 < width))
            if h := _halves_begun(phase, length):
                halves[v] += h
            for k, bits in enumerate(ATOMS[atom]):
                taken[c + k][v] += bits + (k == 0 and phase < 0 and atom != "t")
                given[c + k][v] += 1
            for k in () if atom in _MAJORITIES else BESIDE.get(atom, ()):
                given[c + k][v] += 1
            if phase >= 0:
                flow[c, phase, atom == "T"][v] = -1.0
            if c + length < width:
                flow[c + length, (max(phase, 0) + length) % wanted.phases, atom in _MAJORITIES][v] = 1.0
    _ended(programme, stage, 0.0 if kept else 1.0, flow, given)
    return taken, given


def _ended(programme: Programme, stage: int, cost: float, flow: dict[tuple[int, int, bool], dict[int, float]], given: list) -> None:
    """What arrives at a column goes on or ends there as a bit, the last carry; a majority before that leaves, or enters a ``T``."""
    for c, phase in dict.fromkeys((c, phase) for c, phase, _ in flow):
        leaves, end = (programme.variable((name, stage, c, phase), price) for name, price in (("leaves", 0.0), ("end", cost)))
        given[c][leaves] += 1
        given[c][end] += 1
        flow[c, phase, True][leaves] = flow[c, phase, False][end] = -1.0
        flow[c, phase, False][leaves] = 1.0
    programme.rows += [(terms, 0, 0) for terms in flow.values()]


def _top(wanted: Wanted, stage: int) -> int:
    """The highest column that can hold a bit before a stage: a chain reaches two columns beyond its last bit."""
    return min(wanted.width, len(wanted.heights) + 2 * stage) - 1


def _places(columns: int, phases: int, starts: bool) -> Iterator[tuple[int, int]]:
    """(column, phase): positions before it in its chain modulo ``phases``; -1 at a chain's start, for what ``starts`` one."""
    for c in range(columns):
        if starts:
            yield c, -1
        yield from ((c, phase) for phase in range(phases) if c)


def _halves_begun(phase: int, length: int) -> int:
    """CARRY8 halves an atom opens: one at the start, one after four positions, two after every eight."""
    if phase < 0:
        return 1
    inside = [(phase + k) % 8 for k in range(length)]
    return 2 * (0 in inside) + (4 in inside)


def schedule_from(wanted: Wanted, programme: Programme, values: NDArray[np.float64]) -> Schedule:
    """The schedule of a solution: the values of all variables."""
    counts = {name: round(x) for name, x in zip(programme.names, values, strict=True) if round(x)}
    stages = [_stage({name: n for name, n in counts.items() if name[1] == stage}, wanted) for stage in range(wanted.stages)]
    return priced(wanted.heights, stages, wanted.width, wanted.every)


def _stage(here: dict[tuple, int], wanted: Wanted) -> Stage:
    placed: dict[tuple[str, int], int] = defaultdict(int)
    for name, n in here.items():
        if name[0] in _ALONE:
            placed[name[0], name[2]] += n
    for kind, column in _chains(here, wanted):
        placed[kind, column] += 1
    return tuple(Placed(kind, c, n) for (kind, c), n in sorted(placed.items(), key=lambda p: (-len(p[0][0]), p[0])))


def _chains(here: dict[tuple, int], wanted: Wanted) -> Iterator[tuple[str, int]]:
    """The flows taken apart into chains: (atoms, column)."""
    left = {name: n for name, n in here.items() if name[0] in (*ATOMS, "leaves", "end")}
    for first in sorted(name for name in left if name[0] in ATOMS and name[3] < 0):
        _, stage, column, _ = first
        for _ in range(left[first]):
            atom = atoms = first[0]
            at = column + len(ATOMS[atom])
            while at < wanted.width and (atom := _behind(left, atom, (stage, at, (at - column) % wanted.phases))):
                atoms += atom
                at += len(ATOMS[atom])
            yield atoms, column


def _behind(left: dict[tuple, int], atom: str, place: tuple[int, int, int]) -> str:
    """The atom behind another one, taken from those left; none at the end of a chain."""
    kinds = ("T", "leaves") if atom in _MAJORITIES else ("end", *(a for a in ATOMS if a != "T"))
    found = next(kind for kind in kinds if left.get((kind, *place)))
    left[found, *place] -= 1
    return _behind(left, "", place) if found == "leaves" else "" if found == "end" else found

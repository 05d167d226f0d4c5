"""Schedules by integer programming: every stage's counters at once, chains of any length as flows from column to column.

Run offline (:mod:`hwq.fabric.heap_solve`), for a solver stopped by time may answer differently on another machine.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from hwq.fabric.counters import ATOMS, BESIDE, counter
from hwq.fabric.heap_schedule import Placed, Schedule, Stage, priced

__all__ = ["Wanted", "solve"]

_ALONE = ("fa", "ha", "5:3", "6:3")


@dataclass(frozen=True)
class Wanted:
    """A heap to reduce to ``rows`` rows in ``stages`` stages; ``halves``: at most so many CARRY8 halves; ``flop``: price of a flip-flop."""

    heights: tuple[int, ...]
    width: int
    every: int
    rows: int | tuple[int, int]
    stages: int
    halves: int | None = None
    half: float = 0.0
    flop: float = 0.01
    atoms: str = "64p2t"


@dataclass
class _Programme:
    """Columns and rows of the integer programme."""

    costs: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    names: list[tuple] = field(default_factory=list)
    rows: list[tuple[dict[int, float], float, float]] = field(default_factory=list)

    def variable(self, name: tuple, cost: float, upper: float = np.inf) -> int:
        self.names.append(name)
        self.costs.append(cost)
        self.upper.append(upper)
        return len(self.costs) - 1


def solve(wanted: Wanted, seconds: float) -> Schedule | None:
    """The best schedule found in a time; None if none was."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    programme = _written(wanted)
    entries = [(r, c, v) for r, (terms, _, _) in enumerate(programme.rows) for c, v in terms.items()]
    r, c, v = zip(*entries, strict=True)
    matrix = csr_array((v, (r, c)), shape=(len(programme.rows), len(programme.costs)))
    limits = LinearConstraint(matrix, [row[1] for row in programme.rows], [row[2] for row in programme.rows])
    found = milp(
        programme.costs,
        constraints=limits,
        bounds=Bounds(0, np.array(programme.upper)),
        integrality=np.ones(len(programme.costs)),
        options={"time_limit": seconds, "mip_rel_gap": 1e-4},
    )
    if found.x is None:
        return None
    values = {name: round(x) for name, x in zip(programme.names, found.x, strict=True) if round(x)}
    return priced(wanted.heights, _decoded(wanted, values), wanted.width, wanted.every)


def _written(wanted: Wanted) -> _Programme:
    programme = _Programme()
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


def _counters(programme: _Programme, wanted: Wanted, stage: int, kept: bool, halves: dict[int, float]) -> tuple[list, list]:
    """Variables of a stage; what they take and give, by column."""
    width = wanted.width
    taken: list[dict[int, float]] = [defaultdict(float) for _ in range(width + 2)]
    given: list[dict[int, float]] = [defaultdict(float) for _ in range(width + 8)]
    top = _top(wanted, stage)
    phases = 8 if wanted.half or wanted.halves is not None else 1
    for name in _ALONE:
        kind = counter(name)
        for c in range(min(width, top + 1)):
            v = programme.variable((name, stage, c), kind.luts)
            taken[c][v] += kind.takes[0]
            for k in range(len(kind.gives)):
                given[c + k][v] += 1
    flow: dict[tuple[int, int], dict[int, float]] = defaultdict(dict)
    for atom in wanted.atoms:
        if atom == "t" and not kept:
            continue
        bits = ATOMS[atom]
        length = len(bits)
        for c, phase in _places(min(width, top + 1), phases):
            inside = min(length, width - c) + (atom == "p" and c + 1 < width)
            v = programme.variable((atom, stage, c, phase), inside + wanted.half * (h := _halves_begun(phase, length)))
            if h:
                halves[v] += h
            for k, b in enumerate(bits):
                taken[c + k][v] += b + (k == 0 and phase < 0 and atom != "t")
            for k in range(length):
                given[c + k][v] += 1
            for k in BESIDE.get(atom, ()):
                given[c + k][v] += 1
            if phase >= 0:
                flow[c, phase][v] = -1.0
            if c + length < width:
                flow[c + length, (max(phase, 0) + length) % phases][v] = 1.0
    for (c, phase), terms in flow.items():
        if all(x < 0 for x in terms.values()):
            for v in terms:
                programme.upper[v] = 0
            continue
        v = programme.variable(("end", stage, c, phase), 0.0 if kept else 1.0)
        given[c][v] += 1
        programme.rows.append(({**terms, v: -1.0}, 0, 0))
    return taken, given


def _top(wanted: Wanted, stage: int) -> int:
    """The highest column that can hold a bit before a stage: a chain reaches two columns beyond its last bit."""
    return min(wanted.width, len(wanted.heights) + 2 * stage) - 1


def _places(columns: int, phases: int) -> Iterator[tuple[int, int]]:
    """(column, phase): positions before it in its chain modulo ``phases``; -1 at a chain's start."""
    for c in range(columns):
        yield c, -1
        yield from ((c, phase) for phase in range(phases) if c)


def _halves_begun(phase: int, length: int) -> int:
    """CARRY8 halves an atom opens: one at the start, one after four positions, two after every eight."""
    if phase < 0:
        return 1
    inside = [(phase + k) % 8 for k in range(length)]
    return 2 * (0 in inside) + (4 in inside)


def _decoded(wanted: Wanted, values: dict[tuple, int]) -> tuple[Stage, ...]:
    stages = []
    for stage in range(wanted.stages):
        here = {name: n for name, n in values.items() if name[1] == stage}
        placed: dict[tuple[str, int], int] = defaultdict(int)
        for name, n in here.items():
            if name[0] in _ALONE:
                placed[name[0], name[2]] += n
        for kind, column in _chains(here, wanted):
            placed[kind, column] += 1
        stages.append(tuple(Placed(kind, c, n) for (kind, c), n in sorted(placed.items(), key=lambda p: (-len(p[0][0]), p[0]))))
    return tuple(stages)


def _chains(here: dict[tuple, int], wanted: Wanted) -> Iterator[tuple[str, int]]:
    """The flows taken apart into chains: (atoms, column)."""
    phases = 8 if wanted.half or wanted.halves is not None else 1
    left = {name: n for name, n in here.items() if name[0] in ATOMS or name[0] == "end"}
    for first in sorted(name for name in left if name[0] in ATOMS and name[3] < 0):
        for _ in range(left[first]):
            atoms, at, phase = first[0], first[2] + len(ATOMS[first[0]]), len(ATOMS[first[0]])
            while at < wanted.width:
                step = next(s for s in ((kind, first[1], at, phase % phases) for kind in ("end", *ATOMS)) if left.get(s))
                left[step] -= 1
                if step[0] == "end":
                    break
                atoms += step[0]
                at, phase = at + len(ATOMS[step[0]]), phase + len(ATOMS[step[0]])
            yield atoms, first[2]

"""Schedules by search: a beam over stages, each made by one sweep over the columns under a policy. Bounded by counts, never by time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from hwq.fabric.counters import ATOMS
from hwq.fabric.counters import counter as kind_of
from hwq.fabric.heap_schedule import Placed, Schedule, Stage, after, levelled, price_of, priced, stage_luts

__all__ = ["search"]

_BEAM = 24
_MOST_STAGES = 24


@dataclass(frozen=True)
class _Policy:
    """How greedy a sweep is: ``least`` 0 takes only counters of two bits a site, 1 of one and a half, 2 of one, 3 all that help."""

    least: int
    joined: bool
    majorities: bool


@dataclass(frozen=True)
class _State:
    heights: tuple[int, ...]
    stages: tuple[Stage, ...]
    luts: int

    @property
    def promise(self) -> float:
        """Sites so far and those the bits left will take: the best counters remove two a site, the last ones one."""
        return self.luts + sum(0.55 * h if h > 2 else 0.8 * (h - 1) for h in self.heights if h > 1)


def search(heights: tuple[int, ...], width: int, every: int, goal: str, rows: int | tuple[int, int]) -> Schedule:
    """The best schedule found that leaves at most ``rows`` rows: fewest sites, then stages (``goal`` "luts"), or the other way round."""
    beam = [_State((*heights, *[0] * (width - len(heights)))[:width], (), 0)]
    done: list[Schedule] = []
    for level in range(_MOST_STAGES):
        finished = [s for s in (_finished(state, width, every, rows) for state in beam) if s is not None]
        done += [priced(heights, stages, width, every) for stages in finished]
        if not beam or (done and (goal == "levels" or level > min(len(s.stages) for s in done) + 2)):
            break
        beam = _next(beam, width, every, level)
    return min(done, key=lambda s: price_of(s, goal))


def _finished(state: _State, width: int, every: int, rows: int | tuple[int, int]) -> tuple[Stage, ...] | None:
    if levelled(state.heights, rows):
        return state.stages
    if rows != 1:
        return None
    last = _last(state.heights, width)
    return (*state.stages, last) if last else None


def _last(heights: tuple[int, ...], width: int) -> Stage | None:
    """One chain that leaves a bit a column, if there is one: ``()`` where nothing is to do."""
    low = next((k for k, h in enumerate(heights) if h > 1), width)
    high = max((k for k, h in enumerate(heights) if h), default=0)
    atoms, at = "", low
    while at <= high:
        here, above = heights[at] - (at == low), heights[at + 1] if at + 1 < width else 0
        atom = "2" if here <= 2 else "4" if here <= 4 and above <= 1 else "6" if here <= 6 and above == 0 else ""
        if not atom:
            return None
        atoms += atom
        at += _LENGTH[atom]
    return (Placed(atoms, low, 1),) if atoms else ()


def _next(beam: list[_State], width: int, every: int, level: int) -> list[_State]:
    kept = every > 0 and (level + 1) % every == 0
    policies = [_Policy(n, j, m) for n in range(4) for j in (False, True) for m in ((False, True) if kept else (False,))]
    best: dict[tuple[int, ...], _State] = {}
    for state in beam:
        # Most policies agree: their stages are looked at once.
        for stage in dict.fromkeys(_Sweep([*state.heights, 0], width, policy).stage() for policy in policies):
            heights = after(state.heights, stage, width)
            luts = state.luts + stage_luts(stage, width, kept)
            if sum(heights) < sum(state.heights) and (heights not in best or luts < best[heights].luts):
                best[heights] = _State(heights, (*state.stages, stage), luts)
    return sorted(best.values(), key=lambda s: (s.promise, s.heights))[:_BEAM]


@dataclass
class _Chain:
    atoms: str
    column: int


@dataclass
class _Sweep:
    """One stage: from the lowest column up, chains that arrive go on where it pays, then new ones start.

    ``waiting``: bits by column, and a column beyond the last that has none.
    """

    waiting: list[int]
    width: int
    policy: _Policy
    placed: Counter[tuple[str, int]] = field(default_factory=Counter)

    def stage(self) -> Stage:
        arriving: dict[int, list[_Chain]] = {}
        for c in range(self.width):
            for chain in arriving.pop(c, []):
                self._grown(chain, c, self._going_on(c), arriving)
            while atom := self._starting(c):
                if atom in _LENGTH:
                    self.waiting[c] -= atom != "t" and self.waiting[c] > 0
                    self._grown(_Chain("", c), c, atom, arriving)
                else:
                    self.waiting[c] -= min(self.waiting[c], kind_of(atom).takes[0])
                    self.placed[atom, c] += 1
        self.placed.update((chain.atoms, chain.column) for chains in arriving.values() for chain in chains)
        return tuple(Placed(kind, c, n) for (kind, c), n in sorted(self.placed.items(), key=lambda p: (-len(p[0][0]), p[0])))

    def _grown(self, chain: _Chain, c: int, atom: str, arriving: dict[int, list[_Chain]]) -> None:
        """The chain with one atom more, its bits taken; or at its end."""
        if not atom:
            self.placed[chain.atoms, chain.column] += 1
            return
        for k, bits in enumerate(ATOMS[atom]):
            if c + k < self.width:
                self.waiting[c + k] -= min(bits, self.waiting[c + k])
        chain.atoms += atom
        arriving.setdefault(c + _LENGTH[atom], []).append(chain)

    def _going_on(self, c: int) -> str:
        here, above, least, tee = self.waiting[c], self.waiting[c + 1], self.policy.least, self.policy.majorities
        if here >= 6 or (here == 5 and least > 0 and not tee):
            return "6"
        if tee and (here >= 4 or (here == 3 and least > 1)):
            return "t"
        if least > 0 and here == 4 and above:
            return "4"
        return "2" if (least > 1 and here > 1) or (least > 2 and here) else ""

    def _starting(self, c: int) -> str:
        if not self.waiting[c]:
            return ""
        here, above, least = self.waiting[c], self.waiting[c + 1], self.policy.least
        if here > 6 or (here == 6 and least > 0):
            return "6"
        if least > 0 and self.policy.majorities and here > 3 and above > 3:
            return "t"
        if least > 0 and here == 5 and above:
            return "4"
        if least > 1 and here > 2:
            return "2" if self.policy.joined and above > 1 else "fa"
        return ""


_LENGTH = {atom: len(bits) for atom, bits in ATOMS.items()}

"""Which LUTs may share a site: five distinct inputs between two, and an output of the slice for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

__all__ = ["Single", "may_share", "neighbours"]

PINS = 5
# A group of more LUTs that could all share with each other is thinned out: each keeps so many partners.
GROUP, KEPT = 600, 24


@dataclass(frozen=True)
class Single:
    """A LUT with one output.

    Parameters
    ----------
    pins
        The signals it reads.
    takes
        Where it drives S of a carry position: the signal at the position's DI. None elsewhere.
    closed
        Whether it drives S and O or CO of the position leaves through the multiplexer that a second output would need: then it
        shares with the LUT that makes its DI alone.
    generates
        Its output where that is read once, as a DI; None elsewhere.
    upper
        Whether it needs O6 of its site without standing at a carry position: it drives a MUXF7.
    """

    pins: frozenset[int]
    takes: int | None
    closed: bool
    generates: int | None
    upper: bool = False

    @property
    def on_o6(self) -> bool:
        """Whether only O6 will do."""
        return self.upper or self.takes is not None


def may_share(a: Single, b: Single) -> bool:
    """Whether both fit into one site: at most five distinct inputs, at most one of them at a carry position or below a MUXF7."""
    if len(a.pins | b.pins) > PINS or (a.on_o6 and b.on_o6):
        return False
    closed, other = (a, b) if a.closed else (b, a)
    return not closed.closed or (other.generates is not None and other.generates == closed.takes)


def neighbours(luts: Sequence[Single], related: bool) -> tuple[list[list[int]], bool]:
    """For each LUT those it may share a site with, and whether that is all of them (or large groups were thinned out).

    ``related`` leaves out pairs without a common input.
    """
    found: list[set[int]] = [set() for _ in luts]
    complete = True
    for group in _groups(luts, related):
        thin = len(group.small) * len(group.large) > GROUP * GROUP
        complete &= not thin
        for a, b in group.pairs(KEPT if thin else None):
            if a != b and b not in found[a] and may_share(luts[a], luts[b]):
                found[a].add(b)
                found[b].add(a)
    return [sorted(n) for n in found], complete


@dataclass(frozen=True)
class _Group:
    """LUTs each of which may share with each of the other list, as far as inputs go."""

    small: list[int]
    large: list[int]

    def pairs(self, kept: int | None) -> Iterator[tuple[int, int]]:
        if kept is None:
            yield from ((a, b) for a in self.large for b in self.small)
            return
        # Neighbours in the order of the netlist are likely neighbours on the chip; each gets the next ones, round and round.
        for k, a in enumerate(self.large):
            start = k * len(self.small) // len(self.large)
            yield from ((a, self.small[(start + j) % len(self.small)]) for j in range(min(kept, len(self.small))))


def _groups(luts: Sequence[Single], related: bool) -> Iterator[_Group]:
    """Two LUTs of s and t inputs fit when they have s + t - 5 in common: groups by what is common, each pair at least once."""
    by_common: dict[tuple[int, ...], dict[int, list[int]]] = {}
    for k, lut in enumerate(luts):
        pins = sorted(lut.pins)
        for common in _needs(len(pins), related):
            for subset in combinations(pins, common):
                by_common.setdefault(subset, {}).setdefault(len(pins), []).append(k)
    for subset, by_size in by_common.items():
        for s, small in by_size.items():
            yield from (_Group(small, by_size[t]) for t in range(s, PINS + 1) if t in by_size and _need(s, t, related) == len(subset))


def _need(s: int, t: int, related: bool) -> int:
    """Inputs that LUTs of s and t inputs must have in common to share a site."""
    return max(s + t - PINS, 1 if related and s else 0)


def _needs(size: int, related: bool) -> list[int]:
    if size > PINS:
        return []
    return sorted({_need(min(size, t), max(size, t), related) for t in range(PINS + 1)} - {PINS + 1})

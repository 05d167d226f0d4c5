"""Codes of a sum whose bits are not added up yet: piecewise constant functions of weighted bits, in few LUTs.

Bits enter by weight, a few at a time. What the bits so far mean for the rest is a *class* (how many of the remaining sums reach each
point); a stage of LUTs turns the class before and some more bits into the class after, as a binary number. One comparison has two or three
classes nearly everywhere, k points at most k + 1 for a plain number. Sums are counted and never listed, so that wide ones
cost no more time than their bits. Functional decomposition after Roth and Karp (1962).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from hwq.fabric.netlist import FALSE, TRUE, Netlist, inverted
from hwq.fabric.unroll.reachable import Reachable, reachable

__all__ = ["PINS", "Decision", "Steps", "decided", "decision"]

PINS = 6  # of a LUT
MOST_CLASSES = 1 << PINS - 1  # of a LUT that takes another bit


@dataclass(frozen=True)
class Steps:
    """A function of an integer: ``codes[i]`` between ``points[i - 1]`` (included) and ``points[i]`` (points ascending, one less)."""

    points: tuple[int, ...]
    codes: tuple[int, ...]

    def shifted(self, constant: int) -> Steps:
        """The function of ``v`` whose value is this one's at ``v + constant``."""
        return Steps(tuple(p - constant for p in self.points), self.codes)

    def within(self, lo: int, hi: int) -> Steps:
        """The same on ``lo .. hi``, without points that do not matter there."""
        points, codes = [], [self.codes[bisect_right(self.points, lo)]]
        for point, code in zip(self.points, self.codes[1:], strict=True):
            if lo < point <= hi and code != codes[-1]:
                points.append(point)
                codes.append(code)
        return Steps(tuple(points), tuple(codes))

    def mirrored(self, full: int) -> Steps:
        """The function of ``v`` whose value is this one's at ``full - v``."""
        return Steps(tuple(full - p + 1 for p in reversed(self.points)), self.codes[::-1])

    def bit(self, k: int) -> Steps:
        """Bit ``k`` of the code alone."""
        codes = [c >> k & 1 for c in self.codes]
        changes = [i for i in range(len(self.points)) if codes[i] != codes[i + 1]]
        return Steps(tuple(self.points[i] for i in changes), (codes[0], *(codes[i + 1] for i in changes)))


@dataclass(frozen=True)
class Decision:
    """``stages[i]`` takes the class so far and the next ``stages[i]`` bits, behind ``skipped`` that do not matter; ``luts``: LUT sites."""

    skipped: int
    stages: tuple[int, ...]
    luts: int


@lru_cache(maxsize=4096)
def decision(weights: tuple[int, ...], steps: Steps, width: int) -> Decision | None:
    """The cheapest stages for bits of these ``weights`` (exponents, ascending); None where a class would not fit a LUT's pins."""
    count = len(weights)
    size = [_code_bits(_classes(weights, steps, n)) for n in range(count)] + [width]
    skipped = max(n for n in range(count) if size[n] == 0)
    best: list[tuple[int, int, tuple[int, ...]] | None] = [None] * (count + 1)
    best[skipped] = (0, 0, ())
    for n in range(skipped + 1, count + 1):
        for start in range(max(skipped, n - PINS), n):
            before, inputs = best[start], size[start] + n - start
            if before is None or inputs > PINS:
                continue
            found = (before[0] + _sites(size[n], inputs), before[1] + 1, (*before[2], n - start))
            current = best[n]
            if current is None or found < current:
                best[n] = found
    last = best[count]
    return Decision(skipped, last[2], last[0]) if last else None


def decided(
    netlist: Netlist, bits: Sequence[tuple[int, int]], steps: Steps, width: int, way: Decision, *, registered: bool
) -> tuple[list[int], int]:
    """The code (``width`` literals) of the sum of ``bits`` (literal, weight), and the cycles taken: one a stage if ``registered``."""
    ordered = sorted(bits, key=lambda b: b[1])
    weights = tuple(w for _, w in ordered)
    waiting = [b for b, _ in ordered][way.skipped :]
    code: list[int] = []
    n = way.skipped
    for taken in way.stages:
        tables, before = _tables(weights, steps, width, n, n + taken)
        pins = [*code, *waiting[:taken]]
        code = [_made(netlist, table, before, pins) for table in tables]
        waiting, n = waiting[taken:], n + taken
        if registered:
            code, waiting = [netlist.flop(b) for b in code], [netlist.flop(b) for b in waiting]
    return code, len(way.stages) if registered else 0


def _made(netlist: Netlist, table: Sequence[int], given: Sequence[bool], pins: Sequence[int]) -> int:
    """A LUT of the table; inputs that do not occur take the value of their neighbour below, so that pins may fall away."""
    value, init = 0, 0
    for i, (bit, occurs) in enumerate(zip(table, given, strict=True)):
        value = bit if occurs else value
        init |= value << i
    return _upright(netlist, init, pins, netlist.lut(init, *pins))


def _upright(netlist: Netlist, init: int, pins: Sequence[int], bit: int) -> int:
    """``bit``, the function of ``pins``, as a signal and no complement, which would cost an inverter at an output port."""
    if not inverted(bit) or bit == TRUE or bit & ~1 in {p & ~1 for p in pins}:
        return bit
    wide = [*pins[:5], *[FALSE] * (5 - len(pins)), pins[5] & ~1 if len(pins) == PINS else TRUE]
    flip = int(len(pins) == PINS and inverted(pins[5]))
    places = len(pins)
    return netlist.lut6_2(lambda *v: init >> (sum(b << k for k, b in enumerate(v[:places])) ^ flip << 5) & 1, *wide)[0]


def _tables(weights: tuple[int, ...], steps: Steps, width: int, start: int, end: int) -> tuple[list[list[int]], list[bool]]:
    """Truth tables of the bits of the class after ``end`` bits (at the last: of the code), and which inputs occur."""
    before = _classes(weights, steps, start)
    size = _code_bits(before)
    sums = _sums(weights[start:end])
    after = _classes(weights, steps, end) if end < len(weights) else None
    rest = reachable(weights[end:])
    index = {row: k for k, row in enumerate(after.classes)} if after else {}
    bits = _code_bits(after) if after else width
    tables = [[0] * (1 << (size + end - start)) for _ in range(bits)]
    occurs = [False] * (1 << (size + end - start))
    for k, value in enumerate(before.smallest):
        for i, more in enumerate(sums):
            total = value + more
            reached = index[_reached(rest, steps, total)] if after else _code(steps, total)
            place = k | i << size
            occurs[place] = True
            for b in range(bits):
                tables[b][place] = reached >> b & 1
    return tables, occurs


@dataclass(frozen=True)
class _Classes:
    """What sums of the first bits mean: distinct rows of counts of remaining sums below each point, and the least sum of each."""

    classes: tuple[tuple[int, ...], ...]
    smallest: tuple[int, ...]


@lru_cache(maxsize=4096)
def _classes(weights: tuple[int, ...], steps: Steps, n: int) -> _Classes:
    """In order of their sums; of more than a LUT can take (``2**(PINS - 1)``) only the first ones and one more."""
    values, rest = reachable(weights[:n]), reachable(weights[n:])
    found: dict[tuple[int, ...], int] = {}
    rank = 0
    while rank < values.count and len(found) <= MOST_CLASSES:
        value = values.sum(rank)
        row = _reached(rest, steps, value)
        found[row] = value
        # The least larger value of which one remaining sum fewer is below some point.
        change = min((p - rest.sum(below - 1) for p, below in zip(steps.points, row, strict=True) if below), default=None)
        rank = values.count if change is None else values.below(change)
    return _Classes(tuple(found), tuple(found.values()))


def _reached(rest: Reachable, steps: Steps, value: int) -> tuple[int, ...]:
    """For each point, how many sums of the remaining bits stay below it after ``value``."""
    return tuple(rest.below(p - value) for p in steps.points)


def _code(steps: Steps, value: int) -> int:
    return steps.codes[bisect_right(steps.points, value)]


def _code_bits(found: _Classes) -> int:
    return (len(found.smallest) - 1).bit_length()


def _sites(outputs: int, inputs: int) -> int:
    """LUT sites of ``outputs`` functions of the same ``inputs`` bits."""
    return outputs if inputs == PINS else (outputs + 1) // 2


def _sums(weights: Sequence[int]) -> list[int]:
    """Sums of all 2**n choices of the bits, bit k of the index for bit k."""
    sums = [0]
    for w in weights:
        sums += [s + (1 << w) for s in sums]
    return sums

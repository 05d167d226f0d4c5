"""Stream components stepped cycle by cycle, as the gateware is specified: registers, credits, handshakes. No max-plus anywhere.

Every machine has an Egress for each output, ``ready(valid)`` for each input (given which inputs hold a word), and ``clock(taken, pop)``:
which inputs were taken and which Egresses popped in the cycle that ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hwq.plan.geometry import Geometry
from hwq.plan.latency import READ_LATENCY
from hwq.plan.moving_units import ArgMaxUnit, ConcatUnit, PadUnit, SplitUnit, TopKUnit
from hwq.plan.units import (
    FIFO_EGRESS,
    AxiIn,
    AxiOut,
    Converter,
    Elementwise,
    Fifo,
    Join,
    Unit,
    UpsampleUnit,
    WindowUnit,
)

Flags = list[bool]


@dataclass
class Egress:
    """Credits and output FIFO: a word taken in cycle t is written in t + latency and valid from t + latency + 1."""

    depth: int
    latency: int
    credits: int = 0
    words: int = 0
    high: int = 0
    pipe: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.credits = self.depth

    @property
    def grant(self) -> bool:
        return self.credits > 0

    @property
    def valid(self) -> bool:
        return self.words > 0

    def clock(self, take: bool, pop: bool) -> None:
        self.pipe = [n - 1 for n in self.pipe] + ([self.latency] if take else [])
        arrived = self.pipe.count(0)
        self.pipe = [n for n in self.pipe if n > 0]
        self.words += arrived - pop
        self.credits += pop - take
        self.high = max(self.high, self.words)
        assert 0 <= self.credits <= self.depth


class Machine:
    def __init__(self, *egresses: Egress) -> None:
        self.egresses = egresses

    def ready(self, valid: Flags) -> Flags:
        raise NotImplementedError

    def clock(self, taken: Flags, pop: Flags) -> None:
        raise NotImplementedError


class Stream(Machine):
    """One word in a firing; the last of ``count`` firings writes a word."""

    def __init__(self, egress: Egress, count: int = 1) -> None:
        super().__init__(egress)
        self.count, self.position = count, 0

    def ready(self, valid: Flags) -> Flags:
        return [self.position < self.count - 1 or self.egresses[0].grant]

    def clock(self, taken: Flags, pop: Flags) -> None:
        self.egresses[0].clock(taken[0] and self.position == self.count - 1, pop[0])
        if taken[0]:
            self.position = (self.position + 1) % self.count


class JoinMachine(Machine):
    def ready(self, valid: Flags) -> Flags:
        others = [all(v for n, v in enumerate(valid) if n != k) for k in range(len(valid))]
        return [o and self.egresses[0].grant for o in others]

    def clock(self, taken: Flags, pop: Flags) -> None:
        assert len(set(taken)) == 1
        self.egresses[0].clock(taken[0], pop[0])


class ConcatMachine(Machine):
    def __init__(self, egress: Egress, words: Sequence[int]) -> None:
        super().__init__(egress)
        self.turns, self.position = [k for k, n in enumerate(words) for _ in range(n)], 0
        self.inputs = len(words)

    def ready(self, valid: Flags) -> Flags:
        return [k == self.turns[self.position] and self.egresses[0].grant for k in range(self.inputs)]

    def clock(self, taken: Flags, pop: Flags) -> None:
        self.egresses[0].clock(any(taken), pop[0])
        self.position = (self.position + any(taken)) % len(self.turns)


class SplitMachine(Machine):
    def __init__(self, egresses: Sequence[Egress], words: Sequence[int], kept: Sequence[int], is_wide: bool) -> None:
        super().__init__(*egresses)
        self.turns, self.position = [k for k, n in zip(kept, words, strict=True) for _ in range(n)], 0
        self.is_wide = is_wide

    def ready(self, valid: Flags) -> Flags:
        if self.is_wide:
            return [all(e.grant for e in self.egresses)]
        k = self.turns[self.position]
        return [k < 0 or self.egresses[k].grant]

    def clock(self, taken: Flags, pop: Flags) -> None:
        for k, e in enumerate(self.egresses):
            e.clock(taken[0] and (self.is_wide or self.turns[self.position] == k), pop[k])
        self.position = (self.position + taken[0]) % len(self.turns)


class Padder(Machine):
    def __init__(self, egress: Egress, unit: PadUnit) -> None:
        super().__init__(egress)
        top, left, bottom, right = unit.padding
        rows = [top <= y < top + unit.height for y in range(top + unit.height + bottom)]
        columns = [left <= x < left + unit.width for x in range(left + unit.width + right)]
        self.real = [r and c for r in rows for c in columns for _ in range(unit.words)]
        self.position, self.offered = 0, False

    def ready(self, valid: Flags) -> Flags:
        self.offered = valid[0]
        return [self.real[self.position] and self.egresses[0].grant]

    def clock(self, taken: Flags, pop: Flags) -> None:
        fire = taken[0] or (not self.real[self.position] and self.egresses[0].grant and (self.position > 0 or self.offered))
        self.egresses[0].clock(fire, pop[0])
        self.position = (self.position + fire) % len(self.real)


class Gearbox(Machine):
    """Fill register of a block of words, shift-out register."""

    def __init__(self, egress: Egress, unit: Converter) -> None:
        super().__init__(egress)
        self.into = [unit.words_in] * (unit.blocks - 1) + [unit.last_in]
        self.out = [unit.words_out] * (unit.blocks - 1) + [unit.last_out]
        self.filled, self.full, self.busy, self.position = 0, False, False, 0
        self.block_in = self.block_out = 0

    def _fire(self) -> bool:
        return self.busy and self.egresses[0].grant

    def _ends(self) -> bool:
        return self._fire() and self.position == self.out[self.block_out] - 1

    def _exchange(self) -> bool:
        return self.full and (not self.busy or self._ends())

    def ready(self, valid: Flags) -> Flags:
        return [not self.full or self._exchange()]

    def clock(self, taken: Flags, pop: Flags) -> None:
        fire, ends, exchange = self._fire(), self._ends(), self._exchange()
        self.egresses[0].clock(fire, pop[0])
        self.position = 0 if ends else self.position + fire
        self.block_out = (self.block_out + ends) % len(self.out)
        self.busy = exchange or (self.busy and not ends)
        self.full = self.full and not exchange
        if taken[0]:
            self.filled += 1
            if self.filled == self.into[self.block_in]:
                self.filled, self.full = 0, True
                self.block_in = (self.block_in + 1) % len(self.into)


class Buffered(Machine):
    """A buffer whose words are read in an order known beforehand.

    ``schedule`` of a frame, one entry a firing: the word it needs (None: none), whether it produces, and how far the base stands after
    it. All counted from the first word of the frame; ``frame`` words.
    """

    def __init__(self, egress: Egress, buffer: int, frame: int, base: int, schedule: Sequence[tuple[int | None, bool, int]]) -> None:
        super().__init__(egress)
        self.buffer, self.frame, self.schedule = buffer, frame, schedule
        self.written, self.base, self.position, self.start = 0, base, 0, 0
        self.started = self.offered = False

    def ready(self, valid: Flags) -> Flags:
        self.offered |= valid[0]
        return [self.written - self.base < self.buffer]

    def clock(self, taken: Flags, pop: Flags) -> None:
        need, produces, base = self.schedule[self.position]
        is_there = self.started and (need is None or self.start + need < self.written)
        fire = is_there and (not produces or self.egresses[0].grant)
        self.started = self.offered
        self.egresses[0].clock(fire and produces, pop[0])
        if fire:
            self.base = self.start + base
            self.position += 1
            if self.position == len(self.schedule):
                self.position, self.start = 0, self.start + self.frame
        self.written += taken[0]


def window_schedule(g: Geometry) -> list[tuple[int | None, bool, int]]:
    """The firings of a frame: padding counts as if it lay in the buffer."""
    (kh, kw), (sy, sx), (dy, dx), (top, left, _, _) = g.window.kernel, g.window.stride, g.window.dilation, g.window.padding
    groups = [(oh, og) for oh in range(g.out_height) for og in range(g.out_groups)]
    bases = [((oh * sy - top) * g.columns + (og * g.pixels * sx - left) // g.pixels) * g.words for oh, og in groups]
    bases.append(g.frame + bases[0])
    part = g.words // g.blocks
    firings: list[tuple[int | None, bool, int]] = []
    for k, (oh, og) in enumerate(groups):
        for block in range(g.blocks):
            for _ in range(g.passes):
                for a in range(kh):
                    for b in range(kw):
                        y = oh * sy - top + a * dy
                        xs = [(og * g.pixels + v) * sx - left + b * dx for v in range(g.pixels)]
                        real = [x for x in xs if 0 <= x < g.width and 0 <= y < g.height]
                        for c in range(part):
                            need = (y * g.columns + max(real) // g.pixels) * g.words + block * part + c if real else None
                            firings.append((need, False, bases[k]))
                need, _, base = firings[-1]
                firings[-1] = (need, True, base)
        need, produces, _ = firings[-1]
        firings[-1] = (need, produces, bases[k + 1])
    return firings


def repeat_schedule(height: int, columns: int, words: int, factor: tuple[int, int]) -> list[tuple[int | None, bool, int]]:
    """The firings of an upsampled frame; a word is free when it was read for the last time, where pixels repeat with its pixel."""
    firings: list[tuple[int | None, bool, int]] = []
    base = 0
    for y in range(height):
        for again in range(factor[0]):
            for x in range(columns):
                for copy in range(factor[1]):
                    for c in range(words):
                        place = (y * columns + x) * words + c
                        if again == factor[0] - 1 and copy == factor[1] - 1 and (factor[1] == 1 or c == words - 1):
                            base = place + 1
                        firings.append((place, True, base))
    return firings


def machine_of(u: Unit) -> Machine:
    match u:
        case AxiIn() | AxiOut():
            return Stream(Egress(u.depth, 0))
        case Fifo():
            if u.memory == "lutram":
                return Stream(Egress(u.depth, 0))
            return Buffered(Egress(FIFO_EGRESS, READ_LATENCY), u.depth, 1, 0, [(0, True, 1)])
        case Elementwise():
            return Stream(Egress(u.depth, u.latency))
        case ArgMaxUnit() | TopKUnit():
            return Stream(Egress(u.depth, u.latency), u.words)
        case Converter():
            return Gearbox(Egress(u.depth, 0), u)
        case Join():
            return JoinMachine(Egress(u.depth, u.latency))
        case ConcatUnit():
            egress = Egress(u.depth, u.latency)
            return JoinMachine(egress) if u.is_wide else ConcatMachine(egress, u.words)
        case SplitUnit():
            return SplitMachine([Egress(u.depth, u.latency) for _ in u.outputs], u.words, u.kept, u.is_wide)
        case PadUnit():
            return Padder(Egress(u.depth, u.latency), u)
        case UpsampleUnit():
            frame = u.height * u.columns * u.words
            return Buffered(Egress(u.depth, u.latency), u.buffer, frame, 0, repeat_schedule(u.height, u.columns, u.words, u.factor))
        case WindowUnit():
            schedule, g = window_schedule(u.geometry), u.geometry
            top, left, _, _ = g.window.padding
            base = (-top * g.columns + -left // g.pixels) * g.words
            return Buffered(Egress(u.depth, u.latency), u.buffer, g.frame, base, schedule)
        case _:
            raise TypeError(type(u).__name__)

"""Depths of buffers and FIFOs: the least with which a dataflow keeps the interval its laws promise.

More depth never delays anything. So a channel that cannot shrink inside a piece of the dataflow, fed and emptied by an ideal world,
cannot shrink in the whole either: pieces give floors cheaply (region.py), the whole is tried with them, and only where it then
falls behind are depths in between looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from hwq.plan.dataflow import Dataflow
from hwq.plan.geometry import Geometry, ceil_div
from hwq.plan.law import bottleneck
from hwq.plan.region import around, between_fork_and_join, leading_to
from hwq.plan.token_network import Channel, TokenNetwork, buffer_name
from hwq.plan.token_run import Machine, Watch
from hwq.plan.units import Converter, Fifo, Unit, UpsampleUnit, WindowUnit

__all__ = ["keeps_interval", "least_depths", "start_depths"]

GROWTHS = 8  # doublings of all depths before giving up on the interval
PATIENCE = 16  # frames in which a circuit falls behind evenly before it is given up
SLACKS = (1, 2, 4, 8, 16)  # sixteenths of a floor tried on top of it in a large network
STEPS = 50_000_000  # of the token simulator, a second in twenty millions, from which on no depth is tried any more
MARGIN = 8  # words on top of what a FIFO in LUT RAM holds, should it leave that
FRAMES_AHEAD = 2  # doublings of all depths before FIFOs, which start with a frame, are doubled too
CLOSE = 32  # a depth is near enough to its floor in a large network at this part of it
LARGE = 100_000  # steps a frame from which trials are spared

Progress = Callable[[str, float | None], None]


def start_depths(dataflow: Dataflow) -> dict[str, int]:
    """Depths that normally suffice, by channel: a window and what it moves by, a frame a FIFO, the credit round trip an Egress."""
    depths: dict[str, int] = {}
    for unit in dataflow.units:
        if not hasattr(unit, "depth"):
            continue
        # Every output of a split is a channel of its own.
        depths |= {unit.name if k == 0 else f"{unit.name} ({k})": max(2, _round_trip(unit)) for k in range(max(1, len(unit.outputs)))}
        if isinstance(unit, Fifo):
            depths[unit.name] = 2 + dataflow.edges[unit.inputs[0]].words
        elif isinstance(unit, WindowUnit):
            depths[buffer_name(unit.name)] = start_buffer(unit.geometry)
        elif isinstance(unit, UpsampleUnit):
            depths[buffer_name(unit.name)] = 2 * unit.words * (unit.columns if unit.factor[0] > 1 else 1) + 1
    return depths


def start_buffer(g: Geometry) -> int:
    """Words of a Reader that normally suffice for full rate: the window, the rows that are read but not kept by it, a few pixels.

    ``least + (max(0, (kh - 1) dy - top - bottom) + sy - 1) rows + max(2, kw - 1) pixels``: a start for the sizing, not a law.
    """
    if g.height == g.width == 1:
        return max(2 * g.words, g.least_buffer)
    (kh, kw), (sy, _), (dy, _), (top, _, bottom, _) = g.window.kernel, g.window.stride, g.window.dilation, g.window.padding
    rows = max(0, (kh - 1) * dy - top - bottom) + sy - 1
    return g.least_buffer + rows * g.row + max(2, kw - 1) * g.words


def _round_trip(unit: Unit) -> int:
    """Words under way between a credit's spending and its return: ceil((L + 2) / cycles a word)."""
    return ceil_div(getattr(unit, "latency", 0) + 2, getattr(unit, "sf", 1))


def keeps_interval(tokens: TokenNetwork, cycles: int) -> bool:
    """Whether frames offered every ``cycles`` cycles flow through without ever falling behind.

    With a paced source every event of a frame comes ``cycles`` or more after that of the frame before. Once the state at the border
    of a frame recurs after exactly the cycles offered, it always will; a circuit slower than ``cycles`` falls behind for ever.
    """
    return _try(tokens, cycles)[0]


def _try(tokens: TokenNetwork, cycles: int) -> tuple[bool, int]:
    """Whether ``tokens`` keeps the interval, and the steps it took to find out."""
    deepest = max(c.depth // c.words for c in tokens.channels)
    machine = tokens.start(PATIENCE * (4 + deepest), pace=cycles)
    watches = [Watch() for _ in tokens.parts]
    late = [_Lateness() for _ in watches]
    while machine.offered < machine.frames and machine.advance():
        patience = 2 if _is_large(machine) else 3 + min(deepest, PATIENCE)
        for watch, lateness, state in zip(watches, late, machine.states(), strict=True):
            watch.see(state)
            steady = watch.steady
            if steady and steady.cycles > steady.period * cycles:
                return False, machine.steps
            if not steady and lateness.frames_after(state.now - machine.offered * cycles) >= patience:
                return False, machine.steps
        if all(w.steady for w in watches):
            return True, machine.steps
    return False, machine.steps


def _is_large(machine: Machine) -> bool:
    return machine.steps > LARGE * machine.offered


class _Lateness:
    """Cycles by which frames come late: what grows evenly for some frames grows for good."""

    def __init__(self) -> None:
        self.before, self.growth, self.frames = 0, 0, 0

    def frames_after(self, late: int) -> int:
        """Frames for which the lateness has grown by the same number of cycles, when it is now ``late``."""
        growth = late - self.before
        self.frames = self.frames + 1 if growth == self.growth > 0 else 0
        self.before, self.growth = late, growth
        return self.frames


def least_depths(
    dataflow: Dataflow,
    fixed: Mapping[str, int],
    sizable: Collection[str],
    progress: Progress | None = None,
) -> dict[str, int]:
    """Depths of the channels ``sizable``, ``fixed`` ones honoured: none can shrink by one without losing the interval.

    More depth never delays anything as long as a FIFO stays in its memory, so passes end soon; the order chooses among the minima:
    buffers and Egresses first, then FIFOs, each widest first. In a large network all start a little above their floors, Egresses at the
    credit round trip, then those with most bits come first, and no depth is tried any more after :data:`STEPS` steps. Where no
    depths keep the interval (``fixed`` ones too small), those to start with.
    """
    _, cycles = bottleneck(dataflow)
    tokens = TokenNetwork(dataflow)
    free = [c for c in tokens.channels if c.name in sizable and c.name not in fixed]
    start = {n: d for n, d in start_depths(dataflow).items() if n in sizable} | dict(fixed)
    depths = _grow(tokens, start, free, cycles)
    if depths is None:
        return start
    kinds = {u.name: u for u in dataflow.units}
    # Python's sort is stable: equal widths keep the order of the dataflow.
    free.sort(key=lambda c: -c.width)
    queues = [c for c in free if isinstance(kinds.get(c.name), Fifo | Converter)]
    sizer = _Sizer(tokens, depths, cycles, progress or (lambda text, fraction: None))
    sizer.trim(queues)
    rest = [c for c in free if c not in queues]
    if sizer.is_large:
        sizer.size_large(free, {c.name: start[c.name] for c in rest if not c.is_buffer})
        return sizer.depths
    before: dict[str, int] = {}
    while before != sizer.depths:
        # A FIFO that leaves block RAM answers sooner: what was sized beside it may shrink again.
        before = dict(sizer.depths)
        sizer.size(rest)
        sizer.size(queues)
    return sizer.depths


def _grow(tokens: TokenNetwork, start: Mapping[str, int], free: Sequence[Channel], cycles: int) -> dict[str, int] | None:
    depths = dict(start)
    frames = {u.name for u in tokens.dataflow.units if isinstance(u, Fifo)}
    for doubling in range(GROWTHS):
        if keeps_interval(tokens.with_depths(depths), cycles):
            return depths
        if not free:
            return None
        grown = [c for c in free if doubling >= FRAMES_AHEAD or c.unit not in frames]
        depths |= {c.name: 2 * depths[c.name] if not c.row else start[c.name] + (2 << doubling) // 2 * c.row for c in grown}
    return None


class _Sizer:
    """Depths with which ``tokens`` keeps ``cycles``, and smaller ones as they are found."""

    def __init__(self, tokens: TokenNetwork, depths: dict[str, int], cycles: int, progress: Progress, is_large: bool = False) -> None:
        self.tokens, self.depths, self.cycles, self.progress, self.is_large = tokens, depths, cycles, progress, is_large
        self.spent, self.spent_on_floors = 0, 0

    def trim(self, queues: Sequence[Channel]) -> None:
        """No deeper than what ``queues`` ever hold."""
        machine = self.plain().with_depths(self.depths).start(2, pace=self.cycles, counts=True)
        machine.advance(2)
        self.is_large = _is_large(machine)
        held = {c.name: machine.result().high_water.get(c.name, self.depths[c.name]) + MARGIN for c in queues}
        trimmed = {n: depth for n, depth in held.items() if depth < self.depths[n]}
        if trimmed and self.keeps(trimmed):
            self.depths.update(trimmed)

    def plain(self) -> TokenNetwork:
        """The network with all FIFOs in LUT RAM however deep, where their words are counted."""
        dataflow = self.tokens.dataflow
        units = (replace(u, depth=self.depths.get(u.name, u.depth), memory="lutram") if isinstance(u, Fifo) else u for u in dataflow.units)
        return TokenNetwork(Dataflow(tuple(units), dataflow.edges))

    def size(self, channels: Sequence[Channel]) -> None:
        """Shrink ``channels`` as far as they go, the first first."""
        self.shrink([c.name for c in channels], self.floors(channels))

    def floors(self, channels: Sequence[Channel]) -> dict[str, int]:
        """A depth for each of ``channels`` below which it does not go."""
        found = {}
        for k, channel in enumerate(channels):
            self.progress(f"sizing {channel.name}", k / len(channels))
            found[channel.name] = min(self.floor(channel), self.depths[channel.name])
        return found

    def size_large(self, channels: Sequence[Channel], given: Mapping[str, int]) -> None:
        """A little above the floors, all at once, then down by what saves most bits; those ``given`` are floors enough."""
        floors = dict(given) | self.floors([c for c in channels if c.name not in given])
        if not self.approach(floors, given):
            for group in (list(given), [n for n in floors if n not in given]):
                self.approach({n: floors[n] for n in group}, given)
        bits = {c.name: c.width * (self.depths[c.name] - floors[c.name]) for c in channels}
        self.shrink(sorted(floors, key=lambda n: -bits[n]), floors)

    def approach(self, floors: Mapping[str, int], given: Collection[str]) -> bool:
        """A little above the floors, but for those ``given``, all at once, where that keeps the interval."""
        for slack in SLACKS:
            trial = {n: min(self.depths[n], floor + (n not in given) * slack * (2 + floor // 16)) for n, floor in floors.items()}
            if self.keeps(trial):
                self.depths.update(trial)
                return True
        return False

    def keeps(self, changes: Mapping[str, int]) -> bool:
        kept, steps = _try(self.tokens.with_depths({**self.depths, **changes}), self.cycles)
        self.spent += steps
        return kept

    def shrink(self, names: Sequence[str], floors: Mapping[str, int]) -> None:
        """All of them to their floors where that keeps the interval; else by halves, down to the one that needs more."""
        names = [n for n in names if floors[n] < self.depths[n]]
        lower = {n: floors[n] for n in names}
        if not names or self.spent > STEPS:
            return
        if self.keeps(lower):
            self.depths.update(lower)
        elif len(names) > 1:
            half = (len(names) + 1) // 2
            self.progress(f"sizing {names[0]}", None)
            self.shrink(names[:half], floors)
            self.shrink(names[half:], floors)
        else:
            self.depths[names[0]] = self.least(names[0], floors[names[0]] + 1)

    def least(self, name: str, low: int) -> int:
        """The least depth from ``low`` on that keeps the interval; that of now does. In a large network one close by."""
        return self.bounds(name, low)[1]

    def bounds(self, name: str, low: int) -> tuple[int, int]:
        """Depths below which the interval is lost and from which on it is kept, ``low`` and that of now or between. Looks near ``low``
        first."""
        high, step = self.depths[name], 1
        while high - low > (low // CLOSE if self.is_large else 0) and self.spent <= STEPS:
            middle = min(low + step - 1, (low + high) // 2)
            if self.keeps({name: middle}):
                high = middle
            else:
                low, step = middle + 1, 4 * step
        return low, high

    def floor(self, channel: Channel) -> int:
        """A depth that ``channel`` cannot go below whatever the others have."""
        dataflow = self.tokens.dataflow
        unit = next(u for u in dataflow.units if u.name == channel.unit)
        if isinstance(unit, Fifo) or channel.is_buffer:
            low = self.floor_in(leading_to(dataflow, unit), channel, channel.minimum) if channel.is_buffer else channel.minimum
            low = self.floor_in(between_fork_and_join(dataflow, unit), channel, low)
            wider = self.is_large and isinstance(unit, Fifo) and self.spent_on_floors < STEPS // 2
            return self.floor_in(around(dataflow, unit, margin=True), channel, low) if wider else low
        # No more than a depth of words goes through in a round trip.
        return max(channel.minimum, ceil_div(channel.words * (channel.latency + 2), self.cycles))

    def floor_in(self, piece: Dataflow | None, channel: Channel, low: int) -> int:
        if piece is None or len(piece.units) >= len(self.tokens.dataflow.units):
            return low
        if self.spent_on_floors > STEPS:
            return self.depths[channel.name]
        inside = TokenNetwork(piece)
        tokens = inside.with_depths({c.name: self.depths[c.name] for c in inside.channels if c.name in self.depths})
        sizer = _Sizer(tokens, {channel.name: self.depths[channel.name]}, self.cycles, self.progress, self.is_large)
        low, _ = sizer.bounds(channel.name, low)
        self.spent_on_floors += sizer.spent
        return low

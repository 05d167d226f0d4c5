"""A run of the token simulator, frame by frame: every beat, and the state at the border of every frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwq.plan import token_tables as tt
from hwq.plan.token_engines import Channel
from hwq.plan.token_simulator import run_tokens, state_of
from hwq.plan.token_wiring import Layout, Part, Wiring

__all__ = ["LONGEST_PERIOD", "Machine", "Part", "StallTraces", "State", "SteadyState", "TokenRun", "Watch"]

LONGEST_PERIOD = 32  # frames that may alternate before a steady state is recognised
NO_LIMIT = 1 << 62

Beats = NDArray[np.int64]
Traces = Mapping[str, ArrayLike]


@dataclass(frozen=True)
class StallTraces:
    """When the world lets a beat start or take place: boolean arrays by graph input or output, indexed by cycle, repeated.

    ``sources[input][t]``: a new beat may be offered from cycle t on (once offered it stays). ``sinks[output][t]``: ready.
    """

    sources: Traces = field(default_factory=dict)
    sinks: Traces = field(default_factory=dict)


@dataclass(frozen=True)
class SteadyState:
    """From frame ``start`` on every event of a frame comes ``cycles`` after the same event ``period`` frames before."""

    start: int
    period: int
    cycles: int

    @property
    def interval(self) -> int | float:
        """Cycles a frame; not whole only when frames alternate."""
        return self.cycles // self.period if self.cycles % self.period == 0 else self.cycles / self.period


@dataclass(frozen=True, eq=False)
class State:
    """All that can still act on the frames to come, of one part, after a frame: cycles relative to ``now``."""

    now: int
    times: NDArray[np.int64]

    def recurs(self, earlier: State) -> bool:
        """Whether this is ``earlier``, shifted in time."""
        return np.array_equal(self.times, earlier.times)

    @property
    def digest(self) -> str:
        """SHA-256 of the relative cycles."""
        return sha256(self.times.astype("<i8").tobytes()).hexdigest()


class Watch:
    """Sees the state of a part after every frame until one recurs."""

    def __init__(self) -> None:
        self.kept: deque[State] = deque(maxlen=LONGEST_PERIOD + 1)
        self.frames = 0
        self.steady: SteadyState | None = None

    def see(self, state: State) -> None:
        """Take the state after the next frame; once it is an earlier one, shifted in time, ``steady`` says so."""
        self.frames += 1
        self.kept.append(state)
        if self.steady is not None:
            return
        for period in range(1, len(self.kept)):
            earlier = self.kept[-1 - period]
            if state.recurs(earlier):
                self.steady = SteadyState(self.frames - period, period, state.now - earlier.now)
                return

    @property
    def digest(self) -> str:
        """That of the last state."""
        return self.kept[-1].digest


@dataclass(frozen=True, eq=False)
class TokenRun:
    """Cycles of all handshakes with the world; -1 for those that never happened.

    Parameters
    ----------
    input_beats, output_beats
        By graph input or output: int64 (frames, beats a frame), or (frames, 2) with the first and the last beat.
    stuck
        Names of units that hold or await words for ever: empty unless the dataflow is deadlocked.
    high_water
        By channel: most words that ever lay in it, where that was counted.
    steps
        Steps the simulation took.
    """

    input_beats: Mapping[str, Beats]
    output_beats: Mapping[str, Beats]
    stuck: tuple[str, ...]
    high_water: Mapping[str, int]
    steps: int

    @property
    def deadlock(self) -> bool:
        """Whether the run came to a halt before all frames were through."""
        return bool(self.stuck)

    def latency(self, frame: int, part: Part) -> int:
        """Cycles from the first beat of ``frame`` that ``part`` accepts to the last it delivers."""
        first = min(int(self.input_beats[name][frame, 0]) for name in part.inputs)
        return max(int(self.output_beats[name][frame, -1]) for name in part.outputs) - first


class Machine:
    """The token simulator at work: memory is the sum of all depths, and the log of the beats asked for.

    ``frames`` is the most that will be offered; ``pace`` > 0 keeps the sources from starting a frame earlier than that many cycles
    after the one before. ``is_whole`` logs every beat, else the first and last of each frame; ``counts`` says whether the words in
    every FIFO are counted.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        wiring: Wiring,
        frames: int,
        stalls: StallTraces | None = None,
        pace: int = 0,
        is_whole: bool = False,
        counts: bool = False,
    ) -> None:
        self.channels, self.wiring, self.engines, self.frames = channels, wiring, wiring.engines, frames
        self.is_whole, self.counts, self.offered, self.steps = is_whole, counts, 0, 0
        self._memory()
        self._engine_table(stalls or StallTraces(), pace)
        writers = [(k, e.outputs[0]) for k, e in enumerate(self.engines) if e.outputs]
        self.writers = np.array([k for k, _ in writers])
        self.quota = np.array([channels[o].words for _, o in writers])

    # -- tables

    def _memory(self) -> None:
        """One array of channels, engines, buffers, constants and rings, and views of the first three."""
        n, e = len(self.channels), self.wiring.template
        c_end, e_end = n * tt.CHANNEL_COLUMNS, n * tt.CHANNEL_COLUMNS + e.size
        s_end = e_end + n * tt.BUFFER_COLUMNS
        rings = s_end + len(self.wiring.constants)
        self.M = np.zeros(rings + sum(_cells(c) for c in self.channels), np.int64)
        self.C, self.S = self.M[:c_end].reshape(n, -1), self.M[e_end:s_end].reshape(n, -1)
        self.E = self.M[c_end:e_end].reshape(e.shape)
        self.E[:] = e
        self.M[s_end:rings] = self.wiring.constants
        self.M[rings:] = -1
        self.first = c_end
        self._channel_tables(rings)

    def _channel_tables(self, place: int) -> None:
        self.C[:, tt.NEWEST] = -1
        self.S[:, [tt.SINCE, tt.WRITER, tt.START]] = -1
        for c, fifo, buffer in zip(self.channels, self.C, self.S, strict=True):
            if c.is_buffer:
                limit = c.first + c.depth if c.fixed_limit is None else c.fixed_limit
                at = (c.depth, place, place + c.depth, c.space(c.depth), limit, limit)
                buffer[[tt.SIZE, tt.WORDS, tt.RAISED, tt.SPACE, tt.LIMIT, tt.TOP]] = at
            else:
                fifo[[tt.DEPTH, tt.LATENCY, tt.AVAIL, tt.POP, tt.TRACK]] = c.depth, c.latency, place, place + c.depth, self.counts
            place += _cells(c)

    def _engine_table(self, stalls: StallTraces, pace: int) -> None:
        traces, beats, stalled = [np.zeros(1, np.bool_)], 0, 1
        for row, e in zip(self.E, self.engines, strict=True):
            if not e.port:
                continue
            row[[tt.B, tt.LOG, tt.WHOLE]] = pace, beats, self.is_whole
            beats += self.frames * (e.a if self.is_whole else 2)
            trace = (stalls.sources if e.kind == tt.SOURCE else stalls.sinks).get(e.port)
            if trace is not None:
                traces.append(np.asarray(trace, np.bool_))
                row[[tt.TRACE, tt.SPAN]] = stalled, len(traces[-1])
                stalled += len(traces[-1])
        self.traces = np.concatenate(traces)
        self.log = np.full(beats, -1, np.int64)

    # -- running

    def advance(self, frames: int = 1, limit: int = NO_LIMIT) -> bool:
        """Offer ``frames`` more frames and run; whether all words of them came through. ``limit`` ends it after so many steps."""
        self.offered += frames
        self.E[self.writers, tt.QUOTA] = self.offered * self.quota
        steps = run_tokens(self.M, self.first, self.wiring.near, len(self.channels), self.log, self.traces, limit)
        self.steps += abs(steps)
        return steps >= 0 and not self.stuck

    @property
    def stuck(self) -> tuple[str, ...]:
        """Units with words still to write or to deliver."""
        found: dict[str, None] = {}
        for k, e in enumerate(self.engines):
            if e.kind == tt.SINK:
                done = self.E[k, tt.FRAME] == self.offered
            elif e.kind == tt.WRITE:
                done = self.S[e.buffer, tt.WRITTEN] == self.offered * self.channels[e.buffer].words
            else:
                done = all(self.C[o, tt.TAKEN] == self.offered * self.channels[o].words for o in e.outputs)
            if not done:
                found[e.unit] = None
        return tuple(found)

    def states(self) -> list[State]:
        """The state of every part, after all frames offered are through."""
        return [self._state(layout) for layout in self.wiring.layouts]

    def _state(self, part: Layout) -> State:
        now = int(self.E[part.sinks, tt.LAST].max())
        size = len(part.engines) + int(self.C[part.fifos, tt.DEPTH].sum()) + 2 * int((self.S[part.buffers, tt.COUNT] + 1).sum())
        times = np.empty(size, np.int64)
        state_of(self.E, self.C, self.S, self.M, part.engines, part.fifos, part.buffers, now, times)
        return State(now, times)

    def result(self) -> TokenRun:
        """All beats so far."""
        beats: dict[int, dict[str, Beats]] = {tt.SOURCE: {}, tt.SINK: {}}
        for k, e in enumerate(self.engines):
            if e.port:
                width, start = e.a if self.is_whole else 2, int(self.E[k, tt.LOG])
                beats[e.kind][e.port] = self.log[start : start + self.offered * width].reshape(self.offered, width)
        high = {c.name: int(self.C[k, tt.HIGH]) for k, c in enumerate(self.channels) if self.counts and not c.is_buffer}
        return TokenRun(beats[tt.SOURCE], beats[tt.SINK], self.stuck, high, self.steps)


def _cells(c: Channel) -> int:
    """Cells of the rings of a channel."""
    return c.depth + 2 * c.space(c.depth) if c.is_buffer else 2 * c.depth

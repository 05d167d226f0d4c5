"""Dataflow -> tables of the token simulator, runs of it, and the steady state found in a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwq.errors import InputError
from hwq.plan import token_simulator as ts
from hwq.plan.dataflow import ArgMaxUnit, AxiIn, AxiOut, Converter, Dataflow, Elementwise, Fifo, Fork, Mvu, Unit

__all__ = ["Channel", "Part", "StallTraces", "SteadyState", "TokenNetwork", "TokenRun", "buffer_name", "simulate"]

LONGEST_PERIOD = 32  # frames that may alternate before a steady state is recognised

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
class Channel:
    """A FIFO of the dataflow, called after its unit; the input buffer of a unit as :func:`buffer_name` says.

    ``words`` a frame, of ``width`` bits; ``minimum`` is the least depth that can work at all.
    """

    name: str
    depth: int
    latency: int
    words: int
    width: int = 1
    minimum: int = 1


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
class TokenRun:
    """Cycles of all handshakes; -1 for those that never happened.

    Parameters
    ----------
    input_beats, output_beats
        By graph input or output: int64 (frames, beats a frame).
    takes
        By channel: int64 (frames, words a frame), the cycle in which the producer fired.
    stuck
        Names of units that hold or await words for ever: empty unless the dataflow is deadlocked.
    high_water
        By unit: most words that ever lay in its output FIFO.
    steps
        Steps the simulation took.
    """

    input_beats: Mapping[str, Beats]
    output_beats: Mapping[str, Beats]
    takes: Mapping[str, Beats]
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


@dataclass(frozen=True)
class Part:
    """Channels, graph inputs and graph outputs that are connected; parts of a network share nothing and run at their own rates."""

    channels: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def buffer_name(unit: str) -> str:
    """Name of the channel that is the input buffer of ``unit``; no layer is called so."""
    return f"{unit} (buffer)"


@dataclass(frozen=True)
class _Engine:
    kind: int
    unit: str
    input: int = 0
    output: int = 0
    a: int = 1
    b: int = 1
    port: str = ""

    @property
    def outputs(self) -> range:
        """Channels it writes."""
        return range(self.output, self.output + (self.a if self.kind == ts.FORK else 1))


class TokenNetwork:
    """The channels and engines of a dataflow; depths may be changed without building it again."""

    def __init__(self, dataflow: Dataflow) -> None:
        self.dataflow = dataflow
        self.channels: list[Channel] = []
        self._engines: list[_Engine] = []
        self._of_edge: dict[str, int] = {}
        for unit in dataflow.units:
            self._add(unit)

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Position of every channel by name."""
        return {c.name: k for k, c in enumerate(self.channels)}

    @cached_property
    def memory(self) -> int:
        """Frames before the present one that can still delay it: the deepest channel, in frames."""
        return 2 + max(c.depth // c.words for c in self.channels)

    def with_depths(self, depths: Mapping[str, int]) -> TokenNetwork:
        """This network with other depths of the named channels."""
        twin = object.__new__(TokenNetwork)
        twin.dataflow, twin._engines, twin._of_edge = self.dataflow, self._engines, self._of_edge
        twin.channels = [Channel(c.name, depths.get(c.name, c.depth), c.latency, c.words, c.width, c.minimum) for c in self.channels]
        return twin

    def run(self, frames: int, stalls: StallTraces | None = None, *, pace: int = 0) -> TokenRun:
        """All handshakes of ``frames`` frames; ``pace`` > 0 keeps the sources from starting a frame earlier than that many cycles
        after the one before."""
        stalls = stalls or StallTraces()
        self._check(stalls)
        engines, traces = self._engine_table(stalls, pace)
        channels = self._channel_table(frames)
        cells = int(channels[:, ts.DEPTH].sum())
        log = np.full(int(channels[:, ts.SIZE].sum()), -1, np.int64)
        steps = ts.run_tokens(engines, channels, np.zeros(cells, np.int64), np.zeros(cells, np.int64), log, traces)
        return self._result(frames, channels, log, steps)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The connected parts, in the order of their first channel."""
        label = list(range(len(self.channels)))
        for e in self._engines:
            ends = [*([] if e.kind == ts.SOURCE else [e.input]), *e.outputs]
            low = min(label[k] for k in ends)
            merged = {label[k] for k in ends}
            label = [low if n in merged else n for n in label]
        return tuple(self._part({k for k, n in enumerate(label) if n == part}) for part in sorted(set(label)))

    def _part(self, members: set[int]) -> Part:
        ends = {kind: tuple(e.port for e in self._engines if e.kind == kind and e.output in members) for kind in (ts.SOURCE, ts.SINK)}
        return Part(tuple(self.channels[k].name for k in sorted(members)), ends[ts.SOURCE], ends[ts.SINK])

    def steady(self, run: TokenRun, part: Part) -> SteadyState | None:
        """The steady state that the end of ``run`` proves for ``part``, or None: all that can still act on the next frame has recurred."""
        if run.deadlock:
            return None
        takes = np.concatenate([run.takes[name] for name in part.channels], axis=1)
        for period in range(1, min(LONGEST_PERIOD, len(takes) - self.memory) + 1):
            difference = takes[period:] - takes[:-period]
            same = (difference == difference[-1, -1]).all(axis=1)
            start = len(same) - int(np.argmin(same[::-1])) if not same.all() else 0
            if len(same) - start >= self.memory:
                return SteadyState(start, period, int(difference[-1, -1]))
        return None

    # -- building

    def _channel(self, name: str, depth: int, latency: int, words: int, width: int = 1, minimum: int = 1) -> int:
        self.channels.append(Channel(name, depth, latency, words, width, minimum))
        return len(self.channels) - 1

    def _output(self, unit: Unit, depth: int, latency: int) -> int:
        edge = self.dataflow.edges[unit.outputs[0]]
        self._of_edge[edge.name] = self._channel(unit.name, depth, latency, edge.words, edge.word_bits)
        return self._of_edge[edge.name]

    def _add(self, unit: Unit) -> None:
        match unit:
            case AxiIn():
                words = self.dataflow.edges[unit.outputs[0]].words
                source = self._channel(f"{unit.name}.source", 1, -1, words)
                self._engines.append(_Engine(ts.SOURCE, unit.name, 0, source, words, port=unit.tensor))
                self._stream(unit, source, unit.depth, 0)
            case AxiOut():
                edge = self.dataflow.edges[unit.inputs[0]]
                fifo = self._channel(unit.name, unit.depth, 0, edge.words, edge.word_bits)
                self._engines.append(_Engine(ts.STREAM, unit.name, self._of_edge[edge.name], fifo))
                sink = self._channel(f"{unit.name}.sink", 1, 0, edge.words)
                self._engines.append(_Engine(ts.SINK, unit.name, fifo, sink, port=unit.tensor))
            case Fifo():
                self._stream(unit, self._of_edge[unit.inputs[0]], unit.depth, 0)
            case Elementwise():
                self._stream(unit, self._of_edge[unit.inputs[0]], unit.depth, unit.latency)
            case ArgMaxUnit():
                self._stream(unit, self._of_edge[unit.inputs[0]], unit.depth, unit.latency, unit.words)
            case Converter():
                block = self._buffer(unit, unit.words_in, unit.words_in)
                out = self._output(unit, unit.depth, 0)
                self._engines.append(_Engine(ts.SHIFTER, unit.name, block, out, unit.words_in, unit.words_out))
            case Mvu():
                buffer = self._buffer(unit, unit.buffer, unit.sf)
                out = self._output(unit, unit.depth, unit.latency)
                self._engines.append(_Engine(ts.READER, unit.name, buffer, out, unit.sf, unit.nf))
            case Fork():
                self._fork(unit)
            case _:
                raise TypeError(f"no token engine for {type(unit).__name__}")

    def _stream(self, unit: Unit, source: int, depth: int, latency: int, words: int = 1) -> None:
        self._engines.append(_Engine(ts.STREAM, unit.name, source, self._output(unit, depth, latency), words))

    def _buffer(self, unit: Unit, depth: int, minimum: int) -> int:
        """The input buffer of ``unit``: written by one engine, read by another."""
        edge = self.dataflow.edges[unit.inputs[0]]
        buffer = self._channel(buffer_name(unit.name), depth, 0, edge.words, edge.word_bits, minimum)
        self._engines.append(_Engine(ts.STREAM, unit.name, self._of_edge[edge.name], buffer))
        return buffer

    def _fork(self, unit: Fork) -> None:
        first = len(self.channels)
        for name in unit.outputs:
            edge = self.dataflow.edges[name]
            self._of_edge[name] = self._channel(name, 1, -1, edge.words)
        self._engines.append(_Engine(ts.FORK, unit.name, self._of_edge[unit.inputs[0]], first, len(unit.outputs)))

    # -- running

    def _check(self, stalls: StallTraces) -> None:
        kinds = ((ts.SOURCE, "input", stalls.sources), (ts.SINK, "output", stalls.sinks))
        for kind, word, traces in kinds:
            ports = [e.port for e in self._engines if e.kind == kind]
            for name, trace in traces.items():
                if name not in ports:
                    raise InputError("STALL-PORT", f"a stall trace names {name!r}, the {word}s are {', '.join(ports)}")
                if not np.any(trace):
                    raise InputError("STALL-TRACE", "this stall trace never allows a beat", where=name)

    def _engine_table(self, stalls: StallTraces, pace: int) -> tuple[ts.Table, NDArray[np.bool_]]:
        rows: list[Sequence[int]] = []
        traces: list[NDArray[np.bool_]] = []
        for e in self._engines:
            by_port = stalls.sources if e.kind == ts.SOURCE else stalls.sinks
            trace = np.asarray(by_port[e.port], np.bool_) if e.port and e.port in by_port else np.zeros(0, np.bool_)
            offset = sum(map(len, traces))
            traces.append(trace)
            b = pace if e.kind == ts.SOURCE else e.b
            rows.append((e.kind, e.input, e.output, e.a, b, offset, len(trace), -1, 0, 0))
        return np.array(rows, np.int64), np.concatenate([*traces, np.zeros(1, np.bool_)])

    def _channel_table(self, frames: int) -> ts.Table:
        table = np.zeros((len(self.channels), ts.CHANNEL_COLUMNS), np.int64)
        table[:, ts.DEPTH] = [c.depth for c in self.channels]
        table[:, ts.LATENCY] = [c.latency for c in self.channels]
        table[:, ts.SIZE] = [c.words * frames for c in self.channels]
        for column, size in ((ts.RING, ts.DEPTH), (ts.LOG, ts.SIZE)):
            table[1:, column] = np.cumsum(table[:-1, size])
        return table

    def _result(self, frames: int, channels: ts.Table, log: Beats, steps: int) -> TokenRun:
        takes = {
            c.name: log[row[ts.LOG] : row[ts.LOG] + row[ts.SIZE]].reshape(frames, c.words)
            for c, row in zip(self.channels, channels, strict=True)
        }
        inputs = {e.port: takes[e.unit] for e in self._engines if e.kind == ts.SOURCE}
        outputs = {e.port: takes[f"{e.unit}.sink"] for e in self._engines if e.kind == ts.SINK}
        behind = {e.unit: None for e in self._engines if self._starved(e, channels)}
        names = {u.name for u in self.dataflow.units}
        high = {c.name: int(row[ts.HIGH]) for c, row in zip(self.channels, channels, strict=True) if c.name in names}
        return TokenRun(inputs, outputs, takes, tuple(behind), high, steps)

    def _starved(self, e: _Engine, channels: ts.Table) -> bool:
        """Whether an engine ended with words still to write."""
        return any(channels[k, ts.TAKEN] < channels[k, ts.SIZE] for k in e.outputs)


def simulate(dataflow: Dataflow, frames: int, stalls: StallTraces | None = None) -> TokenRun:
    """Exact cycle of every handshake of ``frames`` frames, sources always valid and sinks always ready but for ``stalls``.

    Cycle 0 is the first in which a source may offer a beat.
    """
    return TokenNetwork(dataflow).run(frames, stalls)

"""A dataflow stepped cycle by cycle, as the gateware is specified: registers, credits, handshakes. No max-plus anywhere.

The independent source that the token simulator is held against.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hwq.plan.dataflow import ArgMaxUnit, AxiIn, AxiOut, Converter, Dataflow, Elementwise, Fifo, Fork, Mvu, Unit


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


class Stream:
    """One word in a firing; the last of ``count`` firings writes a word."""

    def __init__(self, egress: Egress, count: int = 1) -> None:
        self.egress, self.count, self.position = egress, count, 0

    def ready(self) -> bool:
        return self.position < self.count - 1 or self.egress.grant

    def clock(self, taken: bool, pop: bool) -> None:
        produces = taken and self.position == self.count - 1
        self.egress.clock(produces, pop)
        if taken:
            self.position = (self.position + 1) % self.count


class Gearbox:
    """Fill register of ``u`` words, shift-out register of ``d`` words."""

    def __init__(self, egress: Egress, u: int, d: int) -> None:
        self.egress, self.u, self.d = egress, u, d
        self.filled, self.full, self.out, self.position = 0, False, False, 0

    def _fire(self) -> bool:
        return self.out and self.egress.grant

    def _exchange(self) -> bool:
        return self.full and (not self.out or (self._fire() and self.position == self.d - 1))

    def ready(self) -> bool:
        return not self.full or self._exchange()

    def clock(self, taken: bool, pop: bool) -> None:
        fire, exchange = self._fire(), self._exchange()
        last = fire and self.position == self.d - 1
        self.egress.clock(fire, pop)
        self.position = (self.position + fire) % self.d
        self.out = exchange or (self.out and not last)
        self.full = self.full and not exchange
        if taken:
            self.filled += 1
            if self.filled == self.u:
                self.filled, self.full = 0, True


class MatrixVector:
    """Reader with a buffer, fused with the datapath: every vector of ``sf`` words is read ``nf`` times."""

    def __init__(self, egress: Egress, sf: int, nf: int, buffer: int) -> None:
        self.egress, self.sf, self.nf, self.buffer = egress, sf, nf, buffer
        self.fill, self.column, self.reading = 0, 0, 0

    def ready(self) -> bool:
        return self.fill < self.buffer

    def clock(self, taken: bool, pop: bool) -> None:
        ends = self.column == self.sf - 1
        fire = (self.reading > 0 or self.fill > self.column) and (not ends or self.egress.grant)
        self.egress.clock(fire and ends, pop)
        freed = 0
        if fire:
            self.column = 0 if ends else self.column + 1
            if ends:
                self.reading = (self.reading + 1) % self.nf
                freed = self.sf if self.reading == 0 else 0
        self.fill += taken - freed


class World:
    """Source of ``beats`` beats: starts one where the trace allows it, holds it until it is taken."""

    def __init__(self, beats: int, trace: Sequence[bool] | None) -> None:
        self.left, self.trace, self.pending = beats, trace, False

    def valid(self, t: int) -> bool:
        self.pending = self.left > 0 and (self.pending or self.trace is None or bool(self.trace[t % len(self.trace)]))
        return self.pending

    def clock(self, taken: bool) -> None:
        if taken:
            self.left, self.pending = self.left - 1, False


@dataclass
class Beats:
    inputs: dict[str, list[int]]
    outputs: dict[str, list[int]]
    high: dict[str, int]
    finished: bool


def step_through(
    dataflow: Dataflow,
    frames: int,
    sources: Mapping[str, Sequence[bool]] | None = None,
    sinks: Mapping[str, Sequence[bool]] | None = None,
    patience: int = 3000,
) -> Beats:
    """Cycles of all beats; stops when all frames are out or nothing has moved at the outside for ``patience`` cycles."""
    units = dataflow.units
    machines = {u.name: _machine(u) for u in units if not isinstance(u, Fork)}
    worlds = {
        u.tensor: World(frames * dataflow.edges[u.outputs[0]].words, (sources or {}).get(u.tensor)) for u in units if isinstance(u, AxiIn)
    }
    wanted = {u.tensor: frames * dataflow.edges[u.inputs[0]].words for u in units if isinstance(u, AxiOut)}
    done: dict[str, list[bool]] = {u.name: [False] * len(u.outputs) for u in units if isinstance(u, Fork)}
    beats = Beats({n: [] for n in worlds}, {n: [] for n in wanted}, {}, True)
    t = last = 0
    while any(len(beats.outputs[n]) < wanted[n] for n in wanted):
        valid, ready = _valids(units, machines, worlds, done, t), _readies(units, machines, done, sinks or {}, t)
        for u in units:
            if isinstance(u, Fork):
                (i,) = u.inputs
                flags = done[u.name]
                ok = [f or ready[o] for f, o in zip(flags, u.outputs, strict=True)]
                done[u.name] = [False] * len(ok) if all(ok) or not valid[i] else ok
                continue
            taken = valid[_input(u)] and ready[_input(u)]
            pop = valid[_output(u)] and ready[_output(u)]
            if isinstance(u, AxiIn):
                worlds[u.tensor].clock(taken)
                if taken:
                    beats.inputs[u.tensor].append(t)
                    last = t
            if isinstance(u, AxiOut) and pop:
                beats.outputs[u.tensor].append(t)
                last = t
            machines[u.name].clock(taken, pop)
        t += 1
        if t - last > patience:
            beats.finished = False
            break
    beats.high = {n: m.egress.high for n, m in machines.items()}
    return beats


def _machine(u: Unit) -> Stream | Gearbox | MatrixVector:
    if isinstance(u, AxiIn | AxiOut | Fifo):
        return Stream(Egress(u.depth, 0))
    if isinstance(u, Elementwise):
        return Stream(Egress(u.depth, u.latency))
    if isinstance(u, ArgMaxUnit):
        return Stream(Egress(u.depth, u.latency), u.words)
    if isinstance(u, Converter):
        return Gearbox(Egress(u.depth, 0), u.words_in, u.words_out)
    assert isinstance(u, Mvu)
    return MatrixVector(Egress(u.depth, u.latency), u.sf, u.nf, u.buffer)


def _input(u: Unit) -> str:
    return f"<{u.tensor}" if isinstance(u, AxiIn) else u.inputs[0]


def _output(u: Unit) -> str:
    return f"{u.tensor}>" if isinstance(u, AxiOut) else u.outputs[0]


def _valids(units, machines, worlds, done, t):  # type: ignore[no-untyped-def]
    valid = {f"<{n}": w.valid(t) for n, w in worlds.items()}
    for u in units:
        if isinstance(u, Fork):
            valid |= {o: valid[u.inputs[0]] and not f for o, f in zip(u.outputs, done[u.name], strict=True)}
        else:
            valid[_output(u)] = machines[u.name].egress.valid
    return valid


def _readies(units, machines, done, sinks, t):  # type: ignore[no-untyped-def]
    ready = {}
    for u in reversed(units):
        if isinstance(u, Fork):
            ready[u.inputs[0]] = all(f or ready[o] for f, o in zip(done[u.name], u.outputs, strict=True))
            continue
        if isinstance(u, AxiOut):
            trace = sinks.get(u.tensor)
            ready[_output(u)] = trace is None or bool(trace[t % len(trace)])
        ready[_input(u)] = machines[u.name].ready()
    return ready

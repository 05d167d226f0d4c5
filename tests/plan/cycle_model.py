"""A dataflow stepped cycle by cycle, as the gateware is specified: the independent source that the token simulator is held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hwq.plan.dataflow import Dataflow
from hwq.plan.units import AxiIn, AxiOut, Fork, Unit
from tests.plan.cycle_machines import Flags, Machine, machine_of

__all__ = ["Beats", "step_through"]


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


class Circuit:
    def __init__(self, dataflow: Dataflow, frames: int, sources: Mapping[str, Sequence[bool]], sinks: Mapping[str, Sequence[bool]]) -> None:
        self.units, self.sinks = dataflow.units, sinks
        self.machines = {u.name: machine_of(u) for u in self.units if not isinstance(u, Fork)}
        self.done: dict[str, Flags] = {u.name: [False] * len(u.outputs) for u in self.units if isinstance(u, Fork)}
        self.worlds = {
            u.tensor: World(frames * dataflow.edges[u.outputs[0]].words, sources.get(u.tensor)) for u in self.units if isinstance(u, AxiIn)
        }
        self.wanted = {u.tensor: frames * dataflow.edges[u.inputs[0]].words for u in self.units if isinstance(u, AxiOut)}
        self.beats = Beats({n: [] for n in self.worlds}, {n: [] for n in self.wanted}, {}, True)

    @property
    def complete(self) -> bool:
        return all(len(self.beats.outputs[n]) >= self.wanted[n] for n in self.wanted)

    def cycle(self, t: int) -> bool:
        """One clock cycle; whether any word moved."""
        valid = self.valids(t)
        ready = self.readies(valid, t)
        moved = False
        for u in self.units:
            if isinstance(u, Fork):
                moved |= any(valid[o] and ready[o] for o in u.outputs)
                ok = [f or ready[o] for f, o in zip(self.done[u.name], u.outputs, strict=True)]
                self.done[u.name] = [False] * len(ok) if all(ok) or not valid[u.inputs[0]] else ok
                continue
            taken, pops = ([valid[e] and ready[e] for e in edges] for edges in (inputs_of(u), outputs_of(u)))
            moved |= any(taken) or any(pops)
            self.note(u, taken, pops, t)
            self.machines[u.name].clock(taken, pops)
        return moved

    def note(self, u: Unit, taken: Flags, pops: Flags, t: int) -> None:
        if isinstance(u, AxiIn):
            self.worlds[u.tensor].clock(taken[0])
            if taken[0]:
                self.beats.inputs[u.tensor].append(t)
        # Padding in front of a frame that never comes is not counted.
        if isinstance(u, AxiOut) and pops[0] and len(self.beats.outputs[u.tensor]) < self.wanted[u.tensor]:
            self.beats.outputs[u.tensor].append(t)

    def valids(self, t: int) -> dict[str, bool]:
        valid = {f"<{n}": w.valid(t) for n, w in self.worlds.items()}
        for u in self.units:
            if isinstance(u, Fork):
                valid |= {o: valid[u.inputs[0]] and not f for o, f in zip(u.outputs, self.done[u.name], strict=True)}
            else:
                valid |= {o: e.valid for o, e in zip(outputs_of(u), self.machines[u.name].egresses, strict=True)}
        return valid

    def readies(self, valid: Mapping[str, bool], t: int) -> dict[str, bool]:
        ready: dict[str, bool] = {}
        for u in reversed(self.units):
            if isinstance(u, Fork):
                ready[u.inputs[0]] = all(f or ready[o] for f, o in zip(self.done[u.name], u.outputs, strict=True))
                continue
            if isinstance(u, AxiOut):
                trace = self.sinks.get(u.tensor)
                ready[outputs_of(u)[0]] = trace is None or bool(trace[t % len(trace)])
            edges = inputs_of(u)
            ready |= zip(edges, self.machines[u.name].ready([valid[e] for e in edges]), strict=True)
        return ready


def step_through(
    dataflow: Dataflow,
    frames: int,
    sources: Mapping[str, Sequence[bool]] | None = None,
    sinks: Mapping[str, Sequence[bool]] | None = None,
    patience: int = 250,
) -> Beats:
    """Cycles of all beats; stops when all frames are out or no word has moved for ``patience`` cycles."""
    circuit = Circuit(dataflow, frames, sources or {}, sinks or {})
    t = last = 0
    while not circuit.complete:
        if circuit.cycle(t):
            last = t
        t += 1
        if t - last > patience:
            circuit.beats.finished = False
            break
    machines: dict[str, Machine] = circuit.machines
    circuit.beats.high = {n: m.egresses[0].high for n, m in machines.items()}
    return circuit.beats


def inputs_of(u: Unit) -> Sequence[str]:
    return [f"<{u.tensor}"] if isinstance(u, AxiIn) else u.inputs


def outputs_of(u: Unit) -> Sequence[str]:
    return [f"{u.tensor}>"] if isinstance(u, AxiOut) else u.outputs

"""A dataflow as a network of tokens: depths to try, runs, and the parts that share nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from hwq.errors import InputError
from hwq.plan import token_tables as tt
from hwq.plan.dataflow import Dataflow
from hwq.plan.token_engines import Channel, buffer_name, engines_of
from hwq.plan.token_run import Machine, StallTraces, SteadyState, TokenRun
from hwq.plan.token_wiring import Part, Wiring
from hwq.plan.units import LUTRAM_DEPTH, Fifo, memory_kind

__all__ = ["Channel", "Part", "StallTraces", "SteadyState", "TokenNetwork", "TokenRun", "buffer_name", "simulate"]


class TokenNetwork:
    """The channels and engines of a dataflow; depths may be changed without building it again."""

    def __init__(self, dataflow: Dataflow) -> None:
        self.dataflow = dataflow
        made = engines_of(dataflow)
        self.channels: Sequence[Channel] = made.channels
        self.wiring = Wiring(made.channels, made.engines)

    @property
    def index(self) -> Mapping[str, int]:
        """Position of every channel by name."""
        return self.wiring.index

    @property
    def parts(self) -> tuple[Part, ...]:
        """The connected parts, in the order of their first channel."""
        return self.wiring.parts

    def with_depths(self, depths: Mapping[str, int]) -> TokenNetwork:
        """This network with other depths of the named channels. A FIFO deeper than LUT RAM is built of block RAM."""
        fifos = {u.name: replace(u, depth=depths.get(u.name, u.depth)) for u in self.dataflow.units if isinstance(u, Fifo)}
        moved = {u.name for u in self.dataflow.units if isinstance(u, Fifo) and _moves(u, fifos[u.name].depth)}
        if moved:
            units = (
                replace(fifos[u.name], memory=memory_kind("auto", fifos[u.name].depth)) if u.name in moved else u
                for u in self.dataflow.units
            )
            kept = {c.name: c.depth for c in self.channels if c.name not in moved}
            return TokenNetwork(Dataflow(tuple(units), self.dataflow.edges)).with_depths({**kept, **depths})
        twin = object.__new__(TokenNetwork)
        twin.dataflow, twin.wiring = self.dataflow, self.wiring
        wanted = [depths.get(c.name, depths.get(c.follows, c.depth)) for c in self.channels]
        twin.channels = [c if c.depth == depth else replace(c, depth=depth) for c, depth in zip(self.channels, wanted, strict=True)]
        return twin

    def start(
        self, frames: int, stalls: StallTraces | None = None, *, pace: int = 0, is_whole: bool = False, counts: bool = False
    ) -> Machine:
        """A simulator of up to ``frames`` frames; see :class:`Machine`."""
        if stalls is not None:
            self._check(stalls)
        return Machine(self.channels, self.wiring, frames, stalls, pace, is_whole, counts)

    def run(self, frames: int, stalls: StallTraces | None = None, *, pace: int = 0) -> TokenRun:
        """All handshakes of ``frames`` frames with the world; ``pace`` > 0 keeps the sources from starting a frame earlier than
        that many cycles after the one before."""
        machine = self.start(frames, stalls, pace=pace, is_whole=True, counts=True)
        machine.advance(frames)
        return machine.result()

    def _check(self, stalls: StallTraces) -> None:
        kinds = ((tt.SOURCE, "input", stalls.sources), (tt.SINK, "output", stalls.sinks))
        for kind, word, traces in kinds:
            ports = [e.port for e in self.wiring.engines if e.kind == kind]
            for name, trace in traces.items():
                if name not in ports:
                    raise InputError("STALL-PORT", f"a stall trace names {name!r}, the {word}s are {', '.join(ports)}")
                if not np.any(trace):
                    raise InputError("STALL-TRACE", "this stall trace never allows a beat", where=name)


def _moves(unit: Fifo, depth: int) -> bool:
    """Whether another depth takes the FIFO out of LUT RAM or back into it; a memory chosen by hand stays."""
    was_automatic = unit.memory == memory_kind("auto", unit.depth)
    return was_automatic and (depth > LUTRAM_DEPTH) != (unit.depth > LUTRAM_DEPTH)


def simulate(dataflow: Dataflow, frames: int, stalls: StallTraces | None = None) -> TokenRun:
    """Exact cycle of every handshake of ``frames`` frames, sources always valid and sinks always ready but for ``stalls``.

    Cycle 0 is the first in which a source may offer a beat.
    """
    return TokenNetwork(dataflow).run(frames, stalls)

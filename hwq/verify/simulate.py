"""Amaranth engine: the components themselves in Amaranth's Python simulator. Slow, independent of Yosys and Verilator."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from amaranth.sim import Simulator

from hwq.gateware.parts import Parts
from hwq.gateware.top import build_top
from hwq.network.graph import Network
from hwq.network.ops import Integers
from hwq.plan.plan import Plan
from hwq.target.streams import StreamPort
from hwq.target.tools import module_version
from hwq.verify.run import EngineRun, Problem
from hwq.verify.stalls import Traces, stall_traces

__all__ = ["run_amaranth"]

SETTLING = 16
RESET = 4
# Cycles without any beat after which a design counts as hung.
PATIENCE = 50_000


@dataclass
class _Stream:
    """One outer stream: its signals, its beats, when it may move, what moved."""

    port: StreamPort
    signals: Mapping[str, Any]
    trace: np.ndarray
    total: int
    beats: list[int] = field(default_factory=list)
    cycles: list[int] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    presenting: bool = False

    def may(self, cycle: int) -> bool:
        return bool(self.trace[cycle % len(self.trace)])

    @property
    def complete(self) -> bool:
        return len(self.cycles) >= self.total


def run_amaranth(
    network: Network,
    plan: Plan,
    ports: Sequence[StreamPort],
    codes: Mapping[str, Integers],
    *,
    stalls: str = "none",
    traces: Traces | None = None,
    slowest: int = 0,
) -> EngineRun:
    """Stream all frames of ``codes`` (by input port, (N, H, W, C)) through the flat elaboration of ``network`` under ``plan``.

    ``slowest`` are cycles that may pass between beats of a design that is right.
    """
    started = time.perf_counter()
    frames = len(next(iter(codes.values())))
    top = build_top(network, plan, Parts())
    paces = traces or stall_traces("none", 1, ports)
    streams = [_stream(top, p, paces[p.port], frames, codes) for p in ports]
    simulator = Simulator(top)
    outcome: list[str | None] = []

    async def bench(ctx: Any) -> None:
        outcome.append(await _drive(ctx, top, streams, PATIENCE + 4 * slowest))

    simulator.add_clock(1e-8, domain="sync")
    simulator.add_testbench(bench)
    simulator.run()
    # CPython 3.11 may crash on a simulator that is collected late.
    del simulator
    gc.collect()
    return _result(streams, stalls, frames, outcome[0], time.perf_counter() - started)


def _stream(top: Any, p: StreamPort, trace: np.ndarray, frames: int, codes: Mapping[str, Integers]) -> _Stream:
    names = ("tdata", "tvalid", "tready", "tlast", "tkeep") + (() if p.is_input else ("tuser",))
    stream = _Stream(p, {name: getattr(top, f"{p.port}_{name}") for name in names}, trace, frames * p.beats)
    if p.is_input:
        raw = p.pack(codes[p.port]).reshape(-1, p.bus_bits // 8)
        stream.beats = [int.from_bytes(beat.tobytes(), "little") for beat in raw]
    return stream


async def _drive(ctx: Any, top: Any, streams: Sequence[_Stream], patience: int) -> str | None:
    ctx.set(top.aresetn, 0)
    for _ in range(RESET):
        await ctx.tick()
    ctx.set(top.aresetn, 1)
    for _ in range(SETTLING):
        await ctx.tick()
    cycle = quiet = 0
    while not all(s.complete for s in streams if not s.port.is_input):
        for s in streams:
            _present(ctx, s, cycle)
        moved = [_sample(ctx, s, cycle) for s in streams]
        await ctx.tick()
        quiet = 0 if any(moved) else quiet + 1
        if quiet > patience:
            return f"no beat moved for {patience} cycles: " + ", ".join(
                f"{s.port.port} {len(s.cycles)} of {s.total} beats" for s in streams
            )
        cycle += 1
    return None


def _present(ctx: Any, s: _Stream, cycle: int) -> None:
    if not s.port.is_input:
        ctx.set(s.signals["tready"], int(s.may(cycle)))
        return
    n = len(s.cycles)
    if not s.presenting and n < s.total and s.may(cycle):
        s.presenting = True
        ctx.set(s.signals["tdata"], s.beats[n])
        ctx.set(s.signals["tlast"], int((n + 1) % s.port.beats == 0))
    ctx.set(s.signals["tvalid"], int(s.presenting))


def _sample(ctx: Any, s: _Stream, cycle: int) -> bool:
    """Whether a beat moves at the end of this cycle; notes it."""
    if not (ctx.get(s.signals["tvalid"]) and ctx.get(s.signals["tready"])):
        return False
    if s.port.is_input:
        s.presenting = False
    else:
        s.beats.append(ctx.get(s.signals["tdata"]))
        ends = (len(s.beats)) % s.port.beats == 0
        if ctx.get(s.signals["tlast"]) != ends or ctx.get(s.signals["tuser"]):
            frame = (len(s.beats) - 1) // s.port.beats
            s.problems.append(Problem("tlast or tuser is wrong", s.port.port, cycle, frame))
    s.cycles.append(cycle)
    return True


def _result(streams: Sequence[_Stream], stalls: str, frames: int, hang: str | None, seconds: float) -> EngineRun:
    codes = {}
    for s in streams:
        if not s.port.is_input:
            whole, size = len(s.beats) // s.port.beats, s.port.bus_bits // 8
            raw = b"".join(b.to_bytes(size, "little") for b in s.beats[: whole * s.port.beats])
            codes[s.port.port] = s.port.unpack(np.frombuffer(raw, np.uint8).reshape(whole, s.port.beats, size))
    cycles = {s.port.port: np.array(s.cycles, np.int64) for s in streams}
    problems = tuple(p for s in streams for p in s.problems)
    versions = {"amaranth": module_version("amaranth") or "unknown"}
    return EngineRun("amaranth", stalls, frames, codes, cycles, hang, problems, seconds, versions=versions)

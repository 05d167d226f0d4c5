"""AXI drivers for the top component in Amaranth's simulator: streams with stalls, the register port."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hwq.gateware.top import Top
from tests.gateware.stream import Trace, simulate


@dataclass
class Beat:
    """One beat of an AXI4-Stream and its cycle."""

    data: int
    last: bool
    keep: int = 0
    user: bool = False
    cycle: int = -1


class AxiSource:
    """Puts beats on ``port``; gaps of the trace delay the start of a beat only."""

    def __init__(self, dut: Top, port: str, beats: Sequence[Beat], allowed: Trace) -> None:
        self.signals = {name: getattr(dut, f"{port}_{name}") for name in ("tdata", "tvalid", "tready", "tlast", "tkeep")}
        self.beats, self.allowed, self.sent, self.pending = list(beats), allowed, 0, False

    def drive(self, ctx, t: int) -> None:
        self.pending = self.sent < len(self.beats) and (self.pending or self.allowed is None or bool(self.allowed[t % len(self.allowed)]))
        ctx.set(self.signals["tvalid"], int(self.pending))
        if self.pending:
            ctx.set(self.signals["tdata"], self.beats[self.sent].data)
            ctx.set(self.signals["tlast"], int(self.beats[self.sent].last))

    def observe(self, ctx, t: int) -> None:
        if self.pending and ctx.get(self.signals["tready"]):
            self.beats[self.sent].cycle = t
            self.sent, self.pending = self.sent + 1, False


class AxiSink:
    """Takes beats from ``port``; what waits must not change."""

    def __init__(self, dut: Top, port: str, allowed: Trace) -> None:
        self.signals = {name: getattr(dut, f"{port}_{name}") for name in ("tdata", "tvalid", "tready", "tlast", "tkeep", "tuser")}
        self.beats: list[Beat] = []
        self.allowed, self.waiting = allowed, None

    def drive(self, ctx, t: int) -> None:
        self.ready = self.allowed is None or bool(self.allowed[t % len(self.allowed)])
        ctx.set(self.signals["tready"], int(self.ready))

    def observe(self, ctx, t: int) -> None:
        valid = ctx.get(self.signals["tvalid"])
        now = tuple(ctx.get(self.signals[name]) for name in ("tdata", "tlast", "tkeep", "tuser"))
        assert self.waiting is None or (valid and now == self.waiting), f"cycle {t}: a waiting beat changed"
        self.waiting = now if valid and not self.ready else None
        if valid and self.ready:
            self.beats.append(Beat(now[0], bool(now[1]), now[2], bool(now[3]), t))


@dataclass
class Registers:
    """A register port driven step by step from a bench."""

    dut: Top

    async def write(self, ctx, offset: int, value: int) -> None:
        dut = self.dut
        ctx.set(dut.s_axil_wdata, value)
        ctx.set(dut.s_axil_wstrb, 15)
        ctx.set(dut.s_axil_wvalid, 1)
        ctx.set(dut.s_axil_awaddr, offset)
        ctx.set(dut.s_axil_awvalid, 1)
        await ctx.tick()
        ctx.set(dut.s_axil_awvalid, 0)
        ctx.set(dut.s_axil_wvalid, 0)
        ctx.set(dut.s_axil_bready, 1)
        while not ctx.get(dut.s_axil_bvalid):
            await ctx.tick()
        await ctx.tick()
        ctx.set(dut.s_axil_bready, 0)

    async def read(self, ctx, offset: int) -> int:
        dut = self.dut
        ctx.set(dut.s_axil_araddr, offset)
        ctx.set(dut.s_axil_arvalid, 1)
        while not ctx.get(dut.s_axil_arready):
            await ctx.tick()
        await ctx.tick()
        ctx.set(dut.s_axil_arvalid, 0)
        ctx.set(dut.s_axil_rready, 1)
        while not ctx.get(dut.s_axil_rvalid):
            await ctx.tick()
        value = ctx.get(dut.s_axil_rdata)
        await ctx.tick()
        ctx.set(dut.s_axil_rready, 0)
        return value


async def reset(ctx, dut: Top) -> None:
    """Hold reset for a few cycles, then wait until the design accepts input."""
    ctx.set(dut.aresetn, 0)
    for _ in range(3):
        await ctx.tick()
    ctx.set(dut.aresetn, 1)
    for _ in range(4):
        await ctx.tick()


def run_streams(
    dut: Top,
    sources: Sequence[AxiSource],
    sinks: Sequence[AxiSink],
    beats: Sequence[int],
    *,
    limit: int = 20000,
    extra: int = 50,
    after: Callable | None = None,
) -> None:
    """From reset until sink k has ``beats[k]`` beats and ``extra`` cycles more; cycle 0 is the first with input allowed."""

    async def bench(ctx):
        await reset(ctx, dut)
        left = extra
        for t in range(limit):
            for end in (*sources, *sinks):
                end.drive(ctx, t)
            for end in (*sources, *sinks):
                end.observe(ctx, t)
            await ctx.tick()
            left -= all(len(s.beats) >= count for s, count in zip(sinks, beats, strict=True))
            if left <= 0:
                break
        else:
            raise AssertionError(f"not done after {limit} cycles: {[len(s.beats) for s in sinks]} beats came out")
        if after:
            await after(ctx)

    simulate(dut, bench)

"""Fifo and fork: every word, and every handshake in the cycle of its law, under any stall."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import unsigned

from hwq.gateware.egress import Egress
from hwq.gateware.fifo import DeepFifo, Fifo
from hwq.gateware.fork import ForkStage
from hwq.network.ops import Window
from hwq.plan.latency import READ_LATENCY
from hwq.plan.units import FIFO_EGRESS
from tests.gateware.laws import fork_law, pipe_law, window_law
from tests.gateware.stream import Sink, Source, pipe, refusal, run, simulate, trace

RATES = [(1.0, 1.0), (0.6, 1.0), (1.0, 0.4), (0.7, 0.7), (0.2, 0.9)]


@pytest.mark.parametrize(("idle", "stall"), RATES)
@pytest.mark.parametrize("depth", [1, 2, 3, 5, 8])
def test_fifo_keeps_words_and_law(depth, idle, stall):
    rng = np.random.default_rng(depth)
    words = rng.integers(0, 256, 80).tolist()
    source, sink = trace(rng, idle), trace(rng, stall)
    put, got = pipe(Fifo(unsigned(8), depth), words, len(words), source=source, sink=sink)
    assert got.words == words
    assert (put.cycles, got.cycles) == pipe_law(80, depth, 0, source, sink)


def test_fifo_of_two_runs_at_full_rate():
    _, got = pipe(Fifo(unsigned(4), 2), list(range(16)), 16)
    assert set(np.diff(got.cycles)) == {1}


@pytest.mark.parametrize(("idle", "stall"), RATES)
@pytest.mark.parametrize(("depth", "memory"), [(1, "block"), (5, "block"), (16, "ultra")])
def test_deep_fifo_keeps_words_and_the_law_of_a_reader(depth, memory, idle, stall):
    rng = np.random.default_rng(depth)
    words = rng.integers(0, 256, 80).tolist()
    source, sink = trace(rng, idle), trace(rng, stall)
    put, got = pipe(DeepFifo(unsigned(8), depth, memory), words, len(words), source=source, sink=sink)
    assert got.words == words
    assert (put.cycles, got.cycles) == window_law((1, 1, 1), Window((1, 1)), 80, depth, FIFO_EGRESS, READ_LATENCY, source, sink)


def test_deep_fifo_runs_at_full_rate_after_four_cycles():
    put, got = pipe(DeepFifo(unsigned(4), 8, "block"), list(range(16)), 16)
    assert got.cycles[0] - put.cycles[0] == 4
    assert set(np.diff(got.cycles)) == {1}


@pytest.mark.parametrize(("make", "depth"), [(lambda: Fifo(unsigned(4), 6), 6), (lambda: DeepFifo(unsigned(4), 6, "block"), 6)])
def test_credits_tell_how_full_a_fifo_is(make, depth):
    dut, seen = make(), []

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)
        for _ in range(20):
            seen.append(ctx.get(dut.credits))
            await ctx.tick()
        ctx.set(dut.i.valid, 0)
        ctx.set(dut.o.ready, 1)
        for _ in range(20):
            await ctx.tick()
        seen.append(ctx.get(dut.credits))

    simulate(dut, bench)
    assert (seen[0], min(seen), seen[-1]) == (depth, 0, depth)


def test_egress_must_hold_a_word():
    assert refusal(lambda: Egress(4, 0)) == "depth must be at least 1: depth=0"


@pytest.mark.parametrize(("idle", "stall"), RATES)
@pytest.mark.parametrize("branches", [2, 3])
def test_fork_serves_every_branch_once_in_its_own_time(branches, idle, stall):
    rng = np.random.default_rng(branches)
    words = rng.integers(0, 256, 60).tolist()
    dut = ForkStage(unsigned(8), branches)
    source, stalls = trace(rng, idle), [trace(rng, stall) for _ in range(branches)]
    put = Source(dut.i, words, source)
    sinks = [Sink(getattr(dut, f"o{k}"), s) for k, s in enumerate(stalls)]
    run(dut, [put], sinks, lambda: all(len(s.record.words) == 60 for s in sinks))
    assert all(s.record.words == words for s in sinks)
    assert (put.record.cycles, [s.record.cycles for s in sinks]) == fork_law(60, source, stalls)

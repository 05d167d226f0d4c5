"""Fifo and fork: every word, and every handshake in the cycle of its law, under any stall."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import unsigned

from hwq.gateware.egress import Egress
from hwq.gateware.fifo import Fifo
from hwq.gateware.fork import ForkStage
from tests.gateware.laws import fork_law, pipe_law
from tests.gateware.stream import Sink, Source, pipe, refusal, run, trace

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

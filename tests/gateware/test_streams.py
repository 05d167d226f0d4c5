"""Fifo, fork and converter: every word, and every handshake in the cycle of its law, under any stall."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import unsigned

from hwq.gateware.converter import ConverterStage
from hwq.gateware.egress import Egress
from hwq.gateware.fifo import Fifo
from hwq.gateware.fork import ForkStage
from tests.gateware.laws import converter_law, fork_law, pipe_law
from tests.gateware.stream import Sink, Source, pipe, refusal, run, trace, words_of

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


@pytest.mark.parametrize(("idle", "stall"), RATES)
@pytest.mark.parametrize(
    ("channels", "bits", "elements_in", "elements_out", "depth"),
    [
        (24, 1, 8, 12, 2),
        (24, 1, 12, 8, 2),
        (10, 2, 3, 4, 1),
        (16, 1, 16, 3, 2),
        (9, 4, 2, 9, 3),
        (7, 1, 7, 7, 2),
        (5, 3, 8, 2, 2),
        (20, 1, 1, 6, 2),
    ],
)
def test_converter_any_ratio(channels, bits, elements_in, elements_out, depth, idle, stall):
    rng = np.random.default_rng(channels)
    codes = rng.integers(0, 1 << bits, (9, channels))
    source, sink = trace(rng, idle), trace(rng, stall)
    dut = ConverterStage(channels, bits, elements_in, elements_out, depth)
    words_in, words_out = words_of(codes, bits, elements_in), words_of(codes, bits, elements_out)
    put, got = pipe(dut, words_in, len(words_out), source=source, sink=sink)
    assert got.words == words_out
    assert (put.cycles, got.cycles) == converter_law(9, dut.words_in, dut.words_out, depth, source, sink)


def test_converter_clears_lanes_beyond_the_channels():
    _, got = pipe(ConverterStage(5, 1, 4, 8, 2), [0b1111, 0b1111] * 3, 3)
    assert got.words == [0b11111] * 3


@pytest.mark.parametrize(("elements_in", "elements_out"), [(4, 10), (10, 4), (6, 6)])
def test_converter_interval_is_the_longer_side(elements_in, elements_out):
    dut = ConverterStage(30, 1, elements_in, elements_out, 2)
    _, got = pipe(dut, [0] * dut.words_in * 6, dut.words_out * 6)
    ends = got.cycles[dut.words_out - 1 :: dut.words_out]
    assert set(np.diff(ends)[1:]) == {max(dut.words_in, dut.words_out)}

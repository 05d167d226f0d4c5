"""Drives one component's streams with idle gaps and stalls, watches the stream contract, records every handshake's cycle."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from amaranth.hdl import Value
from amaranth.sim import Simulator

from hwq.numerics.encoding import Encoding
from hwq.plan.units import Edge

Trace = Sequence[bool] | None


@dataclass
class Recorded:
    """Words and cycles of the handshakes of one stream."""

    words: list[int] = field(default_factory=list)
    cycles: list[int] = field(default_factory=list)


def trace(rng: np.random.Generator, rate: float, length: int = 997) -> Trace:
    """A cyclic trace that allows a start, or is ready, with probability ``rate``; None for always."""
    return None if rate >= 1 else list(rng.random(length) < rate)


class Source:
    """Presents words; a gap of the trace delays the start of a beat, never interrupts it."""

    def __init__(self, stream, words: Sequence[int], allowed: Trace) -> None:
        self.stream, self.words, self.allowed = stream, list(words), allowed
        self.record, self.pending = Recorded(), False

    def drive(self, ctx, t: int) -> None:
        more = len(self.record.words) < len(self.words)
        self.pending = more and (self.pending or self.allowed is None or bool(self.allowed[t % len(self.allowed)]))
        ctx.set(self.stream.valid, int(self.pending))
        # Garbage while not valid: nothing may look at it.
        word = self.words[len(self.record.words)] if self.pending else -1
        ctx.set(Value.cast(self.stream.payload), word & ((1 << len(Value.cast(self.stream.payload))) - 1))

    def observe(self, ctx, t: int) -> None:
        if self.pending and ctx.get(self.stream.ready):
            self.record.words.append(self.words[len(self.record.words)])
            self.record.cycles.append(t)
            self.pending = False


class Sink:
    """Takes words when its trace says ready; checks that a valid word stays and does not change until it is taken."""

    def __init__(self, stream, allowed: Trace) -> None:
        self.stream, self.allowed, self.record = stream, allowed, Recorded()
        self.waiting: int | None = None

    def drive(self, ctx, t: int) -> None:
        self.ready = self.allowed is None or bool(self.allowed[t % len(self.allowed)])
        ctx.set(self.stream.ready, int(self.ready))

    def observe(self, ctx, t: int) -> None:
        valid, word = ctx.get(self.stream.valid), ctx.get(Value.cast(self.stream.payload))
        if self.waiting is not None:
            assert valid, f"cycle {t}: valid fell before the word was taken"
            assert word == self.waiting, f"cycle {t}: the word changed while it waited"
        self.waiting = word if valid and not self.ready else None
        if valid and self.ready:
            self.record.words.append(word)
            self.record.cycles.append(t)


def run(dut, sources: Sequence[Source], sinks: Sequence[Sink], done: Callable[[], bool], *, limit: int = 20000, extra: int = 50) -> None:
    """Simulate until ``done``, and ``extra`` cycles more, in which nothing may come out; fails after ``limit`` cycles."""

    async def bench(ctx):
        left = extra
        for t in range(limit):
            for end in (*sources, *sinks):
                end.drive(ctx, t)
            for end in (*sources, *sinks):
                end.observe(ctx, t)
            await ctx.tick()
            left -= done()
            if left <= 0:
                return
        raise AssertionError(f"not done after {limit} cycles: {[len(s.record.words) for s in sinks]} words came out")

    simulate(dut, bench)


def simulate(dut, bench) -> None:
    """Run an Amaranth testbench on ``dut``; on CPython 3.11 the simulator must be gone before a failure is reported."""
    # What is older than the simulator (torch, say) is not looked through for it.
    gc.freeze()
    sim = Simulator(dut)
    sim.add_clock(1e-8)
    sim.add_testbench(bench)
    try:
        sim.run()
    finally:
        del sim
        gc.collect()
        gc.unfreeze()


def pipe(dut, words: Sequence[int], expected: int, *, source: Trace = None, sink: Trace = None) -> tuple[Recorded, Recorded]:
    """One stream in (``i``), one out (``o``): what went in and what came out, ``expected`` words and no more."""
    put, get = Source(dut.i, words, source), Sink(dut.o, sink)
    run(dut, [put], [get], lambda: len(get.record.words) >= expected)
    assert len(get.record.words) == expected, "more words came out than there should be"
    return put.record, get.record


def pack(codes: Sequence[int], bits: int) -> int:
    """A word of codes, the first in the low bits."""
    return sum(int(code) << (k * bits) for k, code in enumerate(codes))


def words_of(codes: np.ndarray, bits: int, elements: int) -> list[int]:
    """Words of (vectors, channels) codes: each vector begins a word, lanes beyond the channels are zero."""
    return [pack(row[k : k + elements], bits) for row in codes for k in range(0, codes.shape[1], elements)]


def image_words(codes: np.ndarray, elements: int, bits: int, pixels: int = 1) -> list[int]:
    """Words of (frames, H, W, C) codes: row by row, groups of ``pixels`` neighbours, channel words; what does not exist is zero."""
    n, h, w, c = codes.shape
    padded = np.zeros((n, h, -(-w // pixels) * pixels, -(-c // elements) * elements), np.int64)
    padded[:, :, :w, :c] = codes
    grouped = padded.reshape(n, h, -1, pixels, padded.shape[3] // elements, elements).transpose(0, 1, 2, 4, 3, 5)
    return [pack(word, bits) for word in grouped.reshape(-1, pixels * elements).tolist()]


def edge_words(integers: np.ndarray, encoding: Encoding, edge: Edge) -> list[int]:
    """Words of (frames, H, W, C) integers as they stand on ``edge``."""
    codes = encoding.encode(integers).reshape(len(integers), edge.height, edge.width, edge.channels)
    return image_words(codes, edge.elements, edge.bits, edge.pixels)


def refusal(build: Callable[[], object]) -> str:
    """The text of the ValueError with which ``build`` refuses its arguments; its half-made component dies here, unused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            build()
        except ValueError as error:
            message = str(error)
        else:
            raise AssertionError("not refused")
        gc.collect()
    return message

"""The laws of the stream components as recurrences over handshake cycles, written apart from gateware and token simulator.

A trace is a cyclic list of booleans or None (always); ``start[j]`` of a source: first allowed slot after the previous accept.
"""

from __future__ import annotations

from tests.gateware.stream import Trace


def slot(t: int, allowed: Trace) -> int:
    """First cycle from ``t`` on that the trace allows."""
    if allowed is None:
        return t
    return next(u for u in range(t, t + len(allowed) + 1) if allowed[u % len(allowed)])


class Arrivals:
    """A source: word j is presented from its start slot on; accepted when the consumer can."""

    def __init__(self, allowed: Trace) -> None:
        self.allowed, self.accepted = allowed, []

    def offer(self) -> int:
        """Cycle from which the next word is there."""
        return slot(self.accepted[-1] + 1 if self.accepted else 0, self.allowed)

    def accept(self, t: int) -> int:
        self.accepted.append(t)
        return t


class Departures:
    """An Egress of ``depth`` behind a datapath of ``latency``, and the sink behind it."""

    def __init__(self, depth: int, latency: int, allowed: Trace) -> None:
        self.depth, self.latency, self.allowed, self.popped = depth, latency, allowed, []

    def credit(self) -> int:
        """Cycle from which a credit for the next word can be had."""
        j = len(self.popped)
        return self.popped[j - self.depth] + 1 if j >= self.depth else 0

    def take(self, t: int) -> None:
        available = t + self.latency + 1
        self.popped.append(slot(max(available, self.popped[-1] + 1 if self.popped else 0), self.allowed))


def pipe_law(words: int, depth: int, latency: int, source: Trace, sink: Trace, *, reads: int = 1) -> tuple[list[int], list[int]]:
    """One word a firing; every ``reads``-th produces and wants a credit (FIFO: latency 0, reads 1)."""
    arrivals, departures = Arrivals(source), Departures(depth, latency, sink)
    last = -1
    for n in range(words):
        t = max(last + 1, arrivals.offer())
        if n % reads == reads - 1:
            t = max(t, departures.credit())
            departures.take(t)
        last = arrivals.accept(t)
    return arrivals.accepted, departures.popped


def mvu_law(
    vectors: int, sf: int, nf: int, buffer: int, depth: int, latency: int, source: Trace, sink: Trace
) -> tuple[list[int], list[int]]:
    """Reader with re-reads, credit at the end of a pass. Entries that never happen for want of a free buffer do not exist here."""
    arrivals, departures = Arrivals(source), Departures(depth, latency, sink)
    freed: list[int] = []  # last firing of every vector
    last = -1

    def write_up_to(word: int) -> None:
        while len(arrivals.accepted) <= word:
            m = len(arrivals.accepted)
            # Word m may enter once the vector being read begins at or after word m - buffer + 1.
            vectors_gone = max(0, -(-(m - buffer + 1) // sf))
            room = freed[vectors_gone - 1] + 1 if vectors_gone else 0
            arrivals.accept(max(arrivals.offer(), room))

    for vector in range(vectors):
        for fold in range(nf):
            for word in range(sf):
                t = last + 1
                if fold == 0:
                    # Words that do not wait for this vector to be freed are written as they come.
                    write_up_to(vector * sf + word)
                    t = max(t, arrivals.accepted[vector * sf + word] + 1)
                if word == sf - 1:
                    t = max(t, departures.credit())
                    departures.take(t)
                last = t
        freed.append(last)
    return arrivals.accepted, departures.popped


def converter_law(blocks: list[tuple[int, int]], depth: int, source: Trace, sink: Trace) -> tuple[list[int], list[int]]:
    """Blocks of (words in, words out), handed over whole: X[b] = max(last word in + 1, last word out of block b - 1)."""
    arrivals, departures = Arrivals(source), Departures(depth, 0, sink)
    handed, fired = -1, -1
    for block, (words_in, words_out) in enumerate(blocks):
        for k in range(words_in):
            t = arrivals.offer()
            if k == 0 and block:
                t = max(t, handed)
            arrivals.accept(t)
        handed = max(arrivals.accepted[-1] + 1, fired if block else 0)
        for k in range(words_out):
            fired = max(fired + 1 if k else handed + 1, departures.credit())
            departures.take(fired)
    return arrivals.accepted, departures.popped


def fork_law(words: int, source: Trace, sinks: list[Trace]) -> tuple[list[int], list[list[int]]]:
    """Every branch takes the word on its own, all must have it before the next comes."""
    arrivals = Arrivals(source)
    popped: list[list[int]] = [[] for _ in sinks]
    for _ in range(words):
        there = arrivals.offer()
        for branch, allowed in zip(popped, sinks, strict=True):
            branch.append(slot(there, allowed))
        arrivals.accept(max(branch[-1] for branch in popped))
    return arrivals.accepted, popped


def join_law(words: int, depth: int, latency: int, sources: list[Trace], sink: Trace) -> tuple[list[list[int]], list[int]]:
    """Every input's word j is taken in the cycle in which all have it and a credit is free."""
    arrivals, departures = [Arrivals(s) for s in sources], Departures(depth, latency, sink)
    last = -1
    for _ in range(words):
        last = max([last + 1, departures.credit(), *(a.offer() for a in arrivals)])
        departures.take(last)
        for a in arrivals:
            a.accept(last)
    return [a.accepted for a in arrivals], departures.popped

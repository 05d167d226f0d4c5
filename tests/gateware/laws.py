"""The laws of the stream components as recurrences over handshake cycles, written apart from gateware and token simulator.

A trace is a cyclic list of booleans or None (always); ``start[j]`` of a source: first allowed slot after the previous accept.
"""

from __future__ import annotations

from itertools import product

from hwq.network.ops import Window
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


def window_law(
    image: tuple[int, int, int],
    window: Window,
    frames: int,
    buffer: int,
    depth: int,
    latency: int,
    source: Trace,
    sink: Trace,
    *,
    pixels: int = 1,
    blocks: int = 1,
    passes: int = 1,
    is_every_firing: bool = False,
) -> tuple[list[int], list[int]]:
    """Reader of ``image`` = (height, width, words a V pixels) before an Egress; the last firing of a pass, or every one, produces.

    Returns the cycles of all words in and of all words out. Asserts that no firing waits for a word that cannot enter.
    """
    height, width, words = image
    (kh, kw), (sy, sx), (dy, dx), (top, left, _, _) = window.kernel, window.stride, window.dilation, window.padding
    rows, columns = window.size(height, width)
    row = width // pixels * words
    arrivals, departures = Arrivals(source), Departures(depth, latency, sink)
    moves: list[tuple[int, int]] = []  # (base, first cycle of it)
    move = 0
    # The first word of all starts the Reader.
    last = arrivals.offer()

    def enter(most: int) -> None:
        """Words up to ``most`` that have room by now."""
        nonlocal move
        while (m := len(arrivals.accepted)) < min(most, frames * height * row):
            while move < len(moves) and moves[move][0] + buffer <= m:
                move += 1
            if move == len(moves):
                return
            arrivals.accept(max(arrivals.offer(), moves[move][1]))

    for frame, oh, og in product(range(frames), range(rows), range(columns // pixels)):
        base = frame * height * row + (oh * sy - top) * row + (og * sx - -(-left // pixels)) * words
        moves.append((base, last + 1 if moves else 0))
        for block, fold, a, b, word in product(range(blocks), range(passes), range(kh), range(kw), range(words // blocks)):
            t = last + 1
            y = oh * sy - top + a * dy
            xs = [x for v in range(pixels) if 0 <= (x := (og * pixels + v) * sx - left + b * dx) < width]
            if fold == 0 and xs and 0 <= y < height:
                needed = frame * height * row + y * row + max(xs) // pixels * words + block * (words // blocks) + word
                enter(needed + 1)
                assert len(arrivals.accepted) > needed, f"deadlock: word {needed} cannot enter"
                t = max(t, arrivals.accepted[needed] + 1)
            if is_every_firing or (a, b, word) == (kh - 1, kw - 1, words // blocks - 1):
                t = max(t, departures.credit())
                departures.take(t)
            last = t
    moves.append((frames * height * row - top * row - -(-left // pixels) * words, last + 1))
    enter(frames * height * row)
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


def concat_law(
    groups: int, words: list[int], depth: int, sources: list[Trace], sink: Trace, *, wide: bool
) -> tuple[list[list[int]], list[int]]:
    """Serial: the words of each input in turn, one a cycle. Wide: a word of every input at once."""
    arrivals, departures = [Arrivals(s) for s in sources], Departures(depth, 0, sink)
    last = -1
    turns = [list(range(len(words)))] if wide else [[k] for k, count in enumerate(words) for _ in range(count)]
    for _ in range(groups):
        for turn in turns:
            last = max([last + 1, departures.credit(), *(arrivals[k].offer() for k in turn)])
            departures.take(last)
            for k in turn:
                arrivals[k].accept(last)
    return [a.accepted for a in arrivals], departures.popped


def split_law(
    groups: int, words: list[int], kept: list[int], depth: int, source: Trace, sinks: list[Trace], *, wide: bool
) -> tuple[list[int], list[list[int]]]:
    """Serial: every word wants the credit of its own target, none where that is dropped. Wide: a word wants all credits."""
    arrivals, departures = Arrivals(source), [Departures(depth, 0, s) for s in sinks]
    turns = [[k for k in kept if k >= 0]] if wide else [[k] * (k >= 0) for k, n in zip(kept, words, strict=True) for _ in range(n)]
    for _ in range(groups):
        for turn in turns:
            t = max([arrivals.offer(), *(departures[k].credit() for k in turn)])
            arrivals.accept(t)
            for k in turn:
                departures[k].take(t)
    return arrivals.accepted, [d.popped for d in departures]


def pad_law(inside: list[bool], frame: int, depth: int, source: Trace, sink: Trace) -> tuple[list[int], list[int]]:
    """A word a firing; those ``inside`` the image want one of the input, too; the first of a frame waits for one."""
    arrivals, departures = Arrivals(source), Departures(depth, 0, sink)
    last = -1
    for place, wants in enumerate(inside):
        last = max(last + 1, departures.credit(), arrivals.offer() if wants or place % frame == 0 else 0)
        departures.take(last)
        if wants:
            arrivals.accept(last)
    return arrivals.accepted, departures.popped


def upsample_law(
    rows: int, columns: int, words: int, factor: tuple[int, int], buffer: int, depth: int, latency: int, source: Trace, sink: Trace
) -> tuple[list[int], list[int]]:
    """Rows of ``columns`` x ``words`` words read over; a word is freed by the last firing that reads it (pixels that repeat: whole)."""
    arrivals, departures = Arrivals(source), Departures(depth, latency, sink)
    down, across = factor
    reads, free_at = [], {}
    for row in range(rows):
        for again in range(down):
            for column in range(columns):
                for repeat in range(across):
                    for word in range(words):
                        m = (row * columns + column) * words + word
                        if again == down - 1 and repeat == across - 1:
                            pixel_end = len(reads) + words - 1 - word
                            free_at[m] = pixel_end if across > 1 else len(reads)
                        reads.append(m)
    fired: list[int] = []
    for m in reads:
        while len(arrivals.accepted) <= m:
            n = len(arrivals.accepted)
            room = fired[free_at[n - buffer]] + 1 if n >= buffer else 0
            arrivals.accept(max(arrivals.offer(), room))
        t = max(fired[-1] + 1 if fired else 0, arrivals.accepted[m] + 1, departures.credit())
        departures.take(t)
        fired.append(t)
    return arrivals.accepted, departures.popped


def slide_law(
    image: tuple[int, int, int], window: Window, frames: int, buffer: int, depth: int, latency: int, source: Trace, sink: Trace
) -> tuple[list[int], list[int]]:
    """A column of the window a firing; the one that holds a window's last column produces it.

    The columns of a row follow those of the row before, so a window ends at the column with the number
    row * width + its rightmost column, padding included. The frame ends with its last window.
    """
    height, width, words = image
    (kh, kw), (sy, sx), (dy, dx), (top, left, _, _) = window.kernel, window.stride, window.dilation, window.padding
    rows, columns = window.size(height, width)
    row = width * words
    ends = {oh * width + ow * sx - left + (kw - 1) * dx for oh in range(rows) for ow in range(columns)}
    arrivals, departures = Arrivals(source), Departures(depth, latency, sink)
    limits: list[tuple[int, int]] = [(buffer - top * row, 0)]  # (words that may be in, from which cycle on)
    last = arrivals.offer()

    def enter(most: int) -> None:
        while (m := len(arrivals.accepted)) < min(most, frames * height * row):
            since = next((t for limit, t in limits if limit > m), None)
            if since is None:
                return
            arrivals.accept(max(arrivals.offer(), since))

    for frame in range(frames):
        for place, word in product(range(max(ends) + 1), range(words)):
            oh, x = divmod(place, width)
            oh, x = (oh, x) if oh < rows else (rows - 1, width)
            t = last + 1
            real = [y for k in range(kh) if 0 <= (y := oh * sy - top + k * dy) < height]
            if x < width and real:
                needed = (frame * height + max(real)) * row + x * words + word
                enter(needed + 1)
                assert len(arrivals.accepted) > needed, f"deadlock: word {needed} cannot enter"
                t = max(t, arrivals.accepted[needed] + 1)
            if place in ends and word == words - 1:
                t = max(t, departures.credit())
                departures.take(t)
            last = t
            at, step = divmod(place * words + word + 1, row)
            base = (frame * height + min(at, rows - 1) * sy - top) * row + (step if at < rows else row)
            limits.append((base + buffer, t + 1))
        limits.append((((frame + 1) * height - top) * row + buffer, last + 1))
    enter(frames * height * row)
    return arrivals.accepted, departures.popped

"""Token simulator: the exact cycle of every handshake of a dataflow, by max-plus recurrences, one step a token.

Everything is channels and buffers (token_tables.py) between *engines* (token_streams.py, token_buffers.py). Engines advance until
a word or a credit is not yet known; when none can advance the run is complete or deadlocked. That is exact because a raised ready
stays until it is used. Network-independent; token_network.py builds the tables.

Once all words of the frames offered are through, the *state* of the simulator is the cycles of the last firings, the credits given
back and the limits of the buffers; nothing else acts on the frames to come. When it recurs, shifted in time, so does the schedule.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.plan import token_buffers, token_streams, token_tables
from hwq.plan.token_buffers import read, repeat, shift, slide, write
from hwq.plan.token_streams import concat, fork, join, pad, sink, source, split, stream, to_all
from hwq.plan.token_tables import (
    ALL,
    CHANNEL_COLUMNS,
    CONCAT,
    COUNT,
    DEPTH,
    ENGINE_COLUMNS,
    FORK,
    FRAME,
    HEAD,
    JOIN,
    KIND,
    LAST,
    LIMIT,
    NEWEST,
    PAD,
    POP,
    RAISED,
    READ,
    REPEAT,
    SHIFT,
    SINCE,
    SLIDE,
    SOURCE,
    SPACE,
    SPLIT,
    STREAM,
    TAKE_AT,
    TRACK,
    WRITE,
    WRITER,
    WRITTEN,
    B,
    Table,
    compiled,
    count_until,
    kept,
)

__all__ = ["run_tokens", "state_of"]


def _stamp() -> int:
    modules = (token_tables, token_streams, token_buffers)
    text = b"".join(Path(m.__file__).read_bytes() for m in modules if m.__file__)
    return int.from_bytes(sha256(text).digest()[:4], "big")


@compiled
def _step(k: int, M: Table, log: Table, traces: NDArray[np.bool_]) -> int:
    kind = M[k + KIND]
    if kind == READ:
        return read(k, M)
    if kind == WRITE:
        return write(k, M)
    if kind == STREAM:
        return stream(k, M)
    if kind == SHIFT:
        return shift(k, M)
    if kind == FORK:
        return fork(k, M)
    if kind == JOIN:
        return join(k, M)
    if kind == CONCAT:
        return concat(k, M)
    if kind == SPLIT:
        return split(k, M)
    if kind == ALL:
        return to_all(k, M)
    if kind == PAD:
        return pad(k, M)
    if kind == REPEAT:
        return repeat(k, M)
    if kind == SLIDE:
        return slide(k, M)
    if kind == SOURCE:
        return source(k, M, log, traces)
    return sink(k, M, log, traces)


def _build(stamp: int) -> Any:
    def run_tokens(M: Table, first: int, near: Table, channels: int, log: Table, traces: NDArray[np.bool_], limit: int) -> int:
        """Run all engines until none can advance; the number of steps, negative where ``limit`` ended them.

        The rows of the engines begin at ``first``; ``near`` is (engines, n): those to try again when one has advanced, -1 behind the
        last.
        """
        steps = 0 * stamp
        waiting = np.ones(len(near), np.bool_)
        progress = True
        while progress:
            progress = False
            for k in range(len(near)):
                if not waiting[k]:
                    continue
                waiting[k] = False
                done = _step(first + k * ENGINE_COLUMNS, M, log, traces)
                if not done:
                    continue
                steps += done
                progress = True
                n = 0
                while near[k, n] >= 0:
                    waiting[near[k, n]] = True
                    n += 1
            if steps > limit:
                return -steps
        for c in range(0, channels * CHANNEL_COLUMNS, CHANNEL_COLUMNS):
            if M[c + TRACK]:
                count_until(c, M, np.iinfo(np.int64).max)
        return steps

    return kept(run_tokens)


run_tokens: Callable[..., int] = _build(_stamp())


def _build_state(stamp: int) -> Any:
    def state_of(E: Table, C: Table, S: Table, M: Table, engines: Table, channels: Table, buffers: Table, now: int, state: Table) -> int:
        """Write the state of some engines, channels and buffers, relative to cycle ``now``, into ``state``; its length.

        A credit or a limit older than the last firing of the engine that waits for it delays nothing more, whatever its age.
        """
        n = 0 * stamp
        for k in engines:
            last = E[k, LAST]
            if E[k, KIND] == SOURCE:
                last = max(last, E[k, FRAME] * E[k, B] - 1)
            state[n] = last - now
            n += 1
        for c in channels:
            for ahead in range(C[c, DEPTH]):
                at = (C[c, TAKE_AT] + ahead) % C[c, DEPTH]
                state[n] = max(M[C[c, POP] + at], C[c, NEWEST]) - now
                n += 1
        for b in buffers:
            since = max(S[b, SINCE], S[b, WRITER])
            state[n] = S[b, LIMIT] - S[b, WRITTEN]
            state[n + 1] = since - now
            n += 2
            for ahead in range(S[b, COUNT]):
                at = S[b, RAISED] + 2 * ((S[b, HEAD] + ahead) % S[b, SPACE])
                state[n] = M[at] - S[b, WRITTEN]
                state[n + 1] = max(M[at + 1], S[b, WRITER]) - now
                n += 2
        return n

    return kept(state_of)


state_of: Callable[..., int] = _build_state(_stamp())

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
from hwq.plan.token_buffers import read, repeat, shift, write
from hwq.plan.token_streams import concat, fork, join, pad, sink, source, split, stream, to_all
from hwq.plan.token_tables import (
    ALL,
    CONCAT,
    COUNT,
    DEPTH,
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
)

__all__ = ["run_tokens", "state_of"]


def _stamp() -> int:
    modules = (token_tables, token_streams, token_buffers)
    text = b"".join(Path(m.__file__).read_bytes() for m in modules if m.__file__)
    return int.from_bytes(sha256(text).digest()[:4], "big")


@compiled
def _step(k: int, E: Table, C: Table, S: Table, R: Table, X: Table, log: Table, traces: NDArray[np.bool_]) -> int:
    kind = E[k, KIND]
    if kind == READ:
        return read(k, E, C, S, R, X)
    if kind == WRITE:
        return write(k, E, C, S, R)
    if kind == STREAM:
        return stream(k, E, C, R)
    if kind == SHIFT:
        return shift(k, E, C, S, R, X)
    if kind == FORK:
        return fork(k, E, C, R)
    if kind == JOIN:
        return join(k, E, C, R, X)
    if kind == CONCAT:
        return concat(k, E, C, R, X)
    if kind == SPLIT:
        return split(k, E, C, R, X)
    if kind == ALL:
        return to_all(k, E, C, R)
    if kind == PAD:
        return pad(k, E, C, R, X)
    if kind == REPEAT:
        return repeat(k, E, C, S, R, X)
    if kind == SOURCE:
        return source(k, E, C, R, log, traces)
    return sink(k, E, C, R, log, traces)


def _build(stamp: int) -> Any:
    # Numba's files on disk know the text of this module only: the stamp makes them know that of the engines too.
    def run_tokens(E: Table, C: Table, S: Table, R: Table, X: Table, log: Table, traces: NDArray[np.bool_], near: Table, limit: int) -> int:
        """Run all engines until none can advance; the number of steps, negative where ``limit`` ended them.

        ``near`` is (engines, n): the engines to try again when one has advanced, -1 behind the last.
        """
        steps = 0 * stamp
        waiting = np.ones(len(E), np.bool_)
        progress = True
        while progress:
            progress = False
            for k in range(len(E)):
                if not waiting[k]:
                    continue
                waiting[k] = False
                done = _step(k, E, C, S, R, X, log, traces)
                if not done:
                    continue
                steps += done
                progress = True
                for n in near[k]:
                    if n < 0:
                        break
                    waiting[n] = True
            if steps > limit:
                return -steps
        for k in range(len(C)):
            if C[k, TRACK]:
                count_until(k, C, R, np.iinfo(np.int64).max)
        return steps

    return compiled(run_tokens)


run_tokens: Callable[..., int] = _build(_stamp())


@compiled
def state_of(E: Table, C: Table, S: Table, R: Table, engines: Table, channels: Table, buffers: Table, now: int, state: Table) -> int:
    """Write the state of some engines, channels and buffers, relative to cycle ``now``, into ``state``; its length.

    A credit or a limit older than the last firing of the engine that waits for it delays nothing more, whatever its age.
    """
    n = 0
    for k in engines:
        last = E[k, LAST]
        if E[k, KIND] == SOURCE:
            last = max(last, E[k, FRAME] * E[k, B] - 1)
        state[n] = last - now
        n += 1
    for c in channels:
        for ahead in range(C[c, DEPTH]):
            at = (C[c, TAKE_AT] + ahead) % C[c, DEPTH]
            state[n] = max(R[C[c, POP] + at], C[c, NEWEST]) - now
            n += 1
    for b in buffers:
        since = max(S[b, SINCE], S[b, WRITER])
        state[n] = S[b, LIMIT] - S[b, WRITTEN]
        state[n + 1] = since - now
        n += 2
        for ahead in range(S[b, COUNT]):
            at = S[b, RAISED] + 2 * ((S[b, HEAD] + ahead) % S[b, SPACE])
            state[n] = R[at] - S[b, WRITTEN]
            state[n + 1] = max(R[at + 1], S[b, WRITER]) - now
            n += 2
    return n

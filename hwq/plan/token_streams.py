"""Engines of the token simulator that hold nothing but positions: each advances until a word or a credit is not yet known.

Every engine returns the number of its steps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwq.plan.token_tables import (
    AUX,
    BLOCKED,
    CHANNEL_COLUMNS,
    FRAME,
    IN,
    LAST,
    LOG,
    OUT,
    P0,
    P1,
    P2,
    QUOTA,
    SPAN,
    TAKEN,
    TRACE,
    WHOLE,
    A,
    B,
    Table,
    available,
    compiled,
    credit,
    pop,
    take,
)

__all__ = ["concat", "fork", "join", "pad", "sink", "source", "split", "stream", "to_all"]


@compiled
def _slot(k: int, M: Table, traces: NDArray[np.bool_], t: int) -> int:
    """First cycle from ``t`` on that the stall trace allows."""
    if M[k + SPAN]:
        while not traces[M[k + TRACE] + t % M[k + SPAN]]:
            t += 1
    return t


@compiled
def _note(k: int, M: Table, log: Table, t: int) -> None:
    """Log a beat at the border of the network and move on in the frame."""
    place, frame = M[k + P0], M[k + FRAME]
    if M[k + WHOLE]:
        log[M[k + LOG] + frame * M[k + A] + place] = t
    else:
        if place == 0:
            log[M[k + LOG] + 2 * frame] = t
        if place == M[k + A] - 1:
            log[M[k + LOG] + 2 * frame + 1] = t
    M[k + LAST] = t
    M[k + P0] = place + 1
    if place + 1 == M[k + A]:
        M[k + P0] = 0
        M[k + FRAME] = frame + 1


@compiled
def source(k: int, M: Table, log: Table, traces: NDArray[np.bool_]) -> int:
    """A beat is offered from its start on and accepted when the channel has a credit."""
    steps, o = 0, M[k + OUT]
    while M[o + TAKEN] < M[k + QUOTA]:
        free = credit(o, M)
        if free == BLOCKED:
            break
        t = max(_slot(k, M, traces, max(M[k + LAST] + 1, M[k + FRAME] * M[k + B])), free)
        take(o, M, t)
        _note(k, M, log, t)
        steps += 1
    return steps


@compiled
def sink(k: int, M: Table, log: Table, traces: NDArray[np.bool_]) -> int:
    """Takes words in the cycles that the trace allows."""
    steps, i = 0, M[k + IN]
    while True:
        ready = available(i, M)
        if ready == BLOCKED:
            return steps
        t = _slot(k, M, traces, max(ready, M[k + LAST] + 1))
        pop(i, M, t)
        _note(k, M, log, t)
        steps += 1


@compiled
def stream(k: int, M: Table) -> int:
    """One word in a firing; the last of A produces."""
    steps, i, o = 0, M[k + IN], M[k + OUT]
    while True:
        ready = available(i, M)
        if ready == BLOCKED:
            return steps
        t = max(M[k + LAST] + 1, ready)
        if M[k + P0] == M[k + A] - 1:
            free = credit(o, M)
            if free == BLOCKED:
                return steps
            t = max(t, free)
            take(o, M, t)
            M[k + P0] = 0
        else:
            M[k + P0] += 1
        pop(i, M, t)
        M[k + LAST] = t
        steps += 1


@compiled
def _credits(first: int, count: int, M: Table) -> int:
    t = 0
    for o in range(first, first + count * CHANNEL_COLUMNS, CHANNEL_COLUMNS):
        free = credit(o, M)
        if free == BLOCKED:
            return BLOCKED
        t = max(t, free)
    return t


@compiled
def fork(k: int, M: Table) -> int:
    """Offers a word to all branches at once; it leaves the input when the last branch has taken it."""
    steps, i, o = 0, M[k + IN], M[k + OUT]
    while True:
        free = _credits(o, M[k + A], M)
        if free == BLOCKED:
            return steps
        if M[k + P0]:
            pop(i, M, free - 1)
            M[k + P0] = 0
        else:
            ready = available(i, M)
            if ready == BLOCKED:
                return steps
            for b in range(o, o + M[k + A] * CHANNEL_COLUMNS, CHANNEL_COLUMNS):
                take(b, M, max(ready, free))
            M[k + P0] = 1
        steps += 1


@compiled
def to_all(k: int, M: Table) -> int:
    """A word goes to all outputs in the same cycle."""
    steps, i, o = 0, M[k + IN], M[k + OUT]
    while True:
        ready, free = available(i, M), _credits(o, M[k + A], M)
        if ready == BLOCKED or free == BLOCKED:
            return steps
        t = max(M[k + LAST] + 1, ready, free)
        for b in range(o, o + M[k + A] * CHANNEL_COLUMNS, CHANNEL_COLUMNS):
            take(b, M, t)
        pop(i, M, t)
        M[k + LAST] = t
        steps += 1


@compiled
def join(k: int, M: Table) -> int:
    """Fires when all inputs hold a word. Constants: the inputs."""
    steps, o, x = 0, M[k + OUT], M[k + AUX]
    while True:
        t = credit(o, M)
        if t == BLOCKED:
            return steps
        t = max(t, M[k + LAST] + 1)
        for n in range(M[k + A]):
            ready = available(M[x + n], M)
            if ready == BLOCKED:
                return steps
            t = max(t, ready)
        for n in range(M[k + A]):
            pop(M[x + n], M, t)
        take(o, M, t)
        M[k + LAST] = t
        steps += 1


@compiled
def _turn(k: int, M: Table) -> None:
    """To the next word of the parts of a pixel. Constants: (channel, words) of every part."""
    M[k + P1] += 1
    if M[k + P1] == M[M[k + AUX] + 2 * M[k + P0] + 1]:
        M[k + P1] = 0
        M[k + P0] = 0 if M[k + P0] + 1 == M[k + A] else M[k + P0] + 1


@compiled
def concat(k: int, M: Table) -> int:
    """Words of the inputs in turn."""
    steps, o = 0, M[k + OUT]
    while True:
        i = M[M[k + AUX] + 2 * M[k + P0]]
        ready, free = available(i, M), credit(o, M)
        if ready == BLOCKED or free == BLOCKED:
            return steps
        t = max(M[k + LAST] + 1, ready, free)
        pop(i, M, t)
        take(o, M, t)
        M[k + LAST] = t
        _turn(k, M)
        steps += 1


@compiled
def split(k: int, M: Table) -> int:
    """Words to the outputs in turn; those of output -1 are dropped."""
    steps, i = 0, M[k + IN]
    while True:
        ready = available(i, M)
        if ready == BLOCKED:
            return steps
        o = M[M[k + AUX] + 2 * M[k + P0]]
        t = max(M[k + LAST] + 1, ready)
        if o >= 0:
            free = credit(o, M)
            if free == BLOCKED:
                return steps
            t = max(t, free)
            take(o, M, t)
        pop(i, M, t)
        M[k + LAST] = t
        _turn(k, M)
        steps += 1


@compiled
def pad(k: int, M: Table) -> int:
    """Words of an image with words of its own around them. Constants: height, width, words, top, left, bottom, right."""
    steps, i, o, x = 0, M[k + IN], M[k + OUT], M[k + AUX]
    # The padding in front of a frame that was never offered is left to a later run.
    while M[o + TAKEN] < M[k + QUOTA]:
        free = credit(o, M)
        if free == BLOCKED:
            break
        if M[k + P0] == 0 and M[k + P1] == 0 and M[k + P2] == 0:
            # The padding in front of a frame waits for its first word.
            ready = available(i, M)
            if ready == BLOCKED:
                break
            free = max(free, ready)
        t = max(M[k + LAST] + 1, free)
        row, column = M[k + P0] - M[x + 3], M[k + P1] - M[x + 4]
        if 0 <= row < M[x] and 0 <= column < M[x + 1]:
            ready = available(i, M)
            if ready == BLOCKED:
                break
            t = max(t, ready)
            pop(i, M, t)
        take(o, M, t)
        M[k + LAST] = t
        steps += 1
        M[k + P2] += 1
        if M[k + P2] == M[x + 2]:
            M[k + P2] = 0
            M[k + P1] += 1
            if M[k + P1] == M[x + 1] + M[x + 4] + M[x + 6]:
                M[k + P1] = 0
                M[k + P0] += 1
                if M[k + P0] == M[x] + M[x + 3] + M[x + 5]:
                    M[k + P0] = 0
    return steps

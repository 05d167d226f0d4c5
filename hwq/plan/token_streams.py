"""Engines of the token simulator that hold nothing but positions: each advances until a word or a credit is not yet known.

Every engine returns the number of its steps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwq.plan.token_tables import (
    AUX,
    BLOCKED,
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
def _slot(k: int, E: Table, traces: NDArray[np.bool_], t: int) -> int:
    """First cycle from ``t`` on that the stall trace allows."""
    if E[k, SPAN]:
        while not traces[E[k, TRACE] + t % E[k, SPAN]]:
            t += 1
    return t


@compiled
def _note(k: int, E: Table, log: Table, t: int) -> None:
    """Log a beat at the border of the network and move on in the frame."""
    place, frame = E[k, P0], E[k, FRAME]
    if E[k, WHOLE]:
        log[E[k, LOG] + frame * E[k, A] + place] = t
    else:
        if place == 0:
            log[E[k, LOG] + 2 * frame] = t
        if place == E[k, A] - 1:
            log[E[k, LOG] + 2 * frame + 1] = t
    E[k, LAST] = t
    E[k, P0] = place + 1
    if place + 1 == E[k, A]:
        E[k, P0] = 0
        E[k, FRAME] = frame + 1


@compiled
def source(k: int, E: Table, C: Table, R: Table, log: Table, traces: NDArray[np.bool_]) -> int:
    """A beat is offered from its start on and accepted when the channel has a credit."""
    steps, o = 0, E[k, OUT]
    while C[o, TAKEN] < E[k, QUOTA]:
        free = credit(o, C, R)
        if free == BLOCKED:
            break
        t = max(_slot(k, E, traces, max(E[k, LAST] + 1, E[k, FRAME] * E[k, B])), free)
        take(o, C, R, t)
        _note(k, E, log, t)
        steps += 1
    return steps


@compiled
def sink(k: int, E: Table, C: Table, R: Table, log: Table, traces: NDArray[np.bool_]) -> int:
    """Takes words in the cycles that the trace allows."""
    steps, i = 0, E[k, IN]
    while True:
        ready = available(i, C, R)
        if ready == BLOCKED:
            return steps
        t = _slot(k, E, traces, max(ready, E[k, LAST] + 1))
        pop(i, C, R, t)
        _note(k, E, log, t)
        steps += 1


@compiled
def stream(k: int, E: Table, C: Table, R: Table) -> int:
    """One word in a firing; the last of A produces."""
    steps, i, o = 0, E[k, IN], E[k, OUT]
    while True:
        ready = available(i, C, R)
        if ready == BLOCKED:
            return steps
        t = max(E[k, LAST] + 1, ready)
        if E[k, P0] == E[k, A] - 1:
            free = credit(o, C, R)
            if free == BLOCKED:
                return steps
            t = max(t, free)
            take(o, C, R, t)
            E[k, P0] = 0
        else:
            E[k, P0] += 1
        pop(i, C, R, t)
        E[k, LAST] = t
        steps += 1


@compiled
def _credits(first: int, count: int, C: Table, R: Table) -> int:
    t = 0
    for o in range(first, first + count):
        free = credit(o, C, R)
        if free == BLOCKED:
            return BLOCKED
        t = max(t, free)
    return t


@compiled
def fork(k: int, E: Table, C: Table, R: Table) -> int:
    """Offers a word to all branches at once; it leaves the input when the last branch has taken it."""
    steps, i, o = 0, E[k, IN], E[k, OUT]
    while True:
        free = _credits(o, E[k, A], C, R)
        if free == BLOCKED:
            return steps
        if E[k, P0]:
            pop(i, C, R, free - 1)
            E[k, P0] = 0
        else:
            ready = available(i, C, R)
            if ready == BLOCKED:
                return steps
            for b in range(o, o + E[k, A]):
                take(b, C, R, max(ready, free))
            E[k, P0] = 1
        steps += 1


@compiled
def to_all(k: int, E: Table, C: Table, R: Table) -> int:
    """A word goes to all outputs in the same cycle."""
    steps, i, o = 0, E[k, IN], E[k, OUT]
    while True:
        ready, free = available(i, C, R), _credits(o, E[k, A], C, R)
        if ready == BLOCKED or free == BLOCKED:
            return steps
        t = max(E[k, LAST] + 1, ready, free)
        for b in range(o, o + E[k, A]):
            take(b, C, R, t)
        pop(i, C, R, t)
        E[k, LAST] = t
        steps += 1


@compiled
def join(k: int, E: Table, C: Table, R: Table, X: Table) -> int:
    """Fires when all inputs hold a word. Constants: the inputs."""
    steps, o, x = 0, E[k, OUT], E[k, AUX]
    while True:
        t = credit(o, C, R)
        if t == BLOCKED:
            return steps
        t = max(t, E[k, LAST] + 1)
        for n in range(E[k, A]):
            ready = available(X[x + n], C, R)
            if ready == BLOCKED:
                return steps
            t = max(t, ready)
        for n in range(E[k, A]):
            pop(X[x + n], C, R, t)
        take(o, C, R, t)
        E[k, LAST] = t
        steps += 1


@compiled
def _turn(k: int, E: Table, X: Table) -> None:
    """To the next word of the parts of a pixel. Constants: (channel, words) of every part."""
    E[k, P1] += 1
    if E[k, P1] == X[E[k, AUX] + 2 * E[k, P0] + 1]:
        E[k, P1] = 0
        E[k, P0] = 0 if E[k, P0] + 1 == E[k, A] else E[k, P0] + 1


@compiled
def concat(k: int, E: Table, C: Table, R: Table, X: Table) -> int:
    """Words of the inputs in turn."""
    steps, o = 0, E[k, OUT]
    while True:
        i = X[E[k, AUX] + 2 * E[k, P0]]
        ready, free = available(i, C, R), credit(o, C, R)
        if ready == BLOCKED or free == BLOCKED:
            return steps
        t = max(E[k, LAST] + 1, ready, free)
        pop(i, C, R, t)
        take(o, C, R, t)
        E[k, LAST] = t
        _turn(k, E, X)
        steps += 1


@compiled
def split(k: int, E: Table, C: Table, R: Table, X: Table) -> int:
    """Words to the outputs in turn; those of output -1 are dropped."""
    steps, i = 0, E[k, IN]
    while True:
        ready = available(i, C, R)
        if ready == BLOCKED:
            return steps
        o = X[E[k, AUX] + 2 * E[k, P0]]
        t = max(E[k, LAST] + 1, ready)
        if o >= 0:
            free = credit(o, C, R)
            if free == BLOCKED:
                return steps
            t = max(t, free)
            take(o, C, R, t)
        pop(i, C, R, t)
        E[k, LAST] = t
        _turn(k, E, X)
        steps += 1


@compiled
def pad(k: int, E: Table, C: Table, R: Table, X: Table) -> int:
    """Words of an image with words of its own around them. Constants: height, width, words, top, left, bottom, right."""
    steps, i, o, x = 0, E[k, IN], E[k, OUT], E[k, AUX]
    # The padding in front of a frame that was never offered is left to a later run.
    while C[o, TAKEN] < E[k, QUOTA]:
        free = credit(o, C, R)
        if free == BLOCKED:
            break
        t = max(E[k, LAST] + 1, free)
        row, column = E[k, P0] - X[x + 3], E[k, P1] - X[x + 4]
        if 0 <= row < X[x] and 0 <= column < X[x + 1]:
            ready = available(i, C, R)
            if ready == BLOCKED:
                break
            t = max(t, ready)
            pop(i, C, R, t)
        take(o, C, R, t)
        E[k, LAST] = t
        steps += 1
        E[k, P2] += 1
        if E[k, P2] == X[x + 2]:
            E[k, P2] = 0
            E[k, P1] += 1
            if E[k, P1] == X[x + 1] + X[x + 4] + X[x + 6]:
                E[k, P1] = 0
                E[k, P0] += 1
                if E[k, P0] == X[x] + X[x + 3] + X[x + 5]:
                    E[k, P0] = 0
    return steps

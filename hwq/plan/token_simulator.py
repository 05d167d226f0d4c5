"""Token simulator: the exact cycle of every handshake of a dataflow, by max-plus recurrences, one step a token.

Everything is a *channel* (an Egress: ``depth`` credits, ``latency`` L) between *engines*. With take[j] the cycle in which
the producer spends a credit for word j and pop[j] the cycle in which the consumer takes it,

    avail[j] = take[j] + L + 1        take[j] >= pop[j - depth] + 1        pop[j] >= avail[j]

Engines advance until a word or a credit is not yet known; when none can advance the run is complete or deadlocked.
That is exact because a raised ready stays until it is used. Network-independent; token_network.py builds the tables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["FORK", "READER", "SHIFTER", "SINK", "SOURCE", "STREAM", "run_tokens"]

# Engine kinds.
#   SOURCE   out = word j from its start slot on; A words a frame, B cycles between frames at least
#   SINK     in, logged on its own channel
#   STREAM   A words in, one word out, produced by the last of them
#   READER   A words in, read B times over; the end of every reading produces; all A are freed at the end of the last
#   SHIFTER  A words in as one block, B words out
#   FORK     one word to A channels, OUT and those after it
SOURCE, SINK, STREAM, READER, SHIFTER, FORK = range(6)

# Columns of the engine table; TRACE, SPAN: offset and length of the stall trace; LAST: cycle of the last firing.
KIND, IN, OUT, A, B, TRACE, SPAN, LAST, STATE, PASS = range(10)
ENGINE_COLUMNS = 10
# Columns of the channel table; RING, LOG: offsets; SEEN, ARRIVED: pops and words counted so far for the high-water mark HIGH.
DEPTH, LATENCY, RING, LOG, SIZE, TAKEN, POPPED, SEEN, ARRIVED, HIGH = range(10)
CHANNEL_COLUMNS = 10

BLOCKED = -2
Table = NDArray[np.int64]


def _compiled(function: Callable[..., Any]) -> Any:
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # neither the package nor the user's cache folder can be written
        return njit(nogil=True)(function)


@_compiled
def _credit(c: Table, pops: Table) -> int:
    """First cycle in which the next word may be taken, or BLOCKED."""
    if c[TAKEN] < c[DEPTH]:
        return 0
    if c[TAKEN] - c[POPPED] >= c[DEPTH]:
        return BLOCKED
    return pops[c[RING] + c[TAKEN] % c[DEPTH]] + 1


@_compiled
def _avail(c: Table, avails: Table, ahead: int) -> int:
    """Cycle from which the word ``ahead`` of the next one is valid, or BLOCKED."""
    j = c[POPPED] + ahead
    return avails[c[RING] + j % c[DEPTH]] if j < c[TAKEN] else BLOCKED


@_compiled
def _see_pops(c: Table, avails: Table, pops: Table, before: int) -> None:
    """Count the words that lay in the FIFO at every pop earlier than ``before``, now that no more can have arrived by then."""
    while c[SEEN] < c[POPPED] and pops[c[RING] + c[SEEN] % c[DEPTH]] < before:
        t = pops[c[RING] + c[SEEN] % c[DEPTH]]
        while c[ARRIVED] < c[TAKEN] and avails[c[RING] + c[ARRIVED] % c[DEPTH]] <= t:
            c[ARRIVED] += 1
        c[HIGH] = max(c[HIGH], c[ARRIVED] - c[SEEN])
        c[SEEN] += 1


@_compiled
def _take(c: Table, avails: Table, pops: Table, log: Table, t: int) -> None:
    j = c[TAKEN]
    avail = t + c[LATENCY] + 1
    _see_pops(c, avails, pops, avail)
    avails[c[RING] + j % c[DEPTH]] = avail
    if j < c[SIZE]:
        log[c[LOG] + j] = t
    c[TAKEN] = j + 1


@_compiled
def _pop(c: Table, pops: Table, t: int, count: int) -> None:
    for _ in range(count):
        pops[c[RING] + c[POPPED] % c[DEPTH]] = t
        c[POPPED] += 1


@_compiled
def _slot(e: Table, traces: NDArray[np.bool_], t: int) -> int:
    """First cycle from ``t`` on that the stall trace allows."""
    if e[SPAN]:
        while not traces[e[TRACE] + t % e[SPAN]]:
            t += 1
    return t


@_compiled
def _source(e: Table, channels: Table, avails: Table, pops: Table, log: Table, traces: NDArray[np.bool_]) -> bool:
    c = channels[e[OUT]]
    t = _credit(c, pops)
    if t == BLOCKED or c[TAKEN] >= c[SIZE]:
        return False
    _take(c, avails, pops, log, _slot(e, traces, max(t, c[TAKEN] // e[A] * e[B])))
    return True


@_compiled
def _sink(e: Table, channels: Table, avails: Table, pops: Table, log: Table, traces: NDArray[np.bool_]) -> bool:
    i, o = channels[e[IN]], channels[e[OUT]]
    ready = _avail(i, avails, 0)
    if ready == BLOCKED:
        return False
    t = _slot(e, traces, max(ready, e[LAST] + 1))
    _pop(i, pops, t, 1)
    _take(o, avails, pops, log, t)
    _pop(o, pops, t, 1)
    e[LAST] = t
    return True


@_compiled
def _stream(e: Table, channels: Table, avails: Table, pops: Table, log: Table) -> bool:
    i = channels[e[IN]]
    ready = _avail(i, avails, 0)
    if ready == BLOCKED:
        return False
    t = max(e[LAST] + 1, ready)
    if e[STATE] == e[A] - 1:
        o = channels[e[OUT]]
        credit = _credit(o, pops)
        if credit == BLOCKED:
            return False
        t = max(t, credit)
        _take(o, avails, pops, log, t)
    _pop(i, pops, t, 1)
    e[LAST] = t
    e[STATE] = (e[STATE] + 1) % e[A]
    return True


@_compiled
def _reader(e: Table, channels: Table, avails: Table, pops: Table, log: Table) -> bool:
    i = channels[e[IN]]
    if e[PASS]:
        # A repeated reading can stall at its end only.
        t = e[LAST] + e[A]
    else:
        ready = _avail(i, avails, e[STATE])
        if ready == BLOCKED:
            return False
        t = max(e[LAST] + 1, ready)
        if e[STATE] < e[A] - 1:
            e[LAST] = t
            e[STATE] += 1
            return True
    o = channels[e[OUT]]
    credit = _credit(o, pops)
    if credit == BLOCKED:
        return False
    t = max(t, credit)
    _take(o, avails, pops, log, t)
    e[LAST] = t
    e[STATE] = 0
    e[PASS] = (e[PASS] + 1) % e[B]
    if e[PASS] == 0:
        _pop(i, pops, t, e[A])
    return True


@_compiled
def _shifter(e: Table, channels: Table, avails: Table, pops: Table, log: Table) -> bool:
    i, o = channels[e[IN]], channels[e[OUT]]
    if e[STATE] == 0:
        # The block moves to the shift register at x, in the cycle of the last shift of the block before at the earliest;
        # the first word of the next block may enter in that very cycle, hence the pop at x - 1.
        ready = _avail(i, avails, e[A] - 1)
        if ready == BLOCKED:
            return False
        x = max(ready, e[LAST])
        _pop(i, pops, x - 1, e[A])
        e[LAST] = x
        e[STATE] = e[B]
        return True
    credit = _credit(o, pops)
    if credit == BLOCKED:
        return False
    t = max(e[LAST] + 1, credit)
    _take(o, avails, pops, log, t)
    e[LAST] = t
    e[STATE] -= 1
    return True


@_compiled
def _fork(e: Table, channels: Table, avails: Table, pops: Table, log: Table) -> bool:
    i = channels[e[IN]]
    done = 0
    for k in range(e[A]):
        t = _credit(channels[e[OUT] + k], pops)
        if t == BLOCKED:
            return False
        done = max(done, t)
    if e[STATE]:
        _pop(i, pops, done - 1, 1)
        e[STATE] = 0
        return True
    ready = _avail(i, avails, 0)
    if ready == BLOCKED:
        return False
    for k in range(e[A]):
        _take(channels[e[OUT] + k], avails, pops, log, max(ready, done))
    e[STATE] = 1
    return True


@_compiled
def _step(e: Table, channels: Table, avails: Table, pops: Table, log: Table, traces: NDArray[np.bool_]) -> bool:
    kind = e[KIND]
    if kind == READER:
        return _reader(e, channels, avails, pops, log)
    if kind == STREAM:
        return _stream(e, channels, avails, pops, log)
    if kind == SHIFTER:
        return _shifter(e, channels, avails, pops, log)
    if kind == FORK:
        return _fork(e, channels, avails, pops, log)
    if kind == SOURCE:
        return _source(e, channels, avails, pops, log, traces)
    return _sink(e, channels, avails, pops, log, traces)


@_compiled
def run_tokens(engines: Table, channels: Table, avails: Table, pops: Table, log: Table, traces: NDArray[np.bool_]) -> int:
    """Run all engines until none can advance; returns the number of steps.

    ``log`` receives the cycle of every take, channel by channel; ``engines`` and ``channels`` are left in their final state.
    """
    steps = 0
    progress = True
    while progress:
        progress = False
        for k in range(len(engines)):
            while _step(engines[k], channels, avails, pops, log, traces):
                steps += 1
                progress = True
    for k in range(len(channels)):
        _see_pops(channels[k], avails, pops, np.iinfo(np.int64).max)
    return steps

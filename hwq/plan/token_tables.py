"""Tables of the token simulator: kinds of engines, columns, and what every engine does with a channel or a buffer.

A *channel* is an Egress: ``depth`` credits, ``latency`` L. With take[j] the cycle in which its writer spends a credit for word j
and pop[j] the cycle in which its reader takes the word,

    avail[j] = take[j] + L + 1        take[j] >= pop[j - depth] + 1        pop[j] >= avail[j]

A *buffer* is the memory of a Reader, an upsampler or a converter: word m is written at w[m], can be read from w[m] + 1 on, and
may be written once the buffer's *limit* is above m: at the cycle after the firing that raised it. The limits lie in a ring of
pairs (limit, cycle).

All tables, rings and constants lie in one array M, so that a call passes one: rows of channels from 0 on, then engines, buffers,
constants, rings. Engines, channels and buffers are known by the place of their row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Engine kinds.
#   SOURCE    A words a frame, B cycles between frames at least, QUOTA words in all
#   SINK      A words a frame
#   STREAM    A words in, one word out, taken with the last of them
#   FORK      one word to A channels, OUT and those after it
#   JOIN      one word of every input to one word
#   CONCAT    inputs in turn, so many words of each; SPLIT outputs in turn; ALL: one word to A channels with a credit of each
#   PAD       words around an image
#   WRITE     words into a buffer
#   READ      a sliding window over a buffer
#   SHIFT     blocks out of a buffer, word by word (converter)
#   REPEAT    rows and pixels out of a buffer several times (upsampling, deep FIFO)
#   SLIDE     columns of a window over a buffer, a window complete in one firing
SOURCE, SINK, STREAM, FORK, JOIN, CONCAT, SPLIT, ALL, PAD, WRITE, READ, SHIFT, REPEAT, SLIDE = range(14)

# Columns of the engine table. AUX: place of its constants; TRACE, SPAN: place and length of the stall trace; LOG: place in the
# log, WHOLE: every beat is logged, else first and last of each frame; LAST: cycle of the last firing; FRAME: frames done, or
# words of them; P0..: position within the frame.
KIND, IN, OUT, BUF, A, B, AUX, QUOTA, TRACE, SPAN, LOG, WHOLE, LAST, FRAME, SEEN = range(15)
P0, P1, P2, P3, P4, P5, P6 = range(15, 22)
ENGINE_COLUMNS = 22

# Columns of the channel table. AVAIL, POP: places of its rings; TAKE_AT, POP_AT: slots of the next word; NEWEST: last take;
# TRACK: count the words in the FIFO at every pop; COUNTED, ARRIVED: pops and words counted so far for the high-water mark HIGH.
DEPTH, LATENCY, AVAIL, POP, TAKEN, POPPED, TAKE_AT, POP_AT, NEWEST, TRACK, COUNTED, ARRIVED, HIGH = range(13)
CHANNEL_COLUMNS = 13

# Columns of the buffer table. WORDS: place of the ring of write cycles; RAISED, SPACE: place and size of the ring of limits;
# SLOT: place of the next word in its ring; LIMIT, SINCE: the limit the writer knows, its cycle; HEAD, COUNT: unread limits; TOP: the
# newest limit; WRITER: last write; START: cycle in which the first word of all was offered.
SIZE, WORDS, RAISED, SPACE, WRITTEN, SLOT, LIMIT, SINCE, HEAD, COUNT, TOP, WRITER, START = range(13)
BUFFER_COLUMNS = 13

BLOCKED = -2
Table = NDArray[np.int64]


def compiled(function: Callable[..., Any]) -> Any:
    """``function`` as machine code inside the functions that call it."""
    return njit(nogil=True, error_model="numpy")(function)


def kept(function: Callable[..., Any]) -> Any:
    """``function`` as machine code, kept on disk where that is possible.

    Numba knows such a file by the text of the function's own module and its closure only: what it calls must not be kept itself, and
    a stamp of their modules must be in its closure.
    """
    try:
        return njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # neither the package nor the user's cache folder can be written
        return compiled(function)


@compiled
def credit(c: int, M: Table) -> int:
    """First cycle in which the next word of the channel at ``c`` may be taken, or BLOCKED."""
    if M[c + TAKEN] - M[c + POPPED] >= M[c + DEPTH]:
        return BLOCKED
    return M[M[c + POP] + M[c + TAKE_AT]] + 1


@compiled
def available(c: int, M: Table) -> int:
    """Cycle from which the next word of the channel at ``c`` is valid, or BLOCKED."""
    if M[c + POPPED] == M[c + TAKEN]:
        return BLOCKED
    return M[M[c + AVAIL] + M[c + POP_AT]]


@compiled
def count_until(c: int, M: Table, before: int) -> None:
    """Count the words in the FIFO at every pop earlier than ``before``, now that no more can have arrived by then."""
    while M[c + COUNTED] < M[c + POPPED]:
        t = M[M[c + POP] + M[c + COUNTED] % M[c + DEPTH]]
        if t >= before:
            break
        while M[c + ARRIVED] < M[c + TAKEN] and M[M[c + AVAIL] + M[c + ARRIVED] % M[c + DEPTH]] <= t:
            M[c + ARRIVED] += 1
        M[c + HIGH] = max(M[c + HIGH], M[c + ARRIVED] - M[c + COUNTED])
        M[c + COUNTED] += 1


@compiled
def take(c: int, M: Table, t: int) -> None:
    """Spend a credit of the channel at ``c`` for its next word in cycle ``t``."""
    slot = M[c + TAKE_AT]
    valid = t + M[c + LATENCY] + 1
    if M[c + TRACK]:
        count_until(c, M, valid)
    M[M[c + AVAIL] + slot] = valid
    M[c + TAKEN] += 1
    M[c + NEWEST] = t
    M[c + TAKE_AT] = 0 if slot + 1 == M[c + DEPTH] else slot + 1


@compiled
def pop(c: int, M: Table, t: int) -> None:
    """Take the next word of the channel at ``c`` out in cycle ``t``."""
    slot = M[c + POP_AT]
    M[M[c + POP] + slot] = t
    M[c + POPPED] += 1
    M[c + POP_AT] = 0 if slot + 1 == M[c + DEPTH] else slot + 1


@compiled
def written(b: int, m: int, M: Table) -> int:
    """Cycle from which word ``m`` of the buffer at ``b`` can be read, or BLOCKED."""
    ahead = m - M[b + WRITTEN]
    if ahead >= 0:
        return BLOCKED
    # A word that is read is one of the last SIZE written.
    at = M[b + SLOT] + ahead
    return M[M[b + WORDS] + (at if at >= 0 else at + M[b + SIZE])] + 1


@compiled
def raise_limit(b: int, M: Table, limit: int, t: int) -> None:
    """Words below ``limit`` may enter the buffer at ``b`` after cycle ``t``."""
    if limit <= M[b + TOP]:
        return
    at = M[b + HEAD] + M[b + COUNT]
    at = M[b + RAISED] + 2 * (at if at < M[b + SPACE] else at - M[b + SPACE])
    M[at] = limit
    M[at + 1] = t
    M[b + TOP] = limit
    M[b + COUNT] += 1

"""Tables of the token simulator: kinds of engines, columns, and what every engine does with a channel or a buffer.

A *channel* is an Egress: ``depth`` credits, ``latency`` L. With take[j] the cycle in which its writer spends a credit for word j
and pop[j] the cycle in which its reader takes the word,

    avail[j] = take[j] + L + 1        take[j] >= pop[j - depth] + 1        pop[j] >= avail[j]

A *buffer* is the memory of a Reader, an upsampler or a converter: word m is written at w[m], can be read from w[m] + 1 on, and
may be written once the buffer's *limit* is above m: at the cycle after the firing that raised it. The limits lie in a ring of
pairs (limit, cycle).
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
SOURCE, SINK, STREAM, FORK, JOIN, CONCAT, SPLIT, ALL, PAD, WRITE, READ, SHIFT, REPEAT = range(13)

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
# LIMIT, SINCE: the limit the writer knows, its cycle; HEAD, COUNT: unread limits; TOP: the newest limit; WRITER: last write.
SIZE, WORDS, RAISED, SPACE, WRITTEN, LIMIT, SINCE, HEAD, COUNT, TOP, WRITER = range(11)
BUFFER_COLUMNS = 11

BLOCKED = -2
Table = NDArray[np.int64]


def compiled(function: Callable[..., Any]) -> Any:
    """``function`` as machine code, kept on disk where that is possible."""
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # neither the package nor the user's cache folder can be written
        return njit(nogil=True)(function)


@compiled
def credit(c: int, C: Table, R: Table) -> int:
    """First cycle in which the next word of channel ``c`` may be taken, or BLOCKED."""
    if C[c, TAKEN] - C[c, POPPED] >= C[c, DEPTH]:
        return BLOCKED
    return R[C[c, POP] + C[c, TAKE_AT]] + 1


@compiled
def available(c: int, C: Table, R: Table) -> int:
    """Cycle from which the next word of channel ``c`` is valid, or BLOCKED."""
    if C[c, POPPED] == C[c, TAKEN]:
        return BLOCKED
    return R[C[c, AVAIL] + C[c, POP_AT]]


@compiled
def count_until(c: int, C: Table, R: Table, before: int) -> None:
    """Count the words in the FIFO at every pop earlier than ``before``, now that no more can have arrived by then."""
    while C[c, COUNTED] < C[c, POPPED]:
        t = R[C[c, POP] + C[c, COUNTED] % C[c, DEPTH]]
        if t >= before:
            break
        while C[c, ARRIVED] < C[c, TAKEN] and R[C[c, AVAIL] + C[c, ARRIVED] % C[c, DEPTH]] <= t:
            C[c, ARRIVED] += 1
        C[c, HIGH] = max(C[c, HIGH], C[c, ARRIVED] - C[c, COUNTED])
        C[c, COUNTED] += 1


@compiled
def take(c: int, C: Table, R: Table, t: int) -> None:
    """Spend a credit of channel ``c`` for its next word in cycle ``t``."""
    slot = C[c, TAKE_AT]
    valid = t + C[c, LATENCY] + 1
    if C[c, TRACK]:
        count_until(c, C, R, valid)
    R[C[c, AVAIL] + slot] = valid
    C[c, TAKEN] += 1
    C[c, NEWEST] = t
    C[c, TAKE_AT] = 0 if slot + 1 == C[c, DEPTH] else slot + 1


@compiled
def pop(c: int, C: Table, R: Table, t: int) -> None:
    """Take the next word of channel ``c`` out in cycle ``t``."""
    slot = C[c, POP_AT]
    R[C[c, POP] + slot] = t
    C[c, POPPED] += 1
    C[c, POP_AT] = 0 if slot + 1 == C[c, DEPTH] else slot + 1


@compiled
def written(b: int, m: int, B: Table, R: Table) -> int:
    """Cycle from which word ``m`` of buffer ``b`` can be read, or BLOCKED."""
    if m >= B[b, WRITTEN]:
        return BLOCKED
    return R[B[b, WORDS] + m % B[b, SIZE]] + 1


@compiled
def raise_limit(b: int, B: Table, R: Table, limit: int, t: int) -> None:
    """Words below ``limit`` may enter buffer ``b`` after cycle ``t``."""
    if limit <= B[b, TOP]:
        return
    at = B[b, RAISED] + 2 * ((B[b, HEAD] + B[b, COUNT]) % B[b, SPACE])
    R[at] = limit
    R[at + 1] = t
    B[b, TOP] = limit
    B[b, COUNT] += 1

"""Engines of the token simulator around a buffer: its writer, and what reads it.

Every engine returns the number of its steps.
"""

from __future__ import annotations

from hwq.plan.token_tables import (
    AUX,
    BLOCKED,
    BUF,
    COUNT,
    FRAME,
    HEAD,
    IN,
    LAST,
    LIMIT,
    OUT,
    P0,
    P1,
    P2,
    P3,
    P4,
    P5,
    P6,
    QUOTA,
    RAISED,
    SEEN,
    SINCE,
    SIZE,
    SPACE,
    TAKEN,
    WORDS,
    WRITER,
    WRITTEN,
    Table,
    available,
    compiled,
    credit,
    pop,
    raise_limit,
    take,
    written,
)

__all__ = ["READ_TABLE", "read", "repeat", "shift", "write"]

# Constants of a window: kernel, firings a pass, words of a block, blocks, passes, rows and groups of windows, words of a frame,
# a row and a column, stride, top, columns of words left of the image, vertical dilation, rows of the image; then for every
# group the rightmost column of words of its taps and that of each horizontal tap, -1 where all are padding.
KH, KW, SF, BLOCK, BLOCKS, PASSES, ROWS, GROUPS, IMAGE, ROW, COLUMN, SY, SX, TOP_PAD, LEFT_PAD, DY, HEIGHT = range(17)
READ_TABLE = 17


@compiled
def write(k: int, E: Table, C: Table, B: Table, R: Table) -> int:
    """Word m enters one cycle after the firing that raised the limit above m."""
    steps, i, b = 0, E[k, IN], E[k, BUF]
    while True:
        ready, m = available(i, C, R), B[b, WRITTEN]
        if ready == BLOCKED:
            return steps
        while B[b, LIMIT] <= m and B[b, COUNT]:
            at = B[b, RAISED] + 2 * B[b, HEAD]
            B[b, LIMIT] = R[at]
            B[b, SINCE] = R[at + 1]
            B[b, HEAD] = 0 if B[b, HEAD] + 1 == B[b, SPACE] else B[b, HEAD] + 1
            B[b, COUNT] -= 1
        if B[b, LIMIT] <= m:
            return steps
        t = max(B[b, WRITER] + 1, ready, B[b, SINCE] + 1)
        pop(i, C, R, t)
        R[B[b, WORDS] + m % B[b, SIZE]] = t
        B[b, WRITER] = t
        B[b, WRITTEN] = m + 1
        steps += 1


@compiled
def _taps(k: int, E: Table, B: Table, R: Table, X: Table) -> bool:
    """Walk the taps of a first pass; E[LAST] becomes the cycle of its last firing but for the credit. False: a word is missing.

    Only words beyond the newest one read so far can be waited for: the firings up to it follow one another.
    """
    x, b, block = E[k, AUX], E[k, BUF], X[E[k, AUX] + BLOCK]
    columns = x + READ_TABLE + X[x + GROUPS] + E[k, P1] * X[x + KW]
    last, seen, kw, c = E[k, LAST], E[k, SEEN], E[k, P5], E[k, P6]
    kh = E[k, P4]
    while kh < X[x + KH]:
        y = E[k, P0] * X[x + SY] - X[x + TOP_PAD] + kh * X[x + DY]
        real = 0 <= y < X[x + HEIGHT]
        first = E[k, FRAME] + y * X[x + ROW] + E[k, P2] * block
        if kw == 0 and c == 0:
            widest = X[x + READ_TABLE + E[k, P1]]
            if not real or widest < 0 or first + widest * X[x + COLUMN] + block - 1 <= seen:
                last += X[x + KW] * block
                kh += 1
                continue
        while kw < X[x + KW]:
            start = first + X[columns + kw] * X[x + COLUMN]
            if real and X[columns + kw] >= 0 and start + block - 1 > seen:
                ahead = max(0, seen + 1 - start - c)
                last += ahead
                c += ahead
                while c < block:
                    ready = written(b, start + c, B, R)
                    if ready == BLOCKED:
                        E[k, LAST], E[k, SEEN], E[k, P4], E[k, P5], E[k, P6] = last, seen, kh, kw, c
                        return False
                    last = max(last + 1, ready)
                    seen = start + c
                    c += 1
            else:
                last += block - c
            c = 0
            kw += 1
        kw = 0
        kh += 1
    E[k, LAST], E[k, SEEN], E[k, P4], E[k, P5], E[k, P6] = last, seen, kh, 0, 0
    return True


@compiled
def _next_group(k: int, E: Table, B: Table, R: Table, X: Table, t: int) -> None:
    """On to the next group of windows; the words in front of its first tap are free after ``t``."""
    x, b = E[k, AUX], E[k, BUF]
    E[k, P1] += 1
    if E[k, P1] == X[x + GROUPS]:
        E[k, P1] = 0
        E[k, P0] += 1
        if E[k, P0] == X[x + ROWS]:
            E[k, P0] = 0
            E[k, FRAME] += X[x + IMAGE]
    row = (E[k, P0] * X[x + SY] - X[x + TOP_PAD]) * X[x + ROW]
    base = E[k, FRAME] + row + (E[k, P1] * X[x + SX] - X[x + LEFT_PAD]) * X[x + COLUMN]
    raise_limit(b, B, R, base + B[b, SIZE], t)


@compiled
def read(k: int, E: Table, C: Table, B: Table, R: Table, X: Table) -> int:
    """The window of every group, block by block, every block in several passes; the end of a pass produces a word.

    P0, P1: row and group; P2: block; P3: pass; P4, P5, P6: tap and word.
    """
    steps, o, x = 0, E[k, OUT], E[k, AUX]
    while C[o, TAKEN] < E[k, QUOTA]:
        if E[k, P3] == 0 and E[k, P4] < X[x + KH] and not _taps(k, E, B, R, X):
            break
        free = credit(o, C, R)
        if free == BLOCKED:
            break
        # A repeated pass can stall at its end only.
        t = max(E[k, LAST] if E[k, P3] == 0 else E[k, LAST] + X[x + SF], free)
        take(o, C, R, t)
        steps += 1
        E[k, LAST] = t
        E[k, P3] += 1
        if E[k, P3] < X[x + PASSES]:
            continue
        E[k, P3] = 0
        E[k, P4] = 0
        E[k, P2] += 1
        if E[k, P2] == X[x + BLOCKS]:
            E[k, P2] = 0
            _next_group(k, E, B, R, X, t)
    return steps


@compiled
def shift(k: int, E: Table, C: Table, B: Table, R: Table, X: Table) -> int:
    """Blocks of a converter. Constants: blocks a frame, words in and out of a block, the same of the last block.

    A block moves to the shift register at x, in the cycle of the last shift of the block before at the earliest; the first word
    of the next block may enter in that very cycle, hence the limit raised at x - 1. P0: block; P1: words left to shift out.
    """
    steps, o, x, b = 0, E[k, OUT], E[k, AUX], E[k, BUF]
    while True:
        if E[k, P1] == 0:
            is_last = E[k, P0] == X[x] - 1
            block = X[x + 3] if is_last else X[x + 1]
            ready = written(b, E[k, FRAME] + block - 1, B, R)
            if ready == BLOCKED:
                return steps
            E[k, LAST] = max(ready, E[k, LAST])
            E[k, FRAME] += block
            E[k, P1] = X[x + 4] if is_last else X[x + 2]
            E[k, P0] = 0 if is_last else E[k, P0] + 1
            after = X[x + 3] if E[k, P0] == X[x] - 1 else X[x + 1]
            raise_limit(b, B, R, E[k, FRAME] + after, E[k, LAST] - 1)
        free = credit(o, C, R)
        if free == BLOCKED:
            return steps
        t = max(E[k, LAST] + 1, free)
        take(o, C, R, t)
        E[k, LAST] = t
        E[k, P1] -= 1
        steps += 1


@compiled
def repeat(k: int, E: Table, C: Table, B: Table, R: Table, X: Table) -> int:
    """Rows and pixels several times over. Constants: columns, words, how often a row, how often a pixel.

    A word is free at the firing that reads it for the last time; where pixels repeat, all words of a pixel at its last firing.
    P0: reading of the row; P1: column; P2: reading of the pixel; P3: word.
    """
    steps, o, x, b = 0, E[k, OUT], E[k, AUX], E[k, BUF]
    columns, words, rows, pixels = X[x], X[x + 1], X[x + 2], X[x + 3]
    while True:
        a = E[k, FRAME] + E[k, P1] * words + E[k, P3]
        t = E[k, LAST] + 1
        if a > E[k, SEEN]:
            ready = written(b, a, B, R)
            if ready == BLOCKED:
                return steps
            t = max(t, ready)
        free = credit(o, C, R)
        if free == BLOCKED:
            return steps
        t = max(t, free)
        take(o, C, R, t)
        steps += 1
        E[k, LAST] = t
        E[k, SEEN] = max(E[k, SEEN], a)
        ends = E[k, P3] == words - 1
        if E[k, P0] == rows - 1 and E[k, P2] == pixels - 1 and (pixels == 1 or ends):
            raise_limit(b, B, R, a + 1 + B[b, SIZE], t)
        E[k, P3] += 1
        if not ends:
            continue
        E[k, P3] = 0
        E[k, P2] += 1
        if E[k, P2] < pixels:
            continue
        E[k, P2] = 0
        E[k, P1] += 1
        if E[k, P1] == columns:
            E[k, P1] = 0
            E[k, P0] += 1
            if E[k, P0] == rows:
                E[k, P0] = 0
                E[k, FRAME] += columns * words

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
    SLOT,
    SPACE,
    START,
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

__all__ = ["READ_TABLE", "SLIDE_TABLE", "read", "repeat", "shift", "slide", "write"]

# Constants of a window: kernel, firings a pass, words of a block, blocks, passes, rows and groups of windows, words of a frame,
# a row and a column, stride, top, columns of words left of the image, vertical dilation, rows of the image; then for every
# group the rightmost column of words of its taps and that of each horizontal tap, -1 where all are padding.
KH, KW, SF, BLOCK, BLOCKS, PASSES, ROWS, GROUPS, IMAGE, ROW, COLUMN, SY, SX, TOP_PAD, LEFT_PAD, DY, HEIGHT = range(17)
READ_TABLE = 17

# Constants of a slide: columns, words, rows of windows, words of a row and of a frame, vertical stride, top, columns of the last row;
# then for every row the lowest row of the image it has a tap in (-1: none), and for every column whether it completes a window.
S_COLUMNS, S_WORDS, S_ROWS, S_ROW, S_IMAGE, S_SY, S_TOP, S_LAST = range(8)
SLIDE_TABLE = 8


@compiled
def write(k: int, M: Table) -> int:
    """Word m enters one cycle after the firing that raised the limit above m."""
    steps, i, b = 0, M[k + IN], M[k + BUF]
    while True:
        ready, m = available(i, M), M[b + WRITTEN]
        if ready == BLOCKED:
            return steps
        if M[b + START] < 0:
            M[b + START] = ready
            steps += 1
        while M[b + LIMIT] <= m and M[b + COUNT]:
            at = M[b + RAISED] + 2 * M[b + HEAD]
            M[b + LIMIT] = M[at]
            M[b + SINCE] = M[at + 1]
            M[b + HEAD] = 0 if M[b + HEAD] + 1 == M[b + SPACE] else M[b + HEAD] + 1
            M[b + COUNT] -= 1
        if M[b + LIMIT] <= m:
            return steps
        t = max(M[b + WRITER] + 1, ready, M[b + SINCE] + 1)
        pop(i, M, t)
        slot = M[b + SLOT]
        M[M[b + WORDS] + slot] = t
        M[b + SLOT] = 0 if slot + 1 == M[b + SIZE] else slot + 1
        M[b + WRITER] = t
        M[b + WRITTEN] = m + 1
        steps += 1


@compiled
def _taps(k: int, M: Table) -> bool:
    """Walk the taps of a first pass; E[LAST] becomes the cycle of its last firing but for the credit. False: a word is missing.

    Only words beyond the newest one read so far can be waited for: the firings up to it follow one another.
    """
    x, b, block = M[k + AUX], M[k + BUF], M[M[k + AUX] + BLOCK]
    if M[b + START] < 0:
        return False
    # Nothing fires before the first word of all is there: when a circuit came out of reset makes no difference.
    M[k + LAST] = max(M[k + LAST], M[b + START])
    columns = x + READ_TABLE + M[x + GROUPS] + M[k + P1] * M[x + KW]
    last, seen, kw, c = M[k + LAST], M[k + SEEN], M[k + P5], M[k + P6]
    kh = M[k + P4]
    while kh < M[x + KH]:
        y = M[k + P0] * M[x + SY] - M[x + TOP_PAD] + kh * M[x + DY]
        real = 0 <= y < M[x + HEIGHT]
        first = M[k + FRAME] + y * M[x + ROW] + M[k + P2] * block
        if kw == 0 and c == 0:
            widest = M[x + READ_TABLE + M[k + P1]]
            if not real or widest < 0 or first + widest * M[x + COLUMN] + block - 1 <= seen:
                last += M[x + KW] * block
                kh += 1
                continue
        while kw < M[x + KW]:
            start = first + M[columns + kw] * M[x + COLUMN]
            if real and M[columns + kw] >= 0 and start + block - 1 > seen:
                ahead = max(0, seen + 1 - start - c)
                last += ahead
                c += ahead
                while c < block:
                    ready = written(b, start + c, M)
                    if ready == BLOCKED:
                        M[k + LAST], M[k + SEEN], M[k + P4], M[k + P5], M[k + P6] = last, seen, kh, kw, c
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
    M[k + LAST], M[k + SEEN], M[k + P4], M[k + P5], M[k + P6] = last, seen, kh, 0, 0
    return True


@compiled
def _next_group(k: int, M: Table, t: int) -> None:
    """On to the next group of windows; the words in front of its first tap are free after ``t``."""
    x, b = M[k + AUX], M[k + BUF]
    M[k + P1] += 1
    if M[k + P1] == M[x + GROUPS]:
        M[k + P1] = 0
        M[k + P0] += 1
        if M[k + P0] == M[x + ROWS]:
            M[k + P0] = 0
            M[k + FRAME] += M[x + IMAGE]
    row = (M[k + P0] * M[x + SY] - M[x + TOP_PAD]) * M[x + ROW]
    base = M[k + FRAME] + row + (M[k + P1] * M[x + SX] - M[x + LEFT_PAD]) * M[x + COLUMN]
    raise_limit(b, M, base + M[b + SIZE], t)


@compiled
def read(k: int, M: Table) -> int:
    """The window of every group, block by block, every block in several passes; the end of a pass produces a word.

    P0, P1: row and group; P2: block; P3: pass; P4, P5, P6: tap and word.
    """
    steps, o, x = 0, M[k + OUT], M[k + AUX]
    while M[o + TAKEN] < M[k + QUOTA]:
        if M[k + P3] == 0 and M[k + P4] < M[x + KH] and not _taps(k, M):
            break
        free = credit(o, M)
        if free == BLOCKED:
            break
        # A repeated pass can stall at its end only.
        t = max(M[k + LAST] if M[k + P3] == 0 else M[k + LAST] + M[x + SF], free)
        take(o, M, t)
        steps += 1
        M[k + LAST] = t
        M[k + P3] += 1
        if M[k + P3] < M[x + PASSES]:
            continue
        M[k + P3] = 0
        M[k + P4] = 0
        M[k + P2] += 1
        if M[k + P2] == M[x + BLOCKS]:
            M[k + P2] = 0
            _next_group(k, M, t)
    return steps


@compiled
def _completes(k: int, M: Table) -> bool:
    """Whether the firing is the last word of a column that completes a window, of its row or of the row before."""
    x = M[k + AUX]
    if M[k + P2] != M[x + S_WORDS] - 1:
        return False
    columns, last = x + SLIDE_TABLE + M[x + S_ROWS], max(M[x + S_COLUMNS], M[x + S_LAST])
    beyond = M[k + P1] + M[x + S_COLUMNS]
    return bool(M[columns + M[k + P1]] or (M[k + P0] > 0 and beyond < last and M[columns + beyond]))


@compiled
def slide(k: int, M: Table) -> int:
    """Columns of all rows of a window; the last word of a column that completes one produces. P0: row; P1: column; P2: word."""
    steps, o, x, b = 0, M[k + OUT], M[k + AUX], M[k + BUF]
    columns, words = M[x + S_COLUMNS], M[x + S_WORDS]
    while M[o + TAKEN] < M[k + QUOTA]:
        if M[b + START] < 0:
            break
        # Nothing fires before the first word of all is there: when a circuit came out of reset makes no difference.
        t = max(M[k + LAST], M[b + START]) + 1
        lowest = M[x + SLIDE_TABLE + M[k + P0]]
        if lowest >= 0 and M[k + P1] < columns:
            a = M[k + FRAME] + lowest * M[x + S_ROW] + M[k + P1] * words + M[k + P2]
            if a > M[k + SEEN]:
                ready = written(b, a, M)
                if ready == BLOCKED:
                    break
                M[k + SEEN] = a
                M[k + LAST] = max(M[k + LAST], ready - 1)
                t = max(t, ready)
        if _completes(k, M):
            free = credit(o, M)
            if free == BLOCKED:
                break
            t = max(t, free)
            take(o, M, t)
        M[k + LAST] = t
        steps += 1
        M[k + P2] += 1
        if M[k + P2] == words:
            M[k + P2] = 0
            M[k + P1] += 1
            if M[k + P1] == (M[x + S_LAST] if M[k + P0] == M[x + S_ROWS] - 1 else columns):
                M[k + P1] = 0
                M[k + P0] += 1
                if M[k + P0] == M[x + S_ROWS]:
                    M[k + P0] = 0
                    M[k + FRAME] += M[x + S_IMAGE]
        row = (M[k + P0] * M[x + S_SY] - M[x + S_TOP]) * M[x + S_ROW]
        place = min(M[k + P1] * words + M[k + P2], M[x + S_ROW])
        raise_limit(b, M, M[k + FRAME] + row + place + M[b + SIZE], t)
    return steps


@compiled
def shift(k: int, M: Table) -> int:
    """Blocks of a converter. Constants: blocks a frame, words in and out of a block, the same of the last block.

    A block moves to the shift register at x, in the cycle of the last shift of the block before at the earliest; the first word
    of the next block may enter in that very cycle, hence the limit raised at x - 1. P0: block; P1: words left to shift out.
    """
    steps, o, x, b = 0, M[k + OUT], M[k + AUX], M[k + BUF]
    while True:
        if M[k + P1] == 0:
            is_last = M[k + P0] == M[x] - 1
            block = M[x + 3] if is_last else M[x + 1]
            ready = written(b, M[k + FRAME] + block - 1, M)
            if ready == BLOCKED:
                return steps
            M[k + LAST] = max(ready, M[k + LAST])
            M[k + FRAME] += block
            M[k + P1] = M[x + 4] if is_last else M[x + 2]
            M[k + P0] = 0 if is_last else M[k + P0] + 1
            after = M[x + 3] if M[k + P0] == M[x] - 1 else M[x + 1]
            raise_limit(b, M, M[k + FRAME] + after, M[k + LAST] - 1)
        free = credit(o, M)
        if free == BLOCKED:
            return steps
        t = max(M[k + LAST] + 1, free)
        take(o, M, t)
        M[k + LAST] = t
        M[k + P1] -= 1
        steps += 1


@compiled
def repeat(k: int, M: Table) -> int:
    """Rows and pixels several times over. Constants: columns, words, how often a row, how often a pixel.

    A word is free at the firing that reads it for the last time; where pixels repeat, all words of a pixel at its last firing.
    P0: reading of the row; P1: column; P2: reading of the pixel; P3: word.
    """
    steps, o, x, b = 0, M[k + OUT], M[k + AUX], M[k + BUF]
    columns, words, rows, pixels = M[x], M[x + 1], M[x + 2], M[x + 3]
    while True:
        a = M[k + FRAME] + M[k + P1] * words + M[k + P3]
        t = M[k + LAST] + 1
        if a > M[k + SEEN]:
            ready = written(b, a, M)
            if ready == BLOCKED:
                return steps
            t = max(t, ready)
        free = credit(o, M)
        if free == BLOCKED:
            return steps
        t = max(t, free)
        take(o, M, t)
        steps += 1
        M[k + LAST] = t
        M[k + SEEN] = max(M[k + SEEN], a)
        ends = M[k + P3] == words - 1
        if M[k + P0] == rows - 1 and M[k + P2] == pixels - 1 and (pixels == 1 or ends):
            raise_limit(b, M, a + 1 + M[b + SIZE], t)
        M[k + P3] += 1
        if not ends:
            continue
        M[k + P3] = 0
        M[k + P2] += 1
        if M[k + P2] < pixels:
            continue
        M[k + P2] = 0
        M[k + P1] += 1
        if M[k + P1] == columns:
            M[k + P1] = 0
            M[k + P0] += 1
            if M[k + P0] == rows:
                M[k + P0] = 0
                M[k + FRAME] += columns * words

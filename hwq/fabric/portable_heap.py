"""Bit heaps of the portable form: levels of 6:3 counters and two-operand adders, counted here, built in the gateware."""

from __future__ import annotations

from functools import lru_cache

__all__ = ["Counters", "adder_levels", "counter_schedule", "heap_levels"]

# Columns this high go to the adder tree: a carry chain removes one bit a LUT, as a 6:3 counter does.
ADDER_ROWS = 4

Counters = tuple[int, ...]


def counter_schedule(heights: tuple[int, ...]) -> tuple[tuple[Counters, ...], tuple[int, ...]]:
    """Levels of 6:3 counters that bring a bit heap down to :data:`ADDER_ROWS` rows.

    ``heights[c]`` bits have weight ``2**c``. Each level says how many counters each column gets; a counter takes six bits
    of its column (the last one may take five) and gives one bit to each of the columns c, c+1, c+2.
    Returns the levels and the heights left.
    """
    levels = []
    while max(heights) > ADDER_ROWS:
        counters = tuple((h + 1) // 6 if h > ADDER_ROWS else 0 for h in heights)
        after = [0] * (len(heights) + 2)
        for c, (h, k) in enumerate(zip(heights, counters, strict=True)):
            after[c] += max(h - 6 * k, 0) + k
            after[c + 1] += k
            after[c + 2] += k
        while not after[-1]:
            after.pop()
        levels.append(counters)
        heights = tuple(after)
    return tuple(levels), heights


def adder_levels(rows: int) -> int:
    """Levels of two-operand adders that bring ``rows`` numbers to one."""
    return (rows - 1).bit_length()


@lru_cache(maxsize=4096)
def heap_levels(heights: tuple[int, ...]) -> int:
    """Register levels from the bits of a heap to its sum: one a level of counters, one a level of adders."""
    levels, left = counter_schedule(heights)
    return len(levels) + adder_levels(max(left))

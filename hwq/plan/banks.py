"""Where the words of a Reader's buffer lie: one ring for V = 1, banks that V windows read without conflict beyond."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import gcd

from hwq.plan.geometry import Geometry, ceil_div

__all__ = ["BankLayout", "ring_words"]

# Words of the smallest piece of a memory.
GRANULE = {"lutram": 64, "block": 512, "ultra": 4096}


def ring_words(words: int, memory: str) -> int:
    """Words of a ring that holds ``words``: a power of two up to one piece of the ``memory``, whole pieces beyond."""
    granule = GRANULE[memory]
    return 1 << max(1, (words - 1).bit_length()) if words <= granule else ceil_div(words, granule) * granule


@dataclass(frozen=True)
class BankLayout:
    """Banks of a buffer of ``buffer`` words.

    Every pixel of a word has its own banks. Where stride and V have a common divisor, neighbouring words go to ``split`` =
    stride groups of banks in turn, so that the V taps of a firing, stride columns apart, always lie in different banks. A *slot* is
    a place in a bank: ``words`` slots for each ``split`` columns of words. All V * split banks have ``depth`` slots, used as a ring.
    """

    geometry: Geometry
    buffer: int
    memory: str

    @cached_property
    def split(self) -> int:
        """Groups of banks."""
        g = self.geometry
        return 1 if gcd(g.window.stride[1], g.pixels) == 1 else g.window.stride[1]

    @property
    def columns(self) -> int:
        """Columns of slots in a row."""
        return ceil_div(self.geometry.columns, self.split)

    @property
    def row(self) -> int:
        """Slots of a row."""
        return self.columns * self.geometry.words

    @property
    def needed(self) -> int:
        """Slots between the first and the last word that is held, at most."""
        g = self.geometry
        if self.split == 1:
            return self.buffer
        columns = ceil_div(self.buffer, g.words)
        holes = ceil_div(columns, g.columns) * (self.columns * self.split - g.columns)
        return (ceil_div(columns + holes - 1, self.split) + 1) * g.words

    @property
    def depth(self) -> int:
        """Slots of a bank."""
        return ring_words(self.needed, self.memory)

    def column(self, tap: int, lane: int) -> int:
        """Column of words of horizontal tap ``tap`` of window ``lane``, from the column og * stride on."""
        w = self.geometry.window
        return (tap * w.dilation[1] + lane * w.stride[1] - w.padding[1]) // self.geometry.pixels

    def bank(self, tap: int, lane: int) -> int:
        """Bank of that pixel: ``group * V + pixel of the word``."""
        g = self.geometry
        pixel = (tap * g.window.dilation[1] + lane * g.window.stride[1] - g.window.padding[1]) % g.pixels
        return (self.column(tap, lane) % self.split) * g.pixels + pixel

    def slot(self, tap: int, lane: int) -> int:
        """Column of slots of that pixel, from that of the window group on."""
        return self.column(tap, lane) // self.split

    def first_slot(self, tap: int) -> int:
        """Leftmost column of slots of a tap."""
        return min(self.slot(tap, lane) for lane in range(self.geometry.pixels))

    def lane(self, bank: int, tap: int) -> int | None:
        """The window that reads ``bank`` at a tap."""
        return next((lane for lane in range(self.geometry.pixels) if self.bank(tap, lane) == bank), None)

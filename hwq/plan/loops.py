"""The loops of a Reader: in which order its firings go through an image, and how far every quantity moves from one to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from hwq.plan.banks import BankLayout

__all__ = ["BASE", "SLOT", "WORD", "Loop", "ReaderLoops", "Stride", "X", "Y", "distances", "fused"]

Stride = int | tuple[int, ...]
# Quantities that move with the firings: the word that is read, the base of the window group, the slot in the memory, row and
# column of the first window's tap.
WORD, BASE, SLOT, Y, X = range(5)


@dataclass(frozen=True)
class Loop:
    """A loop of ``count`` rounds (None: for ever), and how far each quantity moves in a round.

    A tuple gives the places of a quantity that does not move evenly, one a round. ``is_alone``: never one with its neighbours.
    """

    name: str
    count: int | None
    strides: tuple[Stride, ...]
    is_alone: bool = False

    def place(self, quantity: int, round_: int) -> int:
        """Where a quantity stands in a round."""
        stride = self.strides[quantity]
        return stride[round_] if isinstance(stride, tuple) else stride * round_

    def goes_on(self, inner: Loop) -> bool:
        """Whether a round of this loop continues ``inner``, so that the two are one."""
        count = inner.count
        if count is None or self.is_alone or inner.is_alone:
            return False
        return all(
            not isinstance(a, tuple) and not isinstance(b, tuple) and a == count * b
            for a, b in zip(self.strides, inner.strides, strict=True)
        )


def fused(loops: Sequence[Loop]) -> list[Loop]:
    """The loops, innermost first, without those of one round; neighbours that move evenly are one loop."""
    kept: list[Loop] = []
    for loop in loops:
        if loop.count == 1:
            continue
        while kept and loop.goes_on(kept[-1]):
            inner = kept.pop()
            assert inner.count is not None
            loop = Loop(inner.name, None if loop.count is None else inner.count * loop.count, inner.strides)
        kept.append(loop)
    return kept


def distances(loops: Sequence[Loop], quantity: int) -> list[list[int]]:
    """How far ``quantity`` moves when a loop begins its next round and all inside it start over: for each loop and round."""
    found, extent = [], 0
    for loop in loops:
        if loop.count is None or not isinstance(loop.strides[quantity], tuple):
            found.append([loop.place(quantity, 1) - loop.place(quantity, 0) - extent])
        else:
            places = [loop.place(quantity, k) for k in range(loop.count)]
            found.append([b - a - extent for a, b in pairwise(places)])
        if loop.count is not None:
            extent += loop.place(quantity, loop.count - 1) - loop.place(quantity, 0)
    return found


@dataclass(frozen=True)
class ReaderLoops:
    """The loops of a Reader with a memory of ``layout``, before neighbours are made one; the innermost first."""

    layout: BankLayout

    @property
    def taps(self) -> list[Loop]:
        """Those of a pass."""
        layout, g = self.layout, self.layout.geometry
        (kh, kw), (dy, dx) = g.window.kernel, g.window.dilation
        words = _even([layout.column(k, g.pixels - 1) * g.words for k in range(kw)])
        slots = _even([layout.first_slot(k) * g.words for k in range(kw)])
        # The tables of banks want the horizontal tap as a number.
        across = Loop("kw", kw, (words, 0, slots, 0, dx * self.leaves(X)), is_alone=kw > 1 and g.pixels > 1)
        return [
            Loop("word", g.words // g.blocks, (1, 0, 1, 0, 0)),
            across,
            Loop("kh", kh, (dy * g.row, 0, dy * layout.row, dy * self.leaves(Y), 0)),
        ]

    @property
    def turns(self) -> list[Loop]:
        """Passes, and blocks of channel words."""
        g = self.layout.geometry
        words = g.words // g.blocks
        return [Loop("fold", g.passes, (0, 0, 0, 0, 0)), Loop("block", g.blocks, (words, 0, words, 0, 0))]

    @property
    def outer(self) -> list[Loop]:
        """Window groups of a row, rows, frames."""
        layout, g = self.layout, self.layout.geometry
        sy, sx = g.window.stride
        across, down = sx * g.words, sy * g.row
        return [
            Loop("og", g.out_groups, (across, across, across // layout.split, 0, sx * g.pixels * self.leaves(X))),
            Loop("oh", g.out_height, (down, down, sy * layout.row, sy * self.leaves(Y), 0)),
            Loop("frame", None, (g.frame, g.frame, g.height * layout.row, 0, 0)),
        ]

    def span(self, quantity: int) -> tuple[int, int, int]:
        """Smallest and largest place of a tap in a direction, and the size of the image."""
        g, w = self.layout.geometry, self.layout.geometry.window
        axis = quantity - Y
        count, size = (g.out_height, g.out_width)[axis], (g.height, g.width)[axis]
        low = -w.padding[axis]
        return low, low + (count - 1) * w.stride[axis] + (w.kernel[axis] - 1) * w.dilation[axis], size

    def leaves(self, quantity: int) -> bool:
        """Whether taps may lie outside the image in a direction."""
        low, high, size = self.span(quantity)
        return low < 0 or high >= size


def _even(places: Sequence[int]) -> Stride:
    """The places of a quantity as a stride where there is one."""
    steps = {b - a for a, b in pairwise(places)}
    return tuple(places) if len(steps) > 1 else next(iter(steps), 0)

"""The sums that bits of weights can have, counted and named by rank without a list of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Reachable", "reachable"]


@dataclass(frozen=True)
class Reachable:
    """Sums ``low + unit * k`` with ``k < count`` for each of the ``blocks`` (unit, count), lowest first.

    Whatever the blocks below reach is less than a unit, so that each choice is another sum and ranks order like sums. There are as many
    blocks as gaps between the weights and one more; all methods take time in their number alone.
    """

    blocks: tuple[tuple[int, int, int], ...]
    """(unit, count, how many sums the blocks below have)."""

    @property
    def count(self) -> int:
        """How many sums there are."""
        return self.blocks[-1][1] * self.blocks[-1][2] if self.blocks else 1

    def below(self, bound: int) -> int:
        """How many of the sums are less than ``bound``."""
        found = 0
        for unit, count, inner in reversed(self.blocks):
            if bound <= 0:
                return found
            steps = bound // unit
            if steps >= count:
                return found + count * inner
            found, bound = found + steps * inner, bound - steps * unit
        return found + (bound > 0)

    def sum(self, rank: int) -> int:
        """The sum that ``rank`` others are less than; ``0 <= rank < count``."""
        value = 0
        for unit, _, inner in reversed(self.blocks):
            value += unit * (rank // inner)
            rank %= inner
        return value


def reachable(weights: Sequence[int]) -> Reachable:
    """The sums of all choices of bits of these ``weights`` (exponents, ascending)."""
    blocks: list[tuple[int, int, int]] = []
    for w in weights:
        unit, count, inner = blocks[-1] if blocks else (0, 0, 1)
        if blocks and 1 << w <= unit * count:
            blocks[-1] = (unit, count + (1 << w) // unit, inner)
        else:
            blocks.append((1 << w, 2, max(1, count) * inner))
    return Reachable(tuple(blocks))

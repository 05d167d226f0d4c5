"""How large a network of the zoo is built."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Size"]


@dataclass(frozen=True)
class Size:
    """Image, classes and channels of a network.

    Parameters
    ----------
    image
        Channels, height, width of the input.
    classes
        Number of scores.
    width
        Factor of every hidden number of channels; 1 is the published network.
    """

    image: tuple[int, int, int]
    classes: int
    width: float = 1.0

    def of(self, channels: int) -> int:
        """Hidden ``channels`` of the published network, scaled; at least 1."""
        return max(1, round(channels * self.width))

"""Exact integer intervals of a tensor, per channel, with the step between reachable values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Interval"]


@dataclass(frozen=True, eq=False)
class Interval:
    """Reachable integers of a tensor: per channel ``lo, lo + step, ..., hi``.

    Parameters
    ----------
    lo, hi
        int64 arrays of shape (C,).
    step
        1, or 2 where only every other integer is reachable (bipolar sums without padding).
    """

    lo: NDArray[np.int64]
    hi: NDArray[np.int64]
    step: int = 1

    @property
    def channels(self) -> int:
        """Number of channels C."""
        return len(self.lo)

    @property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest integer over all channels."""
        return int(self.lo.min()), int(self.hi.max())

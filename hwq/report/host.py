"""What a host program does to data that the input encoding cannot express."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.network.host import HostStep, apply_step

__all__ = ["count_saturated"]


def count_saturated(head: tuple[HostStep, ...], x: NDArray[Any]) -> int:
    """How many values of ``x`` (N, ...) the clips of a host head moved: what the input encoding cannot express."""
    y = np.asarray(x).astype(np.float64)
    moved = 0
    for step in head:
        before, y = y, apply_step(step, y)
        if step.op == "clip":
            moved += int((before != y).sum())
    return moved

"""What a host program does to data that the input encoding cannot express."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.network.host import HostStep, apply_step

__all__ = ["count_saturated", "expected_range"]

# What a step took when it gave y, for a constant c.
BACKWARDS: dict[str, Callable[[float, float], float]] = {
    "add": lambda y, c: y - c,
    "sub": lambda y, c: y + c,
    "rsub": lambda y, c: c - y,
    "mul": lambda y, c: y / c if c else np.nan,
    "div": lambda y, c: y * c,
    "neg": lambda y, c: -y,
    "round": lambda y, c: y,
    "reshape": lambda y, c: y,
    "transpose": lambda y, c: y,
}


def count_saturated(head: tuple[HostStep, ...], x: NDArray[Any]) -> int:
    """How many values of ``x`` (N, ...) the clips of a host head moved: what the input encoding cannot express."""
    y = np.asarray(x).astype(np.float64)
    moved = 0
    for step in head:
        before, y = y, apply_step(step, y)
        if step.op == "clip":
            moved += int((before != y).sum())
    return moved


def expected_range(head: tuple[HostStep, ...]) -> tuple[float, float] | None:
    """The real values that the first clip of a host head lets through, up to a rounding; None where that is no single range."""
    place = next((k for k, step in enumerate(head) if step.op == "clip"), None)
    if place is None:
        return None
    ends = [float(head[place].attributes.get(k, np.nan)) for k in ("low", "high")]
    for step in reversed(head[:place]):
        constant = 0.0 if step.constant is None else np.unique(step.constant)
        if step.op not in BACKWARDS or np.size(constant) != 1:
            return None
        ends = [BACKWARDS[step.op](y, float(np.ravel(constant)[0])) for y in ends]
    return (min(ends), max(ends)) if np.isfinite(ends).all() else None

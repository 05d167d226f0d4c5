"""What an engine returns: codes and cycles of a run, or why it did not finish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["EngineRun", "ProbedStream", "Problem"]


@dataclass(frozen=True)
class Problem:
    """Something an engine saw that must not be: a broken stream contract, a wrong tlast, a bad frame mark."""

    text: str
    port: str
    cycle: int | None = None
    frame: int | None = None


@dataclass(frozen=True)
class ProbedStream:
    """Words that left a stage, with their cycles, and whether it stood valid and ready at the end."""

    words: tuple[int, ...]
    cycles: tuple[int, ...]
    valid: bool
    ready: bool


@dataclass(frozen=True, eq=False)
class EngineRun:
    """Result of streaming frames through a design.

    Parameters
    ----------
    codes
        Output codes by port, (frames received, H, W, C); only whole frames.
    cycles
        Cycle of every accepted beat by port, (beats,); cycle 0 is the first one in which a beat is offered, 16 after reset.
    hang
        Where everything stood when no beat moved any more, None when all frames came.
    """

    engine: str
    stalls: str
    frames: int
    codes: Mapping[str, NDArray[np.int64]]
    cycles: Mapping[str, NDArray[np.int64]]
    hang: str | None = None
    problems: tuple[Problem, ...] = ()
    seconds: float = 0.0
    build_seconds: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)
    probes: Mapping[str, ProbedStream] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every frame came and the streams kept their contract."""
        return self.hang is None and not self.problems

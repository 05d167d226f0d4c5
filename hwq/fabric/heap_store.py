"""Schedules solved offline, by heap shape: a data file, so that what is compiled never depends on how long a solver ran."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from hwq.fabric.heap_schedule import Placed, Stage

__all__ = ["PATH", "key", "read", "stored", "text_of", "write"]

Rows = int | tuple[int, int]

PATH = Path(__file__).with_name("schedules.json")
log = logging.getLogger(__name__)


def key(heights: Sequence[int], width: int, every: int, goal: str, rows: Rows) -> tuple[str, int]:
    """The name of a shape, empty columns above and below left out; and how many columns below were."""
    low = next((k for k, h in enumerate(heights) if h), 0) if isinstance(rows, int) else 0
    kept = list(heights[low:])
    while kept and not kept[-1]:
        kept.pop()
    return f"{','.join(map(str, kept))} width {width - low} every {every} {goal} rows {rows}", low


def stored(heights: Sequence[int], width: int, every: int, goal: str, rows: Rows) -> tuple[Stage, ...] | None:
    """The stages stored for a heap, if there are any."""
    name, low = key(heights, width, every, goal, rows)
    stages = read(PATH).get(name)
    if stages is None:
        return None
    log.debug("schedule solved before: %s", name)
    return tuple(_stage(text, low) for text in stages)


@lru_cache(maxsize=4)
def read(path: Path) -> dict[str, list[str]]:
    """Stages as text by shape: ``36*6@0 2*fa@1`` are 36 counters ``6`` from column 0 and two full adders from column 1."""
    return json.loads(path.read_text()) if path.exists() else {}


def write(path: Path, found: dict[str, list[str]]) -> None:
    """The file anew, in order."""
    path.write_text(json.dumps(dict(sorted(found.items())), indent=1) + "\n")
    read.cache_clear()


def text_of(stage: Stage) -> str:
    """A stage as text."""
    return " ".join(f"{p.times}*{p.kind}@{p.column}" for p in stage)


def _stage(text: str, low: int) -> Stage:
    placed = []
    for word in text.split():
        times, _, rest = word.partition("*")
        kind, _, column = rest.partition("@")
        placed.append(Placed(kind, int(column) + low, int(times)))
    return tuple(placed)

"""Descriptors of the stages that compute nothing: they move codes to other places, or choose among them."""

from __future__ import annotations

from dataclasses import dataclass

from hwq.plan.units import StageUnit

__all__ = ["ArgMaxUnit", "ConcatUnit", "PadUnit", "SplitUnit", "TopKUnit"]


@dataclass(frozen=True)
class ConcatUnit(StageUnit):
    """Channels of one stream after those of the other. ``words`` of V pixels per input, one a cycle, in turn, where ``is_wide`` is
    false; else every input brings all its channels in one word and all are taken at once."""

    words: tuple[int, ...]
    is_wide: bool
    depth: int
    latency: int = 0


@dataclass(frozen=True)
class SplitUnit(StageUnit):
    """The reverse of a concat: ``words`` of V pixels per target, one a cycle; ``kept`` gives the output of each target, -1 where it is
    dropped. Where ``is_wide``, one word holds all channels and goes to all outputs at once. An Egress of ``depth`` words an output."""

    words: tuple[int, ...]
    kept: tuple[int, ...]
    is_wide: bool
    depth: int
    latency: int = 0


@dataclass(frozen=True)
class PadUnit(StageUnit):
    """Words of zeros around the image, ``padding`` (top, left, bottom, right) pixels; one word a cycle, V = 1."""

    height: int
    width: int
    words: int
    padding: tuple[int, int, int, int]
    depth: int
    latency: int = 0


@dataclass(frozen=True)
class ArgMaxUnit(StageUnit):
    """Reads ``words`` words a pixel, writes one word with the index; the last firing produces."""

    channels: int
    words: int
    depth: int
    latency: int


@dataclass(frozen=True)
class TopKUnit(StageUnit):
    """Reads ``words`` words of ``pe`` channels a pixel, writes one word with the ``k`` indices; the last firing produces."""

    channels: int
    words: int
    k: int
    depth: int
    latency: int

"""The Plan: how a Network is computed. It never changes an output bit. ``plan.toml`` is its file form (plan/file.py)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

__all__ = ["FifoPlan", "Plan", "StagePlan", "StreamPlan", "plan_hash"]


@dataclass(frozen=True)
class StagePlan:
    """Decisions for one stage, named after the node that heads it.

    Parameters
    ----------
    pe
        Rows (output channels) a cycle; 1..MH, need not divide it. In grouped convolutions a divisor of a group's rows, in
        depthwise ones a multiple of the channel multiplier. Elsewhere: lanes (channels) a cycle.
    simd
        Columns (products) a cycle, of the channels of one tap; need not divide them. In grouped convolutions a divisor of a
        group's channels; 1 in depthwise ones.
    pixels
        Windows (or pixels) a cycle, V; divides the width of the images read and written.
    style
        ``folded`` (weights in memory), ``constant`` (all rows or all columns at once: weights are functions of the fold, in logic) or
        ``unrolled`` (weights are wiring: a whole window a cycle, ``pe`` all rows, ``simd`` the channels of a word read).
    memory
        Weight memory: ``lutram`` or ``block``; ``logic`` where style is ``constant`` or ``unrolled``.
    buffer
        Input buffer of the Reader, in words of ``pixels`` x ``simd`` (``pe`` without columns) elements.
    depth
        Egress depth, in words of ``pixels`` x ``pe`` elements.
    buffer_memory
        Memory of the input buffer: ``lutram``, ``block``, ``ultra``; ``auto`` is LUT RAM up to 64 words, block RAM beyond.
    constants
        Memory of thresholds and other constants of channels: ``logic``, ``lutram``, ``block``; ``auto`` follows ``memory``.
    multiplier
        What multiplies in lanes and requantizers: ``lut``, ``dsp``; ``auto`` follows the widths.
    accumulator
        What sums up: ``lut``, ``dsp`` (slices of several sums each); ``auto`` is LUTs.
    """

    name: str
    pe: int = 1
    simd: int = 1
    pixels: int = 1
    style: str = "folded"
    memory: str = "lutram"
    buffer: int = 2
    depth: int = 2
    buffer_memory: str = "auto"
    constants: str = "auto"
    # Out of the text that names a plan: what was chosen before they existed keeps its name.
    multiplier: str = field(default="auto", repr=False)
    accumulator: str = field(default="auto", repr=False)


@dataclass(frozen=True)
class StreamPlan:
    """Bus of one graph input or output: ``bus_bits`` of tdata, a power of two, 8..1024."""

    name: str
    bus_bits: int = 64


@dataclass(frozen=True)
class FifoPlan:
    """Depth in words of a stream component that is no stage of its own: a width converter's egress, or a FIFO behind an edge.

    ``memory`` of a FIFO is ``lutram``, ``block`` or ``ultra``; ``auto`` is LUT RAM up to 64 words, block RAM beyond.
    """

    name: str
    depth: int = 2
    memory: str = "auto"


@dataclass(frozen=True)
class Plan:
    """All decisions for one Network on one target.

    ``network`` is the sha256 of the Network the plan was made for; ``clock_mhz`` the assumed clock. ``circuits`` is no decision: cycles of
    the circuits of unrolled stages, by name, in a design that exists; those of stages not named there are made to be known.
    """

    network: str
    target: str
    clock_mhz: float
    streams: tuple[StreamPlan, ...]
    stages: tuple[StagePlan, ...]
    fifos: tuple[FifoPlan, ...] = ()
    circuits: tuple[tuple[str, int], ...] = field(default=(), repr=False, compare=False)

    def stage(self, name: str) -> StagePlan:
        """The plan of the stage headed by node ``name``; raises ``KeyError``."""
        return {s.name: s for s in self.stages}[name]


def plan_hash(plan: Plan) -> str:
    """sha256 (hex) of all decisions of ``plan``."""
    later = [(s.name, s.multiplier, s.accumulator) for s in plan.stages if (s.multiplier, s.accumulator) != ("auto", "auto")]
    return hashlib.sha256((repr(plan) + (repr(later) if later else "")).encode()).hexdigest()

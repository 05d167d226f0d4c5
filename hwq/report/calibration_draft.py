"""A design to calibrate on: a chain of layers, and what the plan says of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hwq.network.file import network_hash
from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.ops import (
    Accumulation,
    Conv,
    Exact,
    Op,
    Requantize,
    Threshold,
)
from hwq.numerics.encoding import Bipolar, Encoding
from hwq.numerics.rounding import Rounding
from hwq.plan.geometry import ceil_div
from hwq.plan.plan import FifoPlan, Plan, StagePlan, StreamPlan
from hwq.plan.sizing import start_buffer
from hwq.plan.stages import stages_of
from hwq.plan.summary import WINDOWED, StageSummary, summary_of

__all__ = ["Draft"]

BIPOLAR = Bipolar()
TARGET, CLOCK = "vu9p", 250.0


@dataclass
class Draft:
    """A chain of layers, with what the plan says of each: the tensor that was made last goes on."""

    name: str
    shape: tuple[int, int, int]
    encoding: Encoding
    bus: int = 64
    nodes: list[Node] = field(default_factory=list)
    stages: dict[str, dict[str, Any]] = field(default_factory=dict)
    fifos: list[FifoPlan] = field(default_factory=list)
    whole: bool = False

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(sum(map(ord, self.name)))
        self.tensor, self.channels = "x", self.shape[2]

    def add(self, op: Op, *inputs: str, channels: int | None = None, name: str = "", **plan: Any) -> Draft:
        """A layer; ``plan`` are fields of its stage."""
        name = name or f"n{len(self.nodes)}"
        self.nodes.append(Node(name, op, inputs or (self.tensor,), (f"{name}.y",)))
        self.tensor, self.channels = f"{name}.y", self.channels if channels is None else channels
        if plan:
            self.stages[name] = plan
        return self

    def conv(
        self,
        o: int,
        w: Encoding = BIPOLAR,
        k: int | tuple[int, int] = 1,
        s: int = 1,
        p: int = 0,
        groups: int = 1,
        accumulation: Accumulation | None = None,
        **plan: Any,
    ) -> Draft:
        kernel = (k, k) if isinstance(k, int) else k
        levels = np.arange(w.lo, w.hi + 1, w.step)
        weights = self.rng.choice(levels, (o, *kernel, self.channels // groups)).astype(np.int64)
        op = Conv(weights, w, (s, s), (p,) * 4, groups=groups, accumulation=accumulation or Exact())
        return self.add(op, channels=o, **plan)

    def threshold(self, out: Encoding, spread: int, *, falling: bool = False, **plan: Any) -> Draft:
        count = (out.hi - out.lo) // out.step
        t = np.sort(self.rng.integers(-spread, spread + 1, (self.channels, count)), axis=1)
        steps = np.ones_like(t)
        base = np.zeros(self.channels, np.int64)
        if falling:
            steps[::2], base[::2] = -1, count
        return self.add(Threshold(t, steps, base, out), **plan)

    def requantize(self, out: Encoding, bits: int, *, shared: int = 0, even: bool = False, **plan: Any) -> Draft:
        m = np.full(self.channels, shared) if shared else self.rng.integers(1 << (bits - 2), 1 << (bits - 1), self.channels)
        offset = self.rng.integers(-(1 << bits), 1 << bits, self.channels)
        rounding = Rounding.HALF_EVEN if even else Rounding.FLOOR
        return self.add(Requantize(m.astype(np.int64), offset, bits, rounding, out.lo, out.hi, out), **plan)

    def network(self) -> Network:
        return Network(self.name, (NetworkInput("x", self.shape, self.encoding),), tuple(self.nodes), (self.tensor,))

    def plan(self) -> Plan:
        """The plan, with buffers as deep as they normally get."""
        network = self.network()
        stages = tuple(_stage(summary_of(network, s), self.stages.get(s.name, {})) for s in stages_of(network))
        streams = tuple(StreamPlan(n, self.bus) for n in ("x", self.tensor))
        return Plan(network_hash(network), TARGET, CLOCK, streams, stages, tuple(self.fifos))


def _stage(s: StageSummary, given: dict[str, Any]) -> StagePlan:
    values: dict[str, Any] = {"pe": 1, "simd": 1, "pixels": 1, "style": "folded", "memory": "lutram", "depth": 4} | given
    pe, simd, pixels, style = values["pe"], values["simd"], values["pixels"], values["style"]
    if "buffer" not in values:
        if s.kind in WINDOWED:
            g = s.geometry(pe, simd, pixels, style)
            values["buffer"] = max(2, ceil_div(3 * g.sf, 2), g.least_buffer) if g.height == g.width == 1 else start_buffer(g)
        else:
            values["buffer"] = 2 * s.shape[1] * ceil_div(s.rows, pe) + 1
    return StagePlan(s.name, **values)

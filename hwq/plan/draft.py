"""A plan with gaps: what the user fixed, the rest left to the planner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hwq.plan.plan import FifoPlan, Plan, StagePlan, StreamPlan

__all__ = ["PlanDraft", "StageDraft"]


@dataclass(frozen=True)
class StageDraft:
    """Fields of a :class:`StagePlan`, None where the planner chooses."""

    name: str
    pe: int | None = None
    simd: int | None = None
    pixels: int | None = None
    style: str | None = None
    memory: str | None = None
    buffer: int | None = None
    depth: int | None = None


@dataclass(frozen=True)
class PlanDraft:
    """Fields of a :class:`Plan`, each honoured exactly where given."""

    network: str | None = None
    target: str | None = None
    clock_mhz: float | None = None
    streams: Mapping[str, int] = field(default_factory=dict)
    stages: Mapping[str, StageDraft] = field(default_factory=dict)
    fifos: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: Plan) -> PlanDraft:
        """Everything that ``plan`` says."""
        return cls(
            plan.network,
            plan.target,
            plan.clock_mhz,
            {s.name: s.bus_bits for s in plan.streams},
            {
                s.name: StageDraft(
                    s.name,
                    s.pe,
                    s.simd,
                    s.pixels,
                    s.style,
                    s.memory,
                    s.buffer,
                    s.depth,
                )
                for s in plan.stages
            },
            {f.name: f.depth for f in plan.fifos},
        )

    def stage(self, name: str) -> StageDraft:
        """What is fixed of stage ``name``."""
        return self.stages.get(name, StageDraft(name))

    @property
    def is_complete(self) -> bool:
        """Whether no field of any stage named is open (stages not named at all are not counted)."""
        return all(None not in vars(s).values() for s in self.stages.values())

    def complete(self) -> Plan:
        """The plan this draft is when nothing is open; raises ``ValueError`` otherwise."""
        if not self.is_complete or None in (self.network, self.target, self.clock_mhz):
            raise ValueError("this draft of a plan leaves fields open")
        return Plan(
            str(self.network),
            str(self.target),
            float(self.clock_mhz or 0),
            tuple(StreamPlan(n, b) for n, b in self.streams.items()),
            tuple(StagePlan(**vars(s)) for s in self.stages.values()),
            tuple(FifoPlan(n, d) for n, d in self.fifos.items()),
        )

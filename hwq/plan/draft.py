"""A plan with gaps: what the user fixed, the rest left to the planner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hwq.plan.plan import FifoPlan, Plan, StagePlan, StreamPlan

__all__ = ["SILENT", "FifoDraft", "PlanDraft", "StageDraft"]

# Fields with a value that always works: they may be left out of a plan that is otherwise whole.
OPTIONAL = ("buffer_memory", "constants", "multiplier", "accumulator")
# Those of them that stand in a file only where they are not automatic.
SILENT = ("multiplier", "accumulator")


@dataclass(frozen=True)
class StageDraft:
    """Fields of a :class:`StagePlan`, None where the planner chooses. Of the styles it then takes folded or constant; where the style
    is ``auto``, whichever is cheapest: circuits of unrolled layers take their time."""

    name: str
    pe: int | None = None
    simd: int | None = None
    pixels: int | None = None
    style: str | None = None
    memory: str | None = None
    buffer: int | None = None
    depth: int | None = None
    buffer_memory: str | None = None
    constants: str | None = None
    multiplier: str | None = None
    accumulator: str | None = None

    @property
    def open_fields(self) -> list[str]:
        """Fields without which this is no whole plan of a stage."""
        return [k for k, v in vars(self).items() if (v is None and k not in OPTIONAL) or (k, v) == ("style", "auto")]

    def complete(self) -> StagePlan:
        """The plan of the stage when no field is open."""
        return StagePlan(**{k: v for k, v in vars(self).items() if v is not None})


@dataclass(frozen=True)
class FifoDraft:
    """Fields of a :class:`FifoPlan`, None where the planner chooses."""

    name: str
    depth: int | None = None
    memory: str | None = None


@dataclass(frozen=True)
class PlanDraft:
    """Fields of a :class:`Plan`, each honoured exactly where given."""

    network: str | None = None
    target: str | None = None
    clock_mhz: float | None = None
    streams: Mapping[str, int] = field(default_factory=dict)
    stages: Mapping[str, StageDraft] = field(default_factory=dict)
    fifos: Mapping[str, FifoDraft] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: Plan) -> PlanDraft:
        """Everything that ``plan`` says."""
        return cls(
            plan.network,
            plan.target,
            plan.clock_mhz,
            {s.name: s.bus_bits for s in plan.streams},
            {s.name: StageDraft(**{k: v for k, v in vars(s).items() if k not in SILENT or v != "auto"}) for s in plan.stages},
            {f.name: FifoDraft(f.name, f.depth, f.memory) for f in plan.fifos},
        )

    def stage(self, name: str) -> StageDraft:
        """What is fixed of stage ``name``."""
        return self.stages.get(name, StageDraft(name))

    @property
    def is_complete(self) -> bool:
        """Whether no field of any stage or FIFO named is open (those not named at all are not counted)."""
        return not any(s.open_fields for s in self.stages.values()) and all(f.depth is not None for f in self.fifos.values())

    def complete(self) -> Plan:
        """The plan this draft is when nothing is open; raises ``ValueError`` otherwise."""
        if not self.is_complete or None in (self.network, self.target, self.clock_mhz):
            raise ValueError("this draft of a plan leaves fields open")
        return Plan(
            str(self.network),
            str(self.target),
            float(self.clock_mhz or 0),
            tuple(StreamPlan(n, b) for n, b in self.streams.items()),
            tuple(s.complete() for s in self.stages.values()),
            tuple(FifoPlan(f.name, f.depth or 1, f.memory or "auto") for f in self.fifos.values()),
        )

"""Planning, elaborating and writing a design."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwq.api.goals import budget_of, number
from hwq.api.reading import as_model, read
from hwq.network.graph import Network
from hwq.network.model import Model
from hwq.network.ops import Accumulation
from hwq.plan.plan import Plan

if TYPE_CHECKING:
    from hwq.plan.cost import Estimate
    from hwq.plan.device import Device
    from hwq.plan.draft import PlanDraft
    from hwq.plan.prediction import Prediction
    from hwq.target.design import Design as Hardware

__all__ = ["Design", "Progress", "compile", "elaborate", "estimate", "plan"]

Progress = Callable[[str, float | None], None]
DEFAULT_TARGET = "vu9p"


def _silent(text: str, fraction: float | None = None) -> None:
    pass


def plan(
    network: Network | Model,
    target: str | Device | None = None,
    *,
    fps: float | None = None,
    latency: float | None = None,
    budget: Mapping[str, float] | None = None,
    clock_mhz: float | None = None,
    style: str | None = None,
    draft: str | os.PathLike[str] | Plan | PlanDraft | None = None,
    progress: Progress | None = None,
) -> Plan:
    """Folding, memories and FIFO depths for ``network`` on ``target``.

    As fast as fits (70 % of the device's LUTs), or as small as ``fps`` and ``latency`` allow.

    Parameters
    ----------
    target
        Name of a device or board (``hwq targets``), or a :class:`Device`; the draft's, or ``vu9p``, when None.
    fps
        Frames a second to reach at the clock.
    latency
        Seconds from the first beat in to the last beat out, at most.
    budget
        Shares of the device by resource, ``{"lut": 0.4, "bram36": 0.5}``.
    clock_mhz
        Assumed clock; the target's when None.
    style
        ``folded``, ``constant`` or ``unrolled`` for every layer that can have it; ``auto`` for whichever is cheapest, whatever its
        circuit takes to make and to simulate. When None, the cheapest too, but circuits of 2 500 LUTs in all, or such as halve a layer.
    draft
        A plan, or a ``plan.toml``, possibly with gaps: what it says is kept, the rest is planned.

    Raises
    ------
    InputError
        Unknown target, impossible values, a plan of another network or one that breaks a rule.
    NegativeVerdict
        The network does not fit, or cannot reach the goal; says what would lift that.
    """
    from hwq.plan.goal import Goal
    from hwq.plan.planner import plan_network

    network = as_model(network).network
    base = _draft(draft, network)
    device = _device(target, None if base is None else base.target)
    seconds = number(latency, "latency", "seconds as a number, 5e-6 for 5 us")
    goal = Goal(number(fps, "fps", "frames a second as a number, for example 1e5"), seconds, budget_of(budget))
    clock = number(clock_mhz, "clock_mhz", "megahertz as a number")
    return plan_network(network, device, goal, clock_mhz=clock, base=base, style=style, unroll=style is None, progress=progress)


def _draft(draft: str | os.PathLike[str] | Plan | PlanDraft | None, network: Network) -> PlanDraft | None:
    from hwq.plan.draft import PlanDraft
    from hwq.plan.file import read_draft

    if isinstance(draft, Plan):
        return PlanDraft.of(draft)
    return read_draft(Path(draft), network) if isinstance(draft, str | os.PathLike) else draft


def _said_target(draft: str | os.PathLike[str] | Plan | PlanDraft | None) -> str | None:
    """The target that a plan names, before the network is read; a file whose form is wrong is refused here, in no time."""
    from hwq.plan.file import read_draft

    if isinstance(draft, str | os.PathLike):
        return read_draft(Path(draft)).target
    return None if draft is None else draft.target


def _device(target: str | Device | None, otherwise: str | None = None) -> Device:
    from hwq.plan.device import Device
    from hwq.target.boards import load_device

    chosen = target or otherwise or DEFAULT_TARGET
    return chosen if isinstance(chosen, Device) else load_device(chosen)


@dataclass(frozen=True, eq=False, repr=False)
class Design:
    """The hardware of a Model under a Plan, for one device; ``hardware.verilog`` is its text."""

    model: Model
    plan: Plan
    device: Device
    hardware: Hardware
    options: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        from hwq.plan.dataflow import dataflow_of
        from hwq.plan.law import bottleneck

        _, cycles = bottleneck(dataflow_of(self.model.network, self.plan))
        speed = f"cycles a frame: {cycles}, {self.plan.clock_mhz:g} MHz"
        return f"Design({self.model.name!r}, target: {self.device.name}, stages: {len(self.plan.stages)}, {speed})"

    @property
    def prediction(self) -> Prediction:
        """Exact cycles: interval, latency, the bottleneck."""
        return self.hardware.prediction

    def write(self, directory: str | os.PathLike[str]) -> Path:
        """Write the output folder (Verilog, benches, plan, report, interface, vectors) and return its path.

        An earlier output there is replaced as a whole, or left alone when anything fails. Raises :class:`InputError`
        for a folder that holds something else or cannot be written.
        """
        from hwq.target.package import write_package

        return write_package(self.hardware, self.model, Path(directory), self.device, options=self.options)


def elaborate(
    network: Network | Model,
    plan: Plan,
    *,
    target: str | Device | None = None,
    primitives: str = "portable",
    progress: Progress | None = None,
) -> Design:
    """The design that follows from ``network`` and ``plan``; ``target`` is the plan's when None.

    ``primitives`` is the form of the parts made of fabric: ``portable`` holds both, chosen by the macros HWQ_FABRIC (cells instead of
    expressions) and HWQ_UNISIM (the vendor's cells); ``structural`` and ``unisim`` hold the one alone.

    Raises :class:`InputError` or :class:`Problems` when the two do not belong together, or the plan breaks a rule.
    """
    from hwq.errors import Problems
    from hwq.plan.draft import PlanDraft
    from hwq.plan.rules import breaches
    from hwq.target.design import elaborate as build
    from hwq.target.primitives import check_primitives

    model = as_model(network)
    if problems := breaches(model.network, PlanDraft.of(plan)):
        raise Problems(problems)
    device = _device(target or plan.target)
    check_primitives(primitives)
    return Design(model, plan, device, build(model.network, plan, primitives=primitives, family=device.family, progress=progress))


def estimate(network: Network | Model, plan: Plan, *, target: str | Device | None = None) -> Estimate:
    """Fabric that ``plan`` needs, by component and as a share of the device, from counts, with its error band."""
    from hwq.plan.cost import estimate as count

    return count(as_model(network).network, plan, _device(target or plan.target))


def compile(
    source: Any,
    example_input: Any = None,
    target: str | Device | None = None,
    *,
    fps: float | None = None,
    latency: float | None = None,
    budget: Mapping[str, float] | None = None,
    plan: str | os.PathLike[str] | Plan | PlanDraft | None = None,
    clock_mhz: float | None = None,
    style: str | None = None,
    name: str | None = None,
    input_encoding: str | None = None,
    input_scale: float | str | None = None,
    input_offset: float | str | None = None,
    input_quantizer: str = "host",
    accumulator: Accumulation | None = None,
    residual_encoding: str | None = None,
    primitives: str = "portable",
    progress: Progress | None = None,
) -> Design:
    """Read, plan and elaborate in one; the parameters are those of :func:`read`, :func:`plan` and :func:`elaborate`.

    >>> frozen = hwq.quant.freeze(module.eval())                                          # doctest: +SKIP
    >>> hwq.compile(frozen, torch.zeros(2, 64), target="vu9p", fps=1e6).write("out")      # doctest: +SKIP
    """
    report = progress or _silent
    device = _device(target, _said_target(plan))
    report("reading", None)
    model = read(
        source,
        example_input,
        name=name,
        input_encoding=input_encoding,
        input_scale=input_scale,
        input_offset=input_offset,
        input_quantizer=input_quantizer,
        accumulator=accumulator,
        residual_encoding=residual_encoding,
    )
    report("planning", None)
    chosen = _plan(model, device, fps=fps, latency=latency, budget=budget, clock_mhz=clock_mhz, style=style, draft=plan, progress=progress)
    design = elaborate(model, chosen, target=device, primitives=primitives, progress=progress)
    asked = {
        "target": design.device.name,
        "fps": None if fps is None else float(fps),
        "latency_s": None if latency is None else float(latency),
        "budget": budget_of(budget) or None,
        "clock_mhz": None if clock_mhz is None else float(clock_mhz),
        "style": style,
        "plan": plan is not None,
        "name": name,
        "input_encoding": input_encoding,
        "input_scale": None if input_scale is None else str(input_scale),
        "input_offset": None if input_offset is None else str(input_offset),
        "input_quantizer": input_quantizer,
        "accumulator": None if accumulator is None else str(accumulator),
        "residual_encoding": residual_encoding,
        "primitives": primitives,
    }
    return replace(design, options=asked)


_plan = plan  # `compile` has a parameter of that name

"""Every stage as a stand-alone AXI-Stream top: big networks are verified stage by stage."""

from __future__ import annotations

import difflib
from dataclasses import replace

from hwq.errors import InputError
from hwq.network.file import network_hash
from hwq.network.graph import Network
from hwq.plan.dataflow import dataflow_of
from hwq.plan.law import unit_cycles
from hwq.plan.plan import Plan, StreamPlan
from hwq.plan.rules import BUSES
from hwq.plan.stages import Stage, stages_of
from hwq.plan.units import pitch_of
from hwq.transform.cut import cut

__all__ = ["find_stage", "stage_alone"]

LEAST_BUS = 64


def find_stage(network: Network, name: str) -> Stage:
    """The stage with a layer of this name in it; raises :class:`InputError` (``STAGE-UNKNOWN``) with the nearest name."""
    layers = {layer.name: stage for stage in stages_of(network) for layer in (stage.node, stage.activation) if layer}
    if name in layers:
        return layers[name]
    near = difflib.get_close_matches(name, layers, 1, cutoff=0.0)
    hint = f"Nearest is {near[0]!r}; hwq report lists all" if near else None
    raise InputError("STAGE-UNKNOWN", f"there is no stage {name!r}", where="--stage", hint=hint)


def stage_alone(network: Network, plan: Plan, stage: Stage) -> tuple[Network, Plan]:
    """Network and Plan of a design that is ``stage`` alone, exactly as in the whole, between AXI streams.

    The streams carry the stage's own tensors in their own encodings, on buses wide enough not to be the slowest part, where
    1024 bits suffice.
    """
    targets = [t for t in stage.targets if t]
    part = cut(network, stage.sources, targets, name=f"{network.name}.{stage.name}")
    names = list(dict.fromkeys([*(i.name for i in part.inputs), *targets]))
    fifos = tuple(f for f in plan.fifos if f.name.startswith(f"{stage.name}."))
    narrow = Plan(
        network_hash(part),
        plan.target,
        plan.clock_mhz,
        tuple(StreamPlan(n, LEAST_BUS) for n in names),
        (plan.stage(stage.name),),
        fifos,
        plan.circuits,
    )
    cycles = _cycles(part, narrow, stage)
    return part, replace(narrow, streams=tuple(StreamPlan(n, _bus(part, n, cycles)) for n in names))


def _cycles(network: Network, plan: Plan, stage: Stage) -> int:
    """Cycles a frame of the stage itself; 1 for one that has no component of its own."""
    dataflow = dataflow_of(network, plan)
    return max((unit_cycles(u, dataflow) for u in dataflow.units if u.name == stage.name), default=1)


def _bus(network: Network, tensor: str, cycles: int) -> int:
    """The narrowest bus, 64 bits or more, that carries a frame of ``tensor`` in ``cycles``."""
    t = network.tensors[tensor]
    bits = t.shape[0] * t.shape[1] * t.shape[2] * pitch_of(t.encoding.bits)
    return next((bus for bus in BUSES if bus >= LEAST_BUS and bits <= bus * cycles), BUSES[-1])

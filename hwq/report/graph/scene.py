"""What a drawing shows: one card a stage and port, one wire an edge; of a Network alone or of a planned design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hwq.network.graph import Network, TensorInfo
from hwq.network.ops import Conv
from hwq.plan.dataflow import Dataflow, dataflow_of
from hwq.plan.plan import Plan, StagePlan
from hwq.plan.stages import Stage, stages_of
from hwq.plan.units import AxiIn, AxiOut, Converter, Edge, Fifo, Unit, UpsampleUnit, WindowUnit
from hwq.report.operation import shape_text, stage_operation, stage_shapes
from hwq.report.table import cycles_text, grouped

__all__ = ["Card", "Scene", "Wire", "design_scene", "network_scene"]

# Families of stages, which colours tell apart.
FAMILIES = {"mvu": "product", "depthwise": "product", "pool": "pool", "add": "join", "mul": "join", "concat": "join", "split": "join"}


@dataclass(frozen=True)
class Card:
    """A box: a title, lines of text, a family that gives the colour, and its share of the bottleneck's cycles."""

    title: str
    lines: tuple[str, ...]
    family: str
    share: float | None = None
    is_bottleneck: bool = False


@dataclass(frozen=True)
class Wire:
    """A stream from card ``source`` to card ``target`` (indices), with a label."""

    source: int
    target: int
    label: str = ""


@dataclass(frozen=True)
class Scene:
    """All cards, in topological order, and wires of a drawing titled ``title``; ``summary`` is a sentence for those who cannot see it."""

    title: str
    summary: str
    cards: tuple[Card, ...]
    wires: tuple[Wire, ...]


def network_scene(network: Network) -> Scene:
    """The integer network: operations, shapes, encodings, ranges, work."""
    cards = [Card(i.name, _port_lines(network.tensors[i.name]), "port") for i in network.inputs]
    home = {i.name: n for n, i in enumerate(network.inputs)}
    wires: list[Wire] = []
    for stage in stages_of(network):
        wires += [Wire(home[s], len(cards)) for s in stage.sources]
        home |= {t: len(cards) for t in stage.targets if t}
        cards.append(
            Card(
                stage.name, (stage_operation(network, stage), stage_shapes(network, stage), *_network_lines(network, stage)), _family(stage)
            )
        )
    for name in network.outputs:
        wires.append(Wire(home[name], len(cards)))
        cards.append(Card(name, _port_lines(network.tensors[name], "output"), "port"))
    return Scene(network.name, f"{network.name}: {len(network.nodes)} integer operations", tuple(cards), tuple(wires))


def _family(stage: Stage) -> str:
    return FAMILIES.get(stage.kind, "other")


def _port_lines(t: TensorInfo, kind: str = "input", bus: int | None = None) -> tuple[str, ...]:
    wire = f", {bus}-bit bus" if bus else ""
    return (f"{kind} {shape_text(t.shape)}, {t.encoding.name}{wire}",)


def _network_lines(network: Network, stage: Stage) -> list[str]:
    lines = []
    op, y = stage.node.op, network.tensors[next(t for t in stage.targets if t)]
    if isinstance(op, Conv):
        h, w, _ = network.tensors[stage.node.outputs[0]].shape
        lines.append(f"{op.weight_encoding.name} weights, {grouped(op.mw * op.mh * h * w)} MACs")
    low, high = y.interval.bounds
    return [*lines, f"gives {y.encoding.name}, {low}..{high}"]


def design_scene(network: Network, plan: Plan, report: Mapping[str, Any]) -> Scene:
    """The design: folding, style, cycles and buffers of every stage, depth and width of every stream.

    ``report`` is ``report.json``: its cycles and its bottleneck.
    """
    dataflow = dataflow_of(network, plan)
    cycles = {layer["name"]: int(layer["cycles"]) for layer in report["layers"]}
    most = max([*cycles.values(), 1])
    cards: list[Card] = []
    home: dict[str, int] = {}
    for unit in dataflow.units:
        card = _card(unit, network, dataflow, cycles)
        if card is not None:
            share = cycles[unit.name] / most if unit.name in cycles else None
            home[unit.name] = len(cards)
            cards.append(replace(card, share=share, is_bottleneck=_is_named(report["bottleneck"], unit)))
    ways = _ways(dataflow, set(home))
    wires = [Wire(home[source], home[target], label) for source, target, label in ways]
    text = f"{network.name}: {len(cycles)} stages, {cycles_text(report['cycles_per_frame'])} a frame"
    return Scene(network.name, text, tuple(cards), tuple(wires))


def _is_named(bottleneck: str, unit: Unit) -> bool:
    """Whether the report's bottleneck is ``unit`` or a channel of it, such as its input buffer."""
    return bottleneck == unit.name or bottleneck.startswith(f"{unit.name}.")


def _card(unit: Unit, network: Network, dataflow: Dataflow, cycles: Mapping[str, int]) -> Card | None:
    if isinstance(unit, AxiIn | AxiOut):
        kind = "input" if isinstance(unit, AxiIn) else "output"
        return Card(unit.tensor, _port_lines(network.tensors[unit.tensor], kind, unit.bus_bits), "port")
    stage = getattr(unit, "stage", None)
    if stage is None:
        return None
    head = [stage_operation(network, stage), stage_shapes(network, stage), _encodings(network, stage), _folding(unit, stage)]
    tail = [f"{cycles_text(cycles[unit.name])} a frame"] if unit.name in cycles else []
    return Card(stage.name, (*head, *_storage(unit), *tail), _family(stage))


def _encodings(network: Network, stage: Stage) -> str:
    names = [list(dict.fromkeys(network.tensors[t].encoding.name for t in side if t)) for side in (stage.sources, stage.targets)]
    op = stage.node.op
    weights = f", {op.weight_encoding.name} weights" if isinstance(op, Conv) else ""
    return " -> ".join(", ".join(side) for side in names) + weights


def _folding(unit: Unit, stage: Stage) -> str:
    p: StagePlan = unit.plan  # type: ignore[attr-defined]
    pixels = f" x V {p.pixels}" if p.pixels > 1 else ""
    if stage.kind not in ("mvu", "depthwise"):
        return f"{p.pe} lane{'s' * (p.pe != 1)}{pixels}"
    style = p.style if p.style != "folded" else f"folded, weights in {p.memory}"
    return f"PE {p.pe} x SIMD {p.simd}{pixels}, {style}"


def _storage(unit: Unit) -> list[str]:
    """The words that a stage stores: its window or input buffer."""
    if isinstance(unit, WindowUnit | UpsampleUnit):
        return [f"buffer {grouped(unit.buffer)} words, FIFO behind {grouped(unit.depth)}"]
    return [f"FIFO behind {grouped(unit.depth)}"] if hasattr(unit, "depth") else []


def _ways(dataflow: Dataflow, cards: set[str]) -> list[tuple[str, str, str]]:
    """Every way from card to card: names and what lies between, FIFOs and converters with the width of their words."""
    producers = {edge: unit for unit in dataflow.units for edge in unit.outputs}
    ways = []
    for unit in dataflow.units:
        for edge in unit.inputs if unit.name in cards else ():
            between: list[Unit] = []
            source = producers[edge]
            while source.name not in cards:
                between.append(source)
                source = producers[source.inputs[0]]
            ways.append((source.name, unit.name, _label(between[::-1], dataflow, dataflow.edges[edge])))
    return ways


def _label(between: Sequence[Unit], dataflow: Dataflow, last: Edge) -> str:
    parts = []
    for unit in between:
        edge = dataflow.edges[unit.inputs[0]]
        if isinstance(unit, Fifo):
            parts.append(f"FIFO {grouped(unit.depth)} x {edge.word_bits} bit")
        if isinstance(unit, Converter):
            parts.append(f"{edge.word_bits} to {dataflow.edges[unit.outputs[0]].word_bits} bit")
    return ", ".join(parts) or f"{last.word_bits} bit"

"""From an exported torch graph to the source graph. Operators nobody knows keep their torch name, to be refused by layer."""

from __future__ import annotations

from hwq.errors import HwqError, InputError, Problems
from hwq.frontend import (  # noqa: F401  (fill the table)
    aten_cuts,
    aten_elementwise,
    aten_fake_quant,
    aten_layers,
    aten_layout,
    aten_quant,
    aten_windows,
)
from hwq.frontend.aliases import Aliases, is_in_place
from hwq.frontend.aten import HANDLERS, Call, Handler, SourceBuilder
from hwq.frontend.aten_refused import reason_and_hint
from hwq.frontend.exported import ExportedGraph, ExportedNode, Ref, stateful
from hwq.frontend.source import SourceGraph, SourceInput, SourceNode

__all__ = ["source_graph"]

# What arguments raise that no exporter writes.
DAMAGE = (TypeError, KeyError, IndexError, ValueError, AttributeError, OverflowError)


def source_graph(graph: ExportedGraph) -> SourceGraph:
    """``graph`` in ONNX's vocabulary. Raises :class:`Problems` naming all layers that cannot be expressed."""
    try:
        return _source_graph(graph)
    except DAMAGE as error:
        raise InputError("GRAPH-DAMAGED", f"the graph makes no sense ({type(error).__name__}: {error})", where=graph.name) from None


def _source_graph(graph: ExportedGraph) -> SourceGraph:
    public = [name for name, _ in graph.inputs + graph.outputs]
    _check_names(public)
    builder = SourceBuilder(graph, public)
    for name, tensor in graph.inputs:
        builder.bind(tensor, name)
        builder.live.add(name)
    problems: list[HwqError] = []
    aliases = Aliases(graph.nodes, [tensor for _, tensor in graph.outputs])
    for place, node in enumerate(graph.nodes):
        try:
            _convert(builder, node, aliases, place)
        except (InputError, *DAMAGE) as error:
            problem = error if isinstance(error, InputError) else _damaged(node, error)
            if problem.code == "OP-UNSUPPORTED":  # told by the algebra, together with what else it finds
                _keep(builder, node, (problem.message, problem.hint or ""))
                continue
            problems.append(problem)
            for output in node.outputs:
                builder.bind(output, output)
    if problems:
        raise Problems(problems)
    for name, tensor in graph.outputs:
        builder.emit("Identity", "", (builder.name_of(tensor),), (name,), {})
    nodes = _needed(builder.nodes, [name for name, _ in graph.outputs])
    used = {name for node in nodes for name in node.inputs}
    return SourceGraph(
        graph.name,
        tuple(_input(graph, name, tensor) for name, tensor in graph.inputs),
        tuple(name for name, _ in graph.outputs),
        nodes,
        {name: value for name, value in builder.constants.items() if name in used},
        "float64" if graph.frozen else "float32",
        graph.provenance,
    )


def _damaged(node: ExportedNode, error: Exception) -> InputError:
    message = f"the arguments of {node.target} make no sense ({type(error).__name__}: {error})"
    return InputError("GRAPH-DAMAGED", message, where=node.layer or None)


def _check_names(public: list[str]) -> None:
    doubled = sorted({n for n in public if public.count(n) > 1})
    if doubled:
        raise InputError("IO-NAMES", f"several inputs or outputs are named {doubled[0]!r}", hint="Give each its own name")


def _input(graph: ExportedGraph, name: str, tensor: str) -> SourceInput:
    meta = graph.metas.get(tensor)
    if meta is None:
        raise InputError("GRAPH-DAMAGED", "the graph does not describe this input", where=name)
    if not meta.shape:
        raise InputError("INPUT-SHAPE", "the input is a single number, a batch of frames was expected", where=name)
    return SourceInput(name, (1, *meta.shape[1:]), meta.dtype)


def _convert(builder: SourceBuilder, node: ExportedNode, aliases: Aliases, place: int) -> None:
    call = Call(builder, node)
    handler, in_place = _handler(node.target)
    subject = next(iter(node.arguments.values()), None) if in_place else None
    # A batch norm in train mode counts its batches: it says itself what is wrong.
    if isinstance(subject, Ref) and subject.name in builder.graph.tensors and not subject.name.endswith("num_batches_tracked"):
        raise stateful(subject.name, call.layer)
    renamed = aliases.written(place, node) if isinstance(subject, Ref) else []
    if handler is None:
        _keep(builder, node, reason_and_hint(node.target))
    else:
        handler(call)
    for name in renamed:
        builder.bind(name, builder.name_of(node.outputs[0]))


def _handler(target: str) -> tuple[Handler | None, bool]:
    """Handler of ``aten.relu_.default`` and whether the operator works in place."""
    base = target.rpartition(".")[0] if target.count(".") == 2 else target
    if target in HANDLERS or base in HANDLERS:
        return HANDLERS.get(target, HANDLERS.get(base)), False
    return HANDLERS.get(base.removesuffix("_")), is_in_place(target)


def _keep(builder: SourceBuilder, node: ExportedNode, why: tuple[str, str] | None) -> None:
    """A node under torch's own name, which the algebra refuses; ``why`` is what it says then."""
    values = [v for a in node.arguments.values() for v in (a if isinstance(a, list) else [a])]
    inputs = [builder.name_of(v.name) for v in values if isinstance(v, Ref)]
    outputs = [builder.unique(o) if o else "" for o in node.outputs]
    attributes = {} if why is None else {"hwq_reason": why[0], "hwq_hint": why[1]}
    builder.emit(node.target, Call(builder, node).layer, inputs, outputs, attributes)
    for tensor, name in zip(node.outputs, outputs, strict=True):
        if tensor:
            builder.bind(tensor, name)


def _needed(nodes: list[SourceNode], outputs: list[str]) -> tuple[SourceNode, ...]:
    """Nodes that an output depends on, in order."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted.intersection(node.outputs):
            kept.append(node)
            wanted.update(node.inputs)
    return tuple(reversed(kept))

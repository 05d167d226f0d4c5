"""From an exported torch graph to the source graph. Operators nobody knows keep their torch name, to be refused by layer."""

from __future__ import annotations

from hwq.errors import HwqError, InputError, Problems
from hwq.frontend import aten_elementwise, aten_layers, aten_quant  # noqa: F401  (fill the table)
from hwq.frontend.aten import HANDLERS, Call, Handler, SourceBuilder
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
    for node in graph.nodes:
        try:
            _convert(builder, node)
        except (InputError, *DAMAGE) as error:
            problems.append(error if isinstance(error, InputError) else _damaged(node, error))
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


def _convert(builder: SourceBuilder, node: ExportedNode) -> None:
    call = Call(builder, node)
    handler, in_place = _handler(node.target)
    if handler is None:
        _keep(builder, node, call)
        return
    subject = next(iter(node.arguments.values()), None) if in_place else None
    # A batch norm in train mode counts its batches: it says itself what is wrong.
    if isinstance(subject, Ref) and subject.name in builder.graph.tensors and not subject.name.endswith("num_batches_tracked"):
        raise stateful(subject.name, call.layer)
    handler(call)
    if isinstance(subject, Ref):
        builder.bind(subject.name, builder.name_of(node.outputs[0]))


def _handler(target: str) -> tuple[Handler | None, bool]:
    """Handler of ``aten.relu_.default`` and whether the operator works in place."""
    base = target.rpartition(".")[0] if target.count(".") == 2 else target
    if target in HANDLERS or base in HANDLERS:
        return HANDLERS.get(target, HANDLERS.get(base)), False
    return HANDLERS.get(base.removesuffix("_")), base.endswith("_")


def _keep(builder: SourceBuilder, node: ExportedNode, call: Call) -> None:
    values = [v for a in node.arguments.values() for v in (a if isinstance(a, list) else [a])]
    inputs = [builder.name_of(v.name) for v in values if isinstance(v, Ref)]
    outputs = [builder.unique(o) if o else "" for o in node.outputs]
    builder.emit(node.target, call.layer, inputs, outputs, {})
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

"""Live torch modules: hwq.quant's frozen ones and plain torch through torch.export, Brevitas through its own ONNX export."""

from __future__ import annotations

import copy
import inspect
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hwq.errors import InputError
from hwq.frontend.source import SourceGraph, SourceNode

if TYPE_CHECKING:
    from torch import nn

__all__ = ["is_torch_module", "live_graph"]


def is_torch_module(source: object) -> bool:
    """Whether ``source`` is a torch module; does not import torch."""
    return any(c.__module__ == "torch.nn.modules.module" and c.__name__ == "Module" for c in type(source).__mro__)


def live_graph(module: nn.Module, example_input: Any, name: str | None = None) -> SourceGraph:
    """The source graph of a module in eval mode, with the user's layer names.

    Raises :class:`InputError` in train mode, without an example input, and for a module of hwq.quant that is not frozen:
    exactness is claimed against the frozen module, so the user must hold it.
    """
    from hwq.quant.freeze import is_unfrozen, refuse_training

    if example_input is None:
        raise InputError(
            "EXAMPLE-INPUT", "a live module needs an example input", hint="Pass a batch of frames: hwq.compile(module, example_input, ...)"
        )
    refuse_training(module)
    if is_unfrozen(module):
        raise InputError(
            "UNFROZEN",
            "the module is not frozen",
            where=type(module).__name__,
            hint="Compile what hwq.quant.freeze(module) returns, or save it with hwq.save, which freezes",
        )
    if any(type(part).__module__.split(".")[0] == "brevitas" for part in module.modules()):
        return _brevitas(module, example_input, name or type(module).__name__)
    return _torch(module, example_input, name or _class_name(module))


def _class_name(module: nn.Module) -> str:
    from hwq.quant.frozen import Frozen

    return type(module.module if isinstance(module, Frozen) else module).__name__


def _torch(module: nn.Module, example_input: Any, name: str) -> SourceGraph:
    from hwq.frontend.model_pt import export_for_hwq
    from hwq.frontend.torch_graph import source_graph

    graph, _ = export_for_hwq(module, example_input, name)
    return source_graph(graph)


def _brevitas(module: nn.Module, example_input: Any, name: str) -> SourceGraph:
    """QuantTensors break torch.export; Brevitas's own exporter keeps the layer names."""
    import torch

    from hwq.frontend.onnx_reader import read_onnx

    args = tuple(example_input) if isinstance(example_input, tuple | list) else (example_input,)
    args = tuple(a[:1] if isinstance(a, torch.Tensor) else a for a in args)
    names = list(inspect.signature(module.forward).parameters)[: len(args)]
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            from brevitas.export import export_qonnx

            # The export leaves handlers in the module: give it a copy. Torch's newer exporter renames the layers.
            model = export_qonnx(copy.deepcopy(module), args=args, dynamo=False, input_names=names)
    except Exception as error:  # whatever Brevitas and torch raise means the same to the user
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError("EXPORT-FAILED", f"Brevitas cannot export the module: {lines[0][:300]}", where=name) from None
    graph = read_onnx(model.SerializeToString(), name)
    nodes = _named(graph.nodes, module)
    return _with_output_names(replace(graph, nodes=nodes), _output_names(module, args, len(graph.outputs)))


def _output_names(module: nn.Module, args: tuple[Any, ...], count: int) -> list[str]:
    """Names as on every other road: the keys of a dict, else ``output`` or ``output_0`` and so on."""
    import torch

    if count == 1:
        return ["output"]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        result = module(*args)
    if isinstance(result, dict) and len(result) == count:
        return [str(key) for key in result]
    return [f"output_{k}" for k in range(count)]


def _with_output_names(graph: SourceGraph, names: list[str]) -> SourceGraph:
    """The exporter numbers outputs: they get ``names``, unless other tensors have them."""
    taken = {o for n in graph.nodes for o in n.outputs} | {i.name for i in graph.inputs} | set(graph.constants)
    if taken.intersection(names):
        return graph
    renames = tuple(SourceNode("", "Identity", (old,), (new,)) for old, new in zip(graph.outputs, names, strict=True))
    return replace(graph, nodes=(*graph.nodes, *renames), outputs=tuple(names))


def _named(nodes: Sequence[SourceNode], module: nn.Module) -> tuple[SourceNode, ...]:
    """The nodes under the user's names; further uses of one layer are ``act@1``, ``act@2``."""
    paths = _user_paths(module)
    layers = {p for p in paths if type(module.get_submodule(p)).__module__.startswith(("brevitas.", "torch.nn."))}
    uses: Counter[tuple[str, str]] = Counter()
    named = []
    for node in nodes:
        name = _user_name(node.name, paths)
        if name in layers:
            inner = (name, re.sub(r"_\d+(?=/|$)", "", node.name))  # the exporter numbers what repeats in a scope
            uses[inner] += 1
            name = name if uses[inner] == 1 else f"{name}@{uses[inner] - 1}"
        named.append(replace(node, name=name))
    return tuple(named)


def _user_paths(module: nn.Module) -> set[str]:
    """Module paths that the user wrote: Brevitas's layers, but not what is inside them."""
    paths: set[str] = set()
    for path, _ in module.named_modules():
        inside = path.rpartition(".")[0]
        parent = module.get_submodule(inside) if path else module
        if path and not (type(parent).__module__.startswith("brevitas.") and inside):
            paths.add(path)
    return {p for p in paths if all(q in paths for q in _prefixes(p))}


def _prefixes(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:k]) for k in range(1, len(parts))]


def _user_name(node: str, paths: set[str]) -> str:
    """``/block/fc1/weight_quant/Quant`` is ``block.fc1`` where that is the user's layer; ``/Add``, of no layer, ``Add``."""
    parts = [p for p in node.split("/")[:-1] if p]
    # A child of nn.Sequential is scoped by its whole path: /layers/layers.0/Gemm.
    path = ".".join(p for p, inner in zip(parts, [*parts[1:], ""], strict=False) if not inner.startswith(f"{p}."))
    return max((p for p in (path, *_prefixes(path)) if p in paths), key=len, default=node.strip("/").replace("/", "."))

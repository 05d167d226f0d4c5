"""model.pt: hwq's own model file, plain data that ``torch.load(weights_only=True)`` reads. Written in the user's process.

Document: ``format`` ``"hwq-model"``, ``format_version``, ``name``, ``frozen``, ``inputs`` and ``outputs`` (name, tensor),
``nodes`` (target, layer, arguments, outputs), ``metas`` (shape, dtype) by tensor, ``tensors`` by name, ``producer``,
``freeze`` (what the freeze cost). An argument that is a tensor is ``{"tensor": name}``. No paths, no stack traces, no code.
"""

from __future__ import annotations

import io as stdio
import logging
import os
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hwq.errors import HwqError, InputError, Problems
from hwq.frontend.exported import ExportedGraph, ExportedNode, Ref, TensorMeta

if TYPE_CHECKING:
    from torch import nn

__all__ = ["FORMAT", "FORMAT_VERSION", "export_for_hwq", "read_model_pt", "save_model_pt"]

LOG = logging.getLogger("hwq")
FORMAT = "hwq-model"
FORMAT_VERSION = 1


def save_model_pt(
    module: nn.Module,
    path: str | os.PathLike[str],
    example_input: Any,
    name: str | None = None,
    io: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Freeze ``module`` where it holds layers of hwq.quant, trace it, and write it as a model.pt.

    Parameters
    ----------
    module
        A torch module in eval mode.
    path
        File to write; an existing one is replaced only when the new one is complete.
    example_input
        A tensor, or a tuple of tensors, batch first, as ``module`` takes them.
    name
        Name of the model; the stem of ``path`` when None.
    io
        ``{"inputs": [...], "outputs": [...]}``: names for them; either may be left out.

    Raises :class:`InputError` in train mode, for an example that does not fit, and for what cannot be traced.
    """
    import torch

    target = Path(path)
    graph, report = export_for_hwq(module, example_input, name or target.stem, io)
    document = _document(graph)
    document["freeze"] = None if report is None else _plain_report(report)
    buffer = stdio.BytesIO()
    torch.save(document, buffer)
    _replace(target, buffer.getvalue())
    LOG.info("saved %s", target.name)


def export_for_hwq(
    module: nn.Module, example_input: Any, name: str, io: Mapping[str, Sequence[str]] | None = None
) -> tuple[ExportedGraph, Any]:
    """The exported graph of a module, frozen where hwq.quant is in it, and the freeze's report or None."""
    from torch import nn

    from hwq.frontend.torch_export import export_module, output_names
    from hwq.quant.freeze import freeze, is_unfrozen, refuse_training
    from hwq.quant.frozen import Frozen

    if not isinstance(module, nn.Module):
        raise InputError("MODULE", f"{type(module).__name__} was given, a torch module was expected", where=name)
    example = _example(example_input)
    refuse_training(module)
    if any(type(part).__module__.split(".")[0] == "brevitas" for part in module.modules()):
        raise InputError(
            "BREVITAS",
            "a Brevitas module cannot be traced by torch.export",
            where=type(module).__name__,
            hint="Pass the module itself to hwq.compile, or write an ONNX file with brevitas.export.export_qonnx(..., dynamo=False)",
        )
    output_names(module, example)  # a wrong example is told before anything else
    _refuse_unbatched(module, example)
    if is_unfrozen(module):
        module = freeze(module, *example)
    elif not isinstance(module, Frozen):
        _refuse_nan(module)
    graph = _renamed(export_module(module, example, name), io or {})
    return graph, module.report if isinstance(module, Frozen) else None


def _example(example_input: Any) -> tuple[Any, ...]:
    import torch

    example = tuple(example_input) if isinstance(example_input, tuple | list) else (example_input,)
    example = tuple(torch.as_tensor(e) if isinstance(e, np.ndarray) else e for e in example)
    for k, e in enumerate(example):
        if not isinstance(e, torch.Tensor) or e.dim() == 0 or e.shape[0] == 0:
            raise InputError(
                "EXAMPLE-INPUT",
                f"example input {k} is {type(e).__name__ if not isinstance(e, torch.Tensor) else tuple(e.shape)}, "
                "a tensor of one frame or more, batch first, was expected",
            )
    return example


def _refuse_unbatched(module: nn.Module, example: tuple[Any, ...]) -> None:
    """An example of one axis that the module takes only whole is a frame, not a batch."""
    import torch

    flat = [k for k, e in enumerate(example) if e.dim() == 1 and e.shape[0] > 1]
    if not flat:
        return
    try:
        with torch.no_grad():
            module(*(e[:1] for e in example))
    except Exception:  # whatever the module raises says that the first axis is no batch
        k = flat[0]
        raise InputError(
            "EXAMPLE-INPUT",
            f"example input {k} has shape {tuple(example[k].shape)}: one frame without the batch axis in front",
            hint="Pass a batch: example.unsqueeze(0)",
        ) from None


def _refuse_nan(module: nn.Module) -> None:
    import torch

    problems: list[HwqError] = []
    for key, value in module.named_parameters():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            layer, _, name = key.rpartition(".")
            where = layer or type(module).__name__
            problems.append(
                InputError("WEIGHT-NAN", f"{name} holds NaN or infinity", where=where, hint="Train again, or repair the checkpoint")
            )
    if problems:
        raise Problems(problems)


def _renamed(graph: ExportedGraph, io: Mapping[str, Sequence[str]]) -> ExportedGraph:
    unknown = sorted(set(io) - {"inputs", "outputs"})
    if unknown:
        raise InputError("IO-NAMES", f"io has a key {unknown[0]!r}, 'inputs' and 'outputs' exist")
    return replace(
        graph, inputs=_named(graph.inputs, io.get("inputs"), "input"), outputs=_named(graph.outputs, io.get("outputs"), "output")
    )


def _named(pairs: tuple[tuple[str, str], ...], names: Sequence[str] | None, what: str) -> tuple[tuple[str, str], ...]:
    if names is None:
        return pairs
    if isinstance(names, str) or len(names) != len(pairs) or not all(isinstance(n, str) and n for n in names):
        raise InputError("IO-NAMES", f"io names {names!r} for the {what}s, {len(pairs)} non-empty strings were expected")
    return tuple((new, tensor) for new, (_, tensor) in zip(names, pairs, strict=True))


def _plain_report(report: Any) -> dict[str, Any]:
    return {"layers": [asdict(c) for c in report.layers], "max_output_change": report.max_output_change}


def _document(graph: ExportedGraph) -> dict[str, Any]:
    import torch

    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "name": graph.name,
        "frozen": graph.frozen,
        "producer": str(graph.provenance.get("producer", "")),
        "inputs": [list(pair) for pair in graph.inputs],
        "outputs": [list(pair) for pair in graph.outputs],
        "nodes": [
            {
                "target": n.target,
                "layer": n.layer,
                "arguments": {k: _plain(v) for k, v in n.arguments.items()},
                "outputs": list(n.outputs),
            }
            for n in graph.nodes
        ],
        "metas": {k: {"shape": list(m.shape), "dtype": m.dtype} for k, m in graph.metas.items()},
        "tensors": {k: torch.from_numpy(np.array(v)) for k, v in graph.tensors.items()},
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Ref):
        return {"tensor": value.name}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value


def _replace(target: Path, data: bytes) -> None:
    partial = target.with_name(target.name + ".partial")
    try:
        partial.write_bytes(data)
        os.replace(partial, target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise InputError("FILE-WRITE", f"the file cannot be written ({error.strerror})", where=str(target)) from None


def read_model_pt(path: Path) -> ExportedGraph:
    """Read a model.pt; raises :class:`InputError` for anything damaged, foreign or newer than this hwq."""
    where = path.name
    document = load_plain(path)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError("FILE-FORMAT", "this torch file is no model saved by hwq.save", where=where)
    version = document.get("format_version")
    if not isinstance(version, int) or version < 1:
        raise InputError("FILE-DAMAGED", f"its format version is {str(version)[:20]!r}", where=where)
    if version > FORMAT_VERSION:
        raise InputError(
            "FILE-NEWER", f"it has format {str(version)[:20]}, this hwq reads up to {FORMAT_VERSION}", where=where, hint="Update hwq"
        )
    try:
        return _graph(document, path.stat().st_size)
    except InputError as error:
        raise InputError(error.code, error.message, where=error.where or where, hint=error.hint) from None
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
        raise InputError("FILE-DAMAGED", f"this model.pt is damaged ({type(error).__name__}: {error})", where=where) from None


def load_plain(path: Path) -> Any:
    """The plain data of a torch file, without running anything from it."""
    try:
        import torch
    except ImportError:
        raise InputError(
            "MISSING-PACKAGE", "reading a model.pt needs torch, which is not installed", where=path.name, hint="pip install 'hwq[torch]'"
        ) from None

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise InputError(
            "PICKLE", "the file holds Python objects besides plain data; nothing of it was run", where=path.name, hint="Use hwq.save"
        ) from None
    except (RuntimeError, ValueError, KeyError, EOFError, OSError, TypeError, IndexError, AttributeError) as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise InputError("FILE-DAMAGED", f"the torch file is damaged ({reason})", where=path.name) from None


def _graph(document: Mapping[str, Any], file_bytes: int) -> ExportedGraph:
    import torch

    tensors = {}
    for key, tensor in document["tensors"].items():
        if not isinstance(tensor, torch.Tensor):
            raise TypeError(f"{key!r} is no tensor")
        # A view of one element can claim any shape: measure before it is copied.
        if tensor.numel() * tensor.element_size() > file_bytes:
            raise InputError("FILE-BOMB", f"tensor {key!r} claims {tensor.numel()} elements, more than the file holds")
        tensors[str(key)] = np.array(tensor.numpy(), order="C")
    metas = {str(k): TensorMeta(tuple(int(d) for d in m["shape"]), str(m["dtype"])) for k, m in document["metas"].items()}
    nodes = tuple(_node(n) for n in document["nodes"])
    return ExportedGraph(
        str(document["name"]),
        tuple((str(a), str(b)) for a, b in document["inputs"]),
        tuple((str(a), str(b)) for a, b in document["outputs"]),
        nodes,
        tensors,
        metas,
        bool(document["frozen"]),
        {"format": FORMAT, "producer": str(document["producer"]), "freeze": document.get("freeze")},
    )


def _node(n: Mapping[str, Any]) -> ExportedNode:
    arguments = {str(k): _argument(v) for k, v in n["arguments"].items()}
    return ExportedNode(str(n["target"]), str(n["layer"]), arguments, tuple(str(o) for o in n["outputs"]))


def _argument(value: Any) -> Any:
    if isinstance(value, dict):
        return Ref(str(value["tensor"]))
    return [_argument(v) for v in value] if isinstance(value, list) else value

"""``hwq.read``: whatever holds a network becomes a Model."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hwq.errors import InputError
from hwq.frontend.live import is_torch_module, live_graph
from hwq.frontend.options import ReadOptions
from hwq.frontend.recognise import Format, recognise
from hwq.frontend.source import SourceGraph
from hwq.network.model import Model

__all__ = ["read", "read_graph"]


def read(source: Any, options: ReadOptions | None = None, example_input: Any = None) -> Model:
    """The Model of a file or a live torch module.

    Parameters
    ----------
    source
        Path of a model.pt, .pt2, ONNX or .hwq file, recognised by content; or a torch module in eval mode.
    options
        What the user says about the model.
    example_input
        A batch the module runs on; for live modules only.

    Raises :class:`InputError` for what is no model, :class:`Problems` for all that stands in a model's way.
    """
    options = options or ReadOptions()
    if not is_torch_module(source):
        path = _path(source)
        if recognise(path) is Format.HWQ:
            return _network_file(path, options)
    from hwq.frontend.lower import lower

    return lower(read_graph(source, options.name, example_input), options)


def read_graph(source: Any, name: str | None = None, example_input: Any = None) -> SourceGraph:
    """The source graph of a file or a live module, before any lowering; its provenance names the file's hash."""
    if is_torch_module(source):
        return live_graph(source, example_input, name)
    path = _path(source)
    kind = recognise(path)
    graph = _file_graph(path, kind)
    facts = {**graph.provenance, "format": kind.value, "file": path.name, "sha256": _sha256(path)}
    return replace(graph, name=name or graph.name, provenance=facts)


def _path(source: Any) -> Path:
    if isinstance(source, str | os.PathLike):
        return Path(source)
    if isinstance(source, Mapping):
        raise InputError(
            "STATE-DICT",
            f"{type(source).__name__} was given: tensors (a state dict) without the network they belong to",
            hint="Load it into its module with load_state_dict and pass module.eval()",
        )
    raise InputError("SOURCE-KIND", f"{type(source).__name__} was given, a path or a torch module was expected")


def _file_graph(path: Path, kind: Format) -> SourceGraph:
    if kind is Format.ONNX:
        from hwq.frontend.onnx_reader import read_onnx

        return read_onnx(path)
    from hwq.frontend.torch_graph import source_graph

    if kind is Format.PT2:
        from hwq.frontend.pt2 import read_pt2

        return source_graph(read_pt2(path))
    if kind is Format.MODEL_PT:
        from hwq.frontend.model_pt import read_model_pt

        return source_graph(read_model_pt(path))
    raise InputError("SOURCE-KIND", "a .hwq file holds a finished network, no source graph", where=path.name)


def _network_file(path: Path, options: ReadOptions) -> Model:
    from hwq.network.file import load_model

    if replace(options, name=None) != ReadOptions():
        raise InputError(
            "OPTION",
            "a .hwq file is lowered already, such options do not apply",
            where=path.name,
            hint="Read its source again",
        )
    model = load_model(path)
    return model if options.name is None else replace(model, network=replace(model.network, name=options.name))


def _sha256(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()

"""Reader of ONNX files: QONNX and QCDQ dialects, opset 9 and newer."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.errors import HwqError, InputError, Problems
from hwq.frontend.onnx_opsets import modernised
from hwq.frontend.onnx_tensors import tensor_array
from hwq.frontend.onnx_types import ONNX_DTYPES
from hwq.frontend.source import SourceGraph, SourceInput, SourceNode

__all__ = ["read_onnx"]

log = logging.getLogger("hwq")

OLDEST_OPSET, NEWEST_OPSET = 9, 24
MAX_FILE = 1 << 31
CONTROL_FLOW = frozenset({"If", "Loop", "Scan", "SequenceMap"})
STANDARD_DOMAINS = frozenset({"", "ai.onnx"})
QUANTIZER_DOMAINS = frozenset({"onnx.brevitas", "finn.custom_op.general", "qonnx.custom_op.general"})
TARGETS = {"Reshape": 1, "Expand": 1, "Resize": 3}  # the input that holds the shape of the result
QUANTIZERS = frozenset({"Quant", "IntQuant", "BipolarQuant", "Trunc"})


def read_onnx(source: str | Path | bytes, name: str | None = None) -> SourceGraph:
    """The graph of an ONNX file or of its bytes.

    Nothing in the file is executed; external data is read from the file's own folder only.
    Raises :class:`InputError` (or :class:`Problems`) for a file that is missing, truncated, not ONNX, too old, or that
    holds control flow, dynamic axes other than the batch, or NaN and infinite weights.
    """
    data, folder, where = _bytes(source)
    model = _parse(data, where)
    graph = model.graph
    problems: list[HwqError] = []
    _check_opset(model, where, problems)
    constants = _constants(graph, folder, problems)
    inputs = tuple(i for i in (_input(v, graph, problems) for v in graph.input if v.name not in constants) if i is not None)
    nodes = _nodes(model, constants, problems, folder)
    if not graph.output:
        problems.append(InputError("ONNX-EMPTY", "the file holds no graph with an output", where=where))
    if problems:
        raise Problems(problems)
    inputs, nodes = _one_frame(inputs, nodes, constants)
    provenance = _provenance(model, data, graph)
    title = name or (Path(source).stem if isinstance(source, str | Path) else graph.name) or "model"
    return SourceGraph(title, inputs, tuple(o.name for o in graph.output), nodes, constants, "float32", provenance)


def _bytes(source: str | Path | bytes) -> tuple[bytes, Path | None, str]:
    if isinstance(source, bytes):
        return source, None, "the ONNX model"
    path = Path(source)
    try:
        if path.stat().st_size > MAX_FILE:
            raise InputError("FILE-SIZE", f"the file has {path.stat().st_size} bytes, at most {MAX_FILE} are read", where=str(path))
        return path.read_bytes(), path.resolve().parent, str(path)
    except OSError as error:
        raise InputError("FILE-READ", f"the file cannot be read ({error.strerror})", where=str(path)) from None


def _parse(data: bytes, where: str) -> Any:
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    if not data:
        raise InputError("FILE-EMPTY", "the file is empty", where=where)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, ValueError):
        raise InputError("FILE-NOT-ONNX", "the file is truncated or no ONNX model", where=where, hint="Export it again") from None
    if not model.HasField("graph") or not (model.graph.node or model.graph.initializer):
        raise InputError("FILE-NOT-ONNX", "the file is truncated or no ONNX model: it holds no graph", where=where, hint="Export it again")
    return model


def _check_opset(model: Any, where: str, problems: list[HwqError]) -> None:
    versions = [o.version for o in model.opset_import if o.domain in ("", "ai.onnx")]
    if versions and max(versions) > NEWEST_OPSET:
        log.warning("the model uses opset %d; its operators are read as opset %d defines them", max(versions), NEWEST_OPSET)
    if versions and max(versions) < OLDEST_OPSET:
        problems.append(
            InputError(
                "ONNX-OPSET",
                f"the model uses opset {max(versions)}, {OLDEST_OPSET} or newer is needed",
                where=where,
                hint="Export it again with a newer opset_version",
            )
        )


def _constants(graph: Any, folder: Path | None, problems: list[HwqError]) -> dict[str, NDArray[Any]]:
    constants: dict[str, NDArray[Any]] = {}
    readers = {i: n.name for n in reversed(graph.node) for i in n.input if n.name}
    for tensor in graph.initializer:
        array = _array(tensor, tensor.name, folder, problems, readers.get(tensor.name, ""))
        constants[tensor.name] = np.zeros(0) if array is None else array
    for sparse in graph.sparse_initializer:
        problems.append(InputError("OP-UNSUPPORTED", "a sparse tensor is not supported", where=sparse.values.name))
    return constants


def _array(tensor: Any, label: str, folder: Path | None, problems: list[HwqError], reader: str = "") -> NDArray[Any] | None:
    try:
        array = tensor_array(tensor, label, folder)
    except InputError as error:
        problems.append(error)
        return None
    # Infinity is a legitimate bound of Clip, never a weight.
    if array.dtype.kind == "f" and not (np.isfinite(array) | (np.isinf(array) & (array.size == 1))).all():
        whose = f" of {reader!r}" if reader and reader not in label else ""
        message = f"the tensor{whose} holds NaN or infinity"
        problems.append(InputError("WEIGHT-NAN", message, where=label, hint="Train or export the model again"))
    return array


def _input(value: Any, graph: Any, problems: list[HwqError]) -> SourceInput | None:
    if value.type.WhichOneof("value") != "tensor_type":
        problems.append(InputError("INPUT-SHAPE", "the input is no tensor", where=value.name))
        return None
    tensor = value.type.tensor_type
    shape = []
    for axis, dim in enumerate(tensor.shape.dim):
        known = dim.WhichOneof("value") == "dim_value" and dim.dim_value > 0
        if not known and axis > 0:
            label = dim.dim_param or "?"
            problems.append(
                InputError(
                    "INPUT-DYNAMIC",
                    f"axis {axis} of the input has the dynamic size {label!r}, only the batch may be dynamic",
                    where=value.name,
                    hint="Export the model with a fixed size",
                )
            )
        shape.append(dim.dim_value if known else 1)
    if not tensor.HasField("shape"):
        problems.append(InputError("INPUT-SHAPE", "the input has no shape", where=value.name, hint="Export the model with shapes"))
    dtype = ONNX_DTYPES.get(tensor.elem_type)
    if dtype is None:
        problems.append(
            InputError("INPUT-DTYPE", f"the input has ONNX data type {tensor.elem_type}, numbers were expected", where=value.name)
        )
    return SourceInput(value.name, tuple(shape), dtype or "float32", _annotation(graph, value.name))


def _one_frame(
    inputs: tuple[SourceInput, ...], nodes: tuple[SourceNode, ...], constants: dict[str, NDArray[Any]]
) -> tuple[tuple[SourceInput, ...], tuple[SourceNode, ...]]:
    """A model exported with a fixed batch takes one frame: the batch in its inputs and in the shapes it reshapes them to becomes 1."""
    batches = {i.shape[0] for i in inputs if len(i.shape) > 1}
    if len(batches) != 1 or batches == {1}:
        return inputs, nodes
    (batch,) = batches
    live = {i.name for i in inputs}
    made = []
    for node in nodes:
        if live.intersection(node.inputs):
            live.update(node.outputs)
        made.append(_one_frame_target(node, batch, constants) if node.op in TARGETS and live.issuperset(node.inputs[:1]) else node)
    return tuple(replace(i, shape=(1, *i.shape[1:])) if len(i.shape) > 1 else i for i in inputs), tuple(made)


def _one_frame_target(node: SourceNode, batch: int, constants: dict[str, NDArray[Any]]) -> SourceNode:
    """An activation brought to a shape with the fixed batch, with a target of its own: the constant may serve a weight too."""
    place = TARGETS[node.op]
    target = constants.get(node.inputs[place]) if len(node.inputs) > place and "axes" not in node.attributes else None
    if target is None or target.ndim != 1 or target.size < 2 or target[0] != batch:
        return node
    name = f"{node.inputs[place]} (one frame)"
    constants[name] = np.array([1, *target[1:]], target.dtype)
    return replace(node, inputs=(*node.inputs[:place], name, *node.inputs[place + 1 :]))


def _annotation(graph: Any, name: str) -> str | None:
    """QONNX's encoding of a tensor; FLOAT32 says nothing."""
    for annotation in graph.quantization_annotation:
        if annotation.tensor_name == name:
            for entry in annotation.quant_parameter_tensor_names:
                if entry.key == "finn_datatype" and not entry.value.upper().startswith("FLOAT"):
                    return str(entry.value)
    return None


def _nodes(model: Any, constants: dict[str, NDArray[Any]], problems: list[HwqError], folder: Path | None) -> tuple[SourceNode, ...]:
    """Nodes in the file's order; Constant nodes become constants."""
    types = {t.name: t.data_type for t in model.graph.initializer}
    nodes = []
    for place, node in enumerate(model.graph.node):
        label = node.name or f"{node.op_type}_{place}"
        if node.op_type in CONTROL_FLOW or any(a.HasField("g") or a.graphs for a in node.attribute):
            problems.append(
                InputError(
                    "ONNX-CONTROL-FLOW", f"control flow ({node.op_type}) is not supported", where=label, hint="Export a traced model"
                )
            )
            continue
        attributes = {a.name: _attribute(a, label, folder, problems) for a in node.attribute}
        op = _op(node)
        if op == "Constant":
            constants[node.output[0]] = _constant_value(attributes)
            continue
        attributes = {k: v for key, value in attributes.items() for k, v in _plain(key, value)}
        if op == "QuantizeLinear" and len(node.input) > 2 and types.get(node.input[2]) in (21, 22):
            attributes["zero_point_type"] = {21: "uint4", 22: "int4"}[types[node.input[2]]]
        nodes.append(modernised(SourceNode(node.name, op, tuple(node.input), tuple(node.output), attributes), _opset(model)))
    return tuple(nodes)


def _op(node: Any) -> str:
    """The op's name in hwq's vocabulary; one of a foreign domain keeps its domain, and so means nothing there."""
    domains = QUANTIZER_DOMAINS if node.op_type in QUANTIZERS else STANDARD_DOMAINS
    return str(node.op_type) if node.domain in domains else f"{node.domain}::{node.op_type}"


def _opset(model: Any) -> int:
    return max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=13)


def _constant_value(attributes: dict[str, Any]) -> Any:
    """The Constant operator has seven spellings."""
    for key, dtype in (
        ("value", None),
        ("value_float", np.float32),
        ("value_floats", np.float32),
        ("value_int", np.int64),
        ("value_ints", np.int64),
    ):
        if key in attributes:
            return attributes[key] if dtype is None else np.asarray(attributes[key], dtype=dtype)
    return np.zeros(0, np.float32)


def _plain(key: str, value: Any) -> list[tuple[str, Any]]:
    """A tensor attribute (the value of ConstantOfShape) as plain data."""
    if not isinstance(value, np.ndarray):
        return [(key, value)]
    return [(key, value.reshape(-1)[:1].tolist()), (f"{key}_dtype", value.dtype.name)]


def _attribute(attribute: Any, label: str, folder: Path | None, problems: list[HwqError]) -> Any:
    """Plain data of an attribute; a tensor becomes an array."""
    import onnx

    if attribute.type == onnx.AttributeProto.TENSOR:
        array = _array(attribute.t, label, folder, problems)
        return np.zeros(0) if array is None else array
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, int | float | str):
        return value
    try:
        return [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in value]
    except TypeError:
        return str(value)


def _provenance(model: Any, data: bytes, graph: Any) -> dict[str, Any]:
    types = {o.name: ONNX_DTYPES.get(o.type.tensor_type.elem_type) for o in graph.output}
    return {
        "format": "onnx",
        "producer": " ".join(t for t in (model.producer_name, model.producer_version) if t),
        "opset": _opset(model),
        "sha256": hashlib.sha256(data).hexdigest(),
        "output_dtypes": {name: dtype for name, dtype in types.items() if dtype},
    }

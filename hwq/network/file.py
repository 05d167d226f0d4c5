""".hwq files: a Model as plain data, read back equal; and the hash that identifies a Network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.network.container import read_container, write_container
from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.host import HostStep, run_steps
from hwq.network.model import Model, ModelInput, ModelOutput
from hwq.network.op_document import op_document, read_op
from hwq.numerics.encoding import parse_encoding
from hwq.numerics.interval import Interval

__all__ = ["FORMAT_VERSION", "load_model", "network_hash", "save_model"]

FORMAT_VERSION = 1
MAX_FRAME = 1 << 26  # elements of one input or output
Arrays = dict[str, NDArray[Any]]


def save_model(model: Model, path: Path) -> None:
    """Write ``model`` to a ``.hwq`` file."""
    arrays: Arrays = {}
    document = {
        "format": "hwq-network",
        "format_version": FORMAT_VERSION,
        "network": _network_document(model.network, arrays),
        "inputs": [
            {"name": i.name, "shape": list(i.shape), "dtype": i.dtype, "head": _steps(i.head, f"head.{n}", arrays)}
            for n, i in enumerate(model.inputs)
        ],
        "outputs": [
            {"name": o.name, "tensor": o.tensor, "shape": list(o.shape), "dtype": o.dtype, "tail": _steps(o.tail, f"tail.{n}", arrays)}
            for n, o in enumerate(model.outputs)
        ],
        "provenance": dict(model.provenance),
        "notes": dict(model.notes),
    }
    if model.source is not None:
        document["source"] = model.source[0]
        arrays.update({f"source.{k}": v for k, v in model.source[1].items()})
    write_container(path, document, arrays)


def load_model(path: Path) -> Model:
    """Read a ``.hwq`` file; raises :class:`InputError` when it is damaged, foreign or newer than this hwq."""
    document, arrays = read_container(path)
    where = path.name
    if document.get("format") != "hwq-network":
        raise InputError("FILE-FORMAT", "this zip is no .hwq file", where=where)
    check_version(document.get("format_version"), FORMAT_VERSION, where)
    try:
        source = None
        if "source" in document:
            source = (document["source"], {k[7:]: v for k, v in arrays.items() if k.startswith("source.")})
        model = Model(
            _read_network(document["network"], arrays),
            tuple(ModelInput(i["name"], tuple(i["shape"]), i["dtype"], _read_steps(i["head"], arrays)) for i in document["inputs"]),
            tuple(
                ModelOutput(o["name"], o["tensor"], tuple(o["shape"]), o["dtype"], _read_steps(o["tail"], arrays))
                for o in document["outputs"]
            ),
            document["provenance"],
            source,
            document.get("notes", {}),
        )
        _check_shapes(model)
        return model
    except InputError as error:
        raise InputError(error.code, error.message, where=error.where or where, hint=error.hint) from None
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError) as error:
        raise InputError("FILE-DAMAGED", f"this .hwq file is damaged ({type(error).__name__}: {error})", where=where) from None


def _check_shapes(model: Model) -> None:
    """Run the host's steps on one frame, so that shapes and dtypes that do not fit are told now; raises ``ValueError``."""
    with np.errstate(all="ignore"):
        targets = {t.name: t.shape for t in model.network.inputs}
        if sorted(targets) != sorted(i.name for i in model.inputs):
            raise ValueError("its inputs are not those of its network")
        for i in model.inputs:
            if not 0 < prod(i.shape) <= MAX_FRAME:
                raise ValueError(f"the input {i.name!r} has shape {i.shape}")
            run_steps(i.head, np.zeros((1, *i.shape), i.dtype)).reshape(1, *targets[i.name])
        for o in model.outputs:
            info = model.network.tensors[o.tensor]
            if prod(info.shape) > MAX_FRAME:
                raise ValueError(f"the output {o.name!r} has shape {info.shape}")
            frame = np.full((1, *info.shape), info.encoding.lo)
            if len(run_steps(o.tail, frame).reshape(-1, *o.shape).astype(o.dtype)) != 1:
                raise ValueError(f"the output {o.name!r} has shape {o.shape}, which its tensor {o.tensor!r} does not have")


def check_version(found: object, current: int, where: str) -> None:
    """Accept ``format_version`` up to ``current``; refuse newer ones and nonsense by name."""
    if not isinstance(found, int) or found < 1:
        raise InputError("FILE-VERSION", f"format_version is {str(found)[:20]!r}, expected 1..{current}", where=where)
    if found > current:
        raise InputError(
            "FILE-NEWER", f"format_version {str(found)[:20]} is newer than this hwq reads ({current})", where=where, hint="Upgrade hwq"
        )


def network_hash(network: Network) -> str:
    """sha256 (hex) of what the Network computes: structure, constants, names of layers and streams, not its own name."""
    arrays: Arrays = {}
    document = {**_network_document(network, arrays), "name": ""}
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
    for name in sorted(arrays):
        a = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}{a.dtype.str}{a.shape}".encode())
        digest.update(a.tobytes())
    return digest.hexdigest()


def _network_document(network: Network, arrays: Arrays) -> dict[str, Any]:
    return {
        "name": network.name,
        "inputs": [_input_document(i, f"input.{k}", arrays) for k, i in enumerate(network.inputs)],
        "outputs": list(network.outputs),
        "nodes": [
            {"name": n.name, "inputs": list(n.inputs), "outputs": list(n.outputs), "op": op_document(n.op, f"node.{k}", arrays)}
            for k, n in enumerate(network.nodes)
        ],
    }


def _read_network(d: Mapping[str, Any], arrays: Arrays) -> Network:
    return Network(
        d["name"],
        tuple(_read_input(i, arrays) for i in d["inputs"]),
        tuple(Node(n["name"], read_op(n["op"], arrays), tuple(n["inputs"]), tuple(n["outputs"])) for n in d["nodes"]),
        tuple(d["outputs"]),
    )


def _input_document(i: NetworkInput, prefix: str, arrays: Arrays) -> dict[str, Any]:
    document: dict[str, Any] = {"name": i.name, "shape": list(i.shape), "encoding": i.encoding.name}
    if i.reach is not None:
        arrays[f"{prefix}.lo"], arrays[f"{prefix}.hi"] = (np.asarray(x, "<i8") for x in (i.reach.lo, i.reach.hi))
        document["reach"] = [f"{prefix}.lo", f"{prefix}.hi", i.reach.step]
    return document


def _read_input(d: Mapping[str, Any], arrays: Arrays) -> NetworkInput:
    shape, encoding = _triple(d["shape"]), parse_encoding(d["encoding"])
    if "reach" not in d:
        return NetworkInput(d["name"], shape, encoding)
    lo, hi, step = d["reach"]
    reach = Interval(arrays[lo].astype(np.int64), arrays[hi].astype(np.int64), int(step))
    inside = encoding.contains(reach.lo).all() and encoding.contains(reach.hi).all() and (reach.lo <= reach.hi).all()
    if reach.lo.shape != (shape[2],) or reach.hi.shape != (shape[2],) or not inside or step not in (1, 2):
        raise ValueError(f"the input {d['name']!r} has a reach that its encoding does not hold")
    return NetworkInput(d["name"], shape, encoding, reach)


def _triple(shape: list[int]) -> tuple[int, int, int]:
    h, w, c = (int(v) for v in shape)
    return h, w, c


def _steps(steps: tuple[HostStep, ...], prefix: str, arrays: Arrays) -> list[dict[str, Any]]:
    documents = []
    for n, step in enumerate(steps):
        d: dict[str, Any] = {"op": step.op, "attributes": dict(step.attributes)}
        if step.constant is not None:
            arrays[f"{prefix}.{n}"] = np.asarray(step.constant, "<f8")
            d["constant"] = f"{prefix}.{n}"
        documents.append(d)
    return documents


def _read_steps(documents: list[dict[str, Any]], arrays: Arrays) -> tuple[HostStep, ...]:
    return tuple(
        HostStep(d["op"], arrays[d["constant"]].astype(np.float64) if "constant" in d else None, d["attributes"]) for d in documents
    )

"""The source graph: what every reader delivers and the algebra consumes. Its vocabulary is ONNX's (and QONNX's) op names.

Readers of other formats lower to these names with ONNX semantics; a name means the same whatever file it came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SourceGraph", "SourceInput", "SourceNode"]


@dataclass(frozen=True)
class SourceInput:
    """A graph input.

    Parameters
    ----------
    name
        The user's name.
    shape
        Shape with the batch as axis 0, batch 1.
    dtype
        numpy name of the dtype.
    encoding
        QONNX name when the model annotates its input (``finn_datatype``), else None.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    encoding: str | None = None


@dataclass(frozen=True, eq=False)
class SourceNode:
    """One op. ``name`` is the user's own name for the layer (module path, ONNX node name); "" marks an absent input."""

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class SourceGraph:
    """A graph of named ops in topological order over named tensors; ``constants`` are the initializers, as stored.

    ``precision`` is the float format in which the source itself computes: ``float32``, or ``float64`` for frozen
    hwq.quant models; the source executor uses it.
    """

    name: str
    inputs: tuple[SourceInput, ...]
    outputs: tuple[str, ...]
    nodes: tuple[SourceNode, ...]
    constants: Mapping[str, NDArray[Any]]
    precision: str = "float32"
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """The graph as plain data and its arrays, for the Network's file; attributes must be plain data."""
        keys = {name: f"c{k}" for k, name in enumerate(self.constants)}
        plain = {
            "name": self.name,
            "precision": self.precision,
            "inputs": [{"name": i.name, "shape": list(i.shape), "dtype": i.dtype, "encoding": i.encoding} for i in self.inputs],
            "outputs": list(self.outputs),
            "constants": {name: keys[name] for name in self.constants},
            "nodes": [
                {"name": n.name, "op": n.op, "inputs": list(n.inputs), "outputs": list(n.outputs), "attributes": dict(n.attributes)}
                for n in self.nodes
            ],
        }
        return plain, {keys[name]: np.asarray(value) for name, value in self.constants.items()}

    @classmethod
    def from_document(cls, document: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> SourceGraph:
        """The inverse of :meth:`document`; raises ``KeyError`` or ``TypeError`` on foreign data."""
        return cls(
            document["name"],
            tuple(SourceInput(i["name"], tuple(i["shape"]), i["dtype"], i["encoding"]) for i in document["inputs"]),
            tuple(document["outputs"]),
            tuple(SourceNode(n["name"], n["op"], tuple(n["inputs"]), tuple(n["outputs"]), n["attributes"]) for n in document["nodes"]),
            {name: arrays[key] for name, key in document["constants"].items()},
            document["precision"],
        )

"""An exported torch graph as plain data: what model.pt, .pt2 files and live modules have in common. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from hwq.errors import InputError

__all__ = ["ExportedGraph", "ExportedNode", "Ref", "TensorMeta", "stateful"]


@dataclass(frozen=True)
class Ref:
    """An argument that is a tensor of the graph."""

    name: str


@dataclass(frozen=True)
class TensorMeta:
    """Shape (batch first, batch 1 where it is dynamic) and numpy dtype name of a tensor."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, eq=False)
class ExportedNode:
    """One torch operator.

    Parameters
    ----------
    target
        ``namespace.op.overload``, for example ``aten.linear.default``.
    layer
        The user's module path; ``a@1`` for the second use of ``a``; "" outside any submodule.
    arguments
        By the names of the operator's schema; a :class:`Ref`, or plain data (None, bool, int, float, str, lists of these);
        dtypes are numpy names. Arguments at their default may be left out.
    outputs
        Tensor names; "" for one that nobody uses.
    """

    target: str
    layer: str
    arguments: Mapping[str, Any]
    outputs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ExportedGraph:
    """A graph of torch operators in topological order.

    ``inputs`` are tensor names; ``outputs`` pairs of public name and tensor name; ``tensors`` are parameters, buffers and
    constants by graph name; ``metas`` covers every tensor of the graph. ``frozen`` marks the float64 form of hwq.quant.
    """

    name: str
    inputs: tuple[tuple[str, str], ...]
    outputs: tuple[tuple[str, str], ...]
    nodes: tuple[ExportedNode, ...]
    tensors: Mapping[str, NDArray[Any]]
    metas: Mapping[str, TensorMeta]
    frozen: bool = False
    provenance: Mapping[str, Any] = field(default_factory=dict)


def stateful(name: str, where: str | None = None) -> InputError:
    """The error for a graph that writes to its own tensor ``name`` while it runs."""
    return InputError(
        "STATEFUL",
        f"the model changes its own {name!r} as it runs, so that a frame depends on the frames before",
        where=where,
        hint="Export in eval mode, and keep counters out of forward",
    )

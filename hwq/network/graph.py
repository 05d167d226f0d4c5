"""The Network: a graph of integer operations with one exact meaning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hwq.errors import InputError
from hwq.network.ops import Integers, Op, Shape
from hwq.numerics.encoding import Encoding
from hwq.numerics.interval import Interval

__all__ = ["Network", "NetworkInput", "Node", "TensorInfo"]


@dataclass(frozen=True)
class NetworkInput:
    """A graph input: its name, shape (H, W, C) and encoding."""

    name: str
    shape: Shape
    encoding: Encoding


@dataclass(frozen=True)
class Node:
    """One op of the graph. ``name`` is the user's own name of the layer, unique in the Network."""

    name: str
    op: Op
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class TensorInfo:
    """What is known of a tensor without running it."""

    name: str
    shape: Shape
    encoding: Encoding
    interval: Interval
    producer: Node | None


@dataclass(frozen=True, eq=False, repr=False)
class Network:
    """A graph of integer ops, nodes in topological order; no batch dimension.

    Raises :class:`InputError` when a name is used twice, an input is missing or a shape does not fit.
    """

    name: str
    inputs: tuple[NetworkInput, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        missing = [o for o in self.outputs if o not in self.tensors]
        if missing:
            raise InputError("NETWORK-OUTPUT", f"output {missing[0]!r} is computed by no node", where=self.name)

    def __repr__(self) -> str:
        return f"Network({self.name!r}, layers: {len(self.nodes)}, inputs: {len(self.inputs)}, outputs: {len(self.outputs)})"

    @cached_property
    def tensors(self) -> Mapping[str, TensorInfo]:
        """Every tensor by name: shape, encoding, reachable integers, producer."""
        known: dict[str, TensorInfo] = {}
        for i in self.inputs:
            c = i.shape[2]
            reach = Interval(np.full(c, i.encoding.lo), np.full(c, i.encoding.hi), i.encoding.step)
            known[i.name] = TensorInfo(i.name, i.shape, i.encoding, reach, None)
        names: set[str] = set()
        for node in self.nodes:
            if node.name in names:
                raise InputError("NETWORK-NAME", "two layers have this name", where=node.name)
            names.add(node.name)
            (source,), (target,) = node.inputs, node.outputs
            if source not in known or target in known:
                raise InputError("NETWORK-ORDER", f"tensor {source!r} -> {target!r} is not in order", where=node.name)
            x = known[source]
            try:
                shape = node.op.shape(x.shape)
            except ValueError as error:
                raise InputError("NETWORK-SHAPE", str(error), where=node.name) from None
            reach = node.op.interval(x.interval, x.shape)
            known[target] = TensorInfo(target, shape, node.op.encoding(reach), reach, node)
        return known

    def node(self, name: str) -> Node:
        """The node of this name; raises ``KeyError``."""
        return {n.name: n for n in self.nodes}[name]

    def consumers(self, tensor: str) -> tuple[Node, ...]:
        """Nodes that read ``tensor``, in order."""
        return tuple(n for n in self.nodes if tensor in n.inputs)

    def run(self, inputs: Mapping[str, Integers], *, keep: Iterable[str] | None = None, batch: int = 1024) -> dict[str, Integers]:
        """The golden model: integers of the outputs (or of the tensors in ``keep``) for integer inputs (N, H, W, C).

        Frames go through in batches of ``batch`` so that intermediates stay in cache and memory is bounded.
        """
        wanted = tuple(self.outputs if keep is None else keep)
        total = len(next(iter(inputs.values())))
        last_use = self._last_use(wanted)
        chunks: list[dict[str, Integers]] = []
        for start in range(0, max(total, 1), batch):
            live = {name: x[start : start + batch] for name, x in inputs.items()}
            kept = {name: live[name] for name in wanted if name in live}
            for position, node in enumerate(self.nodes):
                live[node.outputs[0]] = node.op.golden(live[node.inputs[0]])
                if node.outputs[0] in wanted:
                    kept[node.outputs[0]] = live[node.outputs[0]]
                for name in [n for n in live if last_use.get(n, -1) <= position]:
                    del live[name]
            chunks.append(kept)
        return {name: np.concatenate([c[name] for c in chunks]) for name in wanted}

    def _last_use(self, wanted: tuple[str, ...]) -> dict[str, int]:
        return {name: position for position, node in enumerate(self.nodes) for name in node.inputs}

"""Cutting: the part of a Network between tensors, as a Network of its own."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hwq.errors import InputError
from hwq.network.graph import Network, NetworkInput, Node

__all__ = ["cut"]


def cut(network: Network, inputs: Sequence[str], outputs: Sequence[str], *, name: str | None = None) -> Network:
    """The part of ``network`` that computes ``outputs`` from ``inputs``; names of tensors and layers stay.

    Given: tensors ``inputs`` and ``outputs``. Result: a Network with just the nodes between; its inputs have the encodings of
    those tensors and reach the same integers, so that everything inside keeps its encoding too. An input that nothing needs is
    left out; an output of a node that nothing reads any more is dropped.

    Raises :class:`InputError` for a tensor that is not in the network (``CUT-TENSOR``) and for outputs that need something
    other than the inputs (``CUT-INPUT``).
    """
    for tensor in (*inputs, *outputs):
        if tensor not in network.tensors:
            raise InputError("CUT-TENSOR", f"{network.name} has no tensor {tensor!r}")
    nodes, read = _between(network, set(inputs), outputs)
    missing = [i.name for i in network.inputs if i.name in read and i.name not in inputs]
    if missing:
        raise InputError("CUT-INPUT", f"{outputs[0]!r} is also computed from {missing[0]!r}", hint="Name it among the inputs")
    wanted = read | set(outputs)
    kept = tuple(Node(n.name, n.op, n.inputs, tuple(o if o in wanted else "" for o in n.outputs)) for n in nodes)
    sources = [network.tensors[i] for i in dict.fromkeys(inputs) if i in read]
    heads = tuple(NetworkInput(t.name, t.shape, t.encoding, t.interval) for t in sources)
    return Network(name or network.name, heads, kept, tuple(outputs))


def _between(network: Network, inputs: Collection[str], outputs: Sequence[str]) -> tuple[list[Node], set[str]]:
    """Nodes that ``outputs`` need, down to ``inputs``, in order, and all tensors read."""
    read: set[str] = set()
    needed = {o for o in outputs if o not in inputs}
    nodes = []
    for node in reversed(network.nodes):
        if needed.intersection(node.outputs):
            nodes.append(node)
            read.update(node.inputs)
            needed.update(t for t in node.inputs if t not in inputs)
    return nodes[::-1], read

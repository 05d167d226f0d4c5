"""Padding: what is more than a sliding window can hold becomes a layer of its own."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

from hwq.network.graph import Network, Node, TensorInfo
from hwq.network.ops import Conv, Pad, Pool, Window

__all__ = ["split_padding"]


def split_padding(network: Network) -> Network:
    """An equal Network in which every window moves forward from pixel to pixel, row to row and frame to frame.

    Given: a convolution or pool padded by so much that its window, in stream order, would have to step back
    (kernel 2 with padding 1 on all sides, say), or in which windows lie wholly above or left of the image.
    Result: ``Pad`` before the same window without padding; zeros contribute nothing to sums, the end of the encoding nothing to
    the largest or smallest.
    """
    nodes: list[Node] = []
    names = {n.name for n in network.nodes}
    for node in network.nodes:
        x = network.tensors[node.inputs[0]]
        if isinstance(node.op, Conv | Pool) and steps_back(node.op.window, x):
            name, padded = _free(f"{node.name}.pad", names), _free(f"{node.name}.padded", network.tensors)
            nodes.append(Node(name, Pad(node.op.window.padding, _outside(node.op, x)), node.inputs, (padded,)))
            nodes.append(replace(node, op=_unpadded(node.op), inputs=(padded,)))
        else:
            nodes.append(node)
    return replace(network, nodes=tuple(nodes)) if len(nodes) > len(network.nodes) else network


def _free(name: str, taken: Container[str]) -> str:
    while name in taken:
        name += "~"
    return name


def steps_back(window: Window, x: TensorInfo) -> bool:
    """Whether the first tap of some window lies before that of the window before it, in the order in which pixels arrive, or the
    first window of all sees none of them."""
    h, w, _ = x.shape
    rows, columns = window.size(h, w)
    if any(before > dilation * (k - 1) for before, dilation, k in zip(window.padding, window.dilation, window.kernel, strict=False)):
        return True
    across = (columns - 1) * window.stride[1]
    row_end = window.stride[0] * w - across if rows > 1 else 0
    return min(row_end, (h - (rows - 1) * window.stride[0]) * w - across) < 0


def _outside(op: Conv | Pool, x: TensorInfo) -> int:
    """The integer that changes nothing: 0 in a sum, an end of the encoding for the largest or smallest."""
    if isinstance(op, Conv) or op.mode == "sum":
        return 0
    return x.encoding.lo if op.mode == "max" else x.encoding.hi


def _unpadded(op: Conv | Pool) -> Conv | Pool:
    if isinstance(op, Conv):
        return replace(op, padding=(0, 0, 0, 0))
    return replace(op, window=replace(op.window, padding=(0, 0, 0, 0)))

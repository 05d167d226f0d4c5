"""Memory of this machine that a network will take, counted before it is taken."""

from __future__ import annotations

import os
from pathlib import Path

from hwq.errors import InputError
from hwq.network.graph import Network, Node
from hwq.network.ops import Conv, Pool, Shape, Window

__all__ = ["available_bytes", "check_golden", "check_memory", "golden_bytes", "writing_bytes"]

INTEGER = 8  # bytes of an integer of the golden model, at most
COPIES = 3  # of a tensor while an op works on it: padded, cast, result
WEIGHT = 24  # bytes a weight of the largest layer while its memory is packed
TEXT = 2.0  # bytes a bit of weights: words, hexadecimal text, file
CGROUP = Path("/sys/fs/cgroup/memory.max")


def golden_bytes(network: Network) -> dict[str, int]:
    """Bytes of each layer's step in the golden model for one frame: what the op reads and writes, padding and windows included."""
    return {node.name: _step_bytes(network, node) for node in network.nodes}


def _step_bytes(network: Network, node: Node) -> int:
    shapes = [network.tensors[t].shape for t in (*node.inputs, *node.outputs) if t]
    elements = sum(h * w * c for h, w, c in shapes)
    windows = 0
    if isinstance(node.op, Conv | Pool):
        elements += _padding_elements(node.op.window, shapes[0])
    if isinstance(node.op, Conv) and not node.op.is_dense:
        h, w, _ = network.tensors[node.outputs[0]].shape
        windows = h * w * node.op.mw * node.op.groups
    elif isinstance(node.op, Pool):
        windows = shapes[-1][0] * shapes[-1][1] * shapes[-1][2]
    return INTEGER * (COPIES * elements + windows)


def _padding_elements(window: Window, shape: Shape) -> int:
    top, left, bottom, right = window.padding
    h, w, c = shape
    return ((h + top + bottom) * (w + left + right) - h * w) * c


def writing_bytes(network: Network) -> int:
    """Bytes that packing and writing the weight memories takes."""
    layers = [(n.op.weights.size, n.op.weight_encoding.bits) for n in network.nodes if isinstance(n.op, Conv)]
    return max((WEIGHT * size for size, _ in layers), default=0) + int(TEXT * sum(size * bits for size, bits in layers))


def available_bytes() -> int:
    """Memory of this machine, or of the container that holds us."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(total, int(CGROUP.read_text()))
    except (OSError, ValueError):
        return total


def check_golden(network: Network) -> None:
    """Refuse a network whose golden model this machine cannot hold for one frame; raises :class:`InputError` (``OUT-OF-MEMORY``)."""
    steps = golden_bytes(network)
    widest = max(steps, key=lambda n: steps[n], default="")
    _check(network, f"one frame of {widest} in the golden model", steps.get(widest, 0))


def check_memory(network: Network) -> None:
    """Refuse a network that this machine cannot run or write; raises :class:`InputError` (``OUT-OF-MEMORY``)."""
    check_golden(network)
    _check(network, "writing its weights", writing_bytes(network))


def _check(network: Network, what: str, needs: int) -> None:
    has = available_bytes()
    if needs > has:
        raise InputError(
            "OUT-OF-MEMORY",
            f"{what} takes about {needs / 1e9:.3g} GB, this machine has {has / 1e9:.3g} GB",
            where=network.name,
            hint="Take a smaller image or layer, or a machine with more memory",
        )

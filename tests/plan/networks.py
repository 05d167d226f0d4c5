"""Small networks by their sizes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.ops import Accumulation, ArgMax, Conv, Exact, Requantize, Saturating, Threshold
from hwq.numerics.encoding import Bipolar, Encoding, Integer
from hwq.numerics.rounding import Rounding


def conv(mw: int, mh: int, encoding: Encoding, accumulation: Accumulation | None = None, seed: int = 0) -> Conv:
    rng = np.random.default_rng(seed)
    levels = np.arange(encoding.lo, encoding.hi + 1, encoding.step)
    return Conv(rng.choice(levels, (mh, 1, 1, mw)).astype(np.int64), encoding, accumulation=accumulation or Exact())


def threshold(channels: int, out: Encoding) -> Threshold:
    count = (out.hi - out.lo) // out.step
    t = np.tile(np.arange(count) - count // 2, (channels, 1)).astype(np.int64)
    return Threshold(t, np.ones_like(t), np.zeros(channels, np.int64), out)


def requantize(channels: int, out: Encoding) -> Requantize:
    m = np.arange(3, 3 + channels, dtype=np.int64)
    return Requantize(m, np.zeros(channels, np.int64), 4, Rounding.FLOOR, out.lo, out.hi, out)


def dense(sizes: Sequence[int], encoding: Encoding | None = None, chunk: int = 0, argmax: bool = False, name: str = "net") -> Network:
    """Fully connected layers with thresholds between them: ``fc0``, ``fc1``, …; scores, or their argmax, at the end."""
    encoding = encoding or Bipolar()
    nodes, tensor = [], "x"
    for k, (mw, mh) in enumerate(pairwise(sizes)):
        accumulation = Saturating(8, chunk) if chunk else None
        nodes.append(Node(f"fc{k}", conv(mw, mh, encoding, accumulation, k), (tensor,), (f"acc{k}",)))
        tensor = f"acc{k}"
        if k < len(sizes) - 2:
            nodes.append(Node(f"act{k}", threshold(mh, encoding), (tensor,), (f"h{k}",)))
            tensor = f"h{k}"
    if argmax:
        nodes.append(Node("argmax", ArgMax(), (tensor,), ("label",)))
        tensor = "label"
    return Network(name, (NetworkInput("x", (1, 1, sizes[0]), encoding),), tuple(nodes), (tensor,))


def tfc() -> Network:
    return dense([784, 64, 64, 64, 10], name="TFC_1W1A")


def two_outputs() -> Network:
    """A hidden layer read by two heads, one of them also through a staircase of its own."""
    ternary = Integer(2, True, True)
    nodes = (
        Node("body", conv(12, 8, ternary), ("x",), ("a",)),
        Node("act", threshold(8, ternary), ("a",), ("h",)),
        Node("left", conv(8, 5, ternary, None, 1), ("h",), ("left_out",)),
        Node("right", conv(8, 7, ternary, None, 2), ("h",), ("r",)),
        Node("squash", requantize(7, Integer(4, True)), ("r",), ("s",)),
        Node("tail", requantize(7, Integer(3, True)), ("s",), ("right_out",)),
    )
    return Network("forked", (NetworkInput("x", (1, 1, 12), ternary),), nodes, ("left_out", "right_out"))


def elementwise_only() -> Network:
    node = Node("quantize", threshold(20, Integer(2, False)), ("x",), ("y",))
    return Network("staircase", (NetworkInput("x", (1, 1, 20), Integer(8, False)),), (node,), ("y",))


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Chains of one to three layers of any size and encoding, with or without saturation and argmax."""
    sizes = draw(st.lists(st.integers(1, 24), min_size=2, max_size=4))
    encoding = draw(st.sampled_from([Bipolar(), Integer(2, True, True), Integer(4, True)]))
    return dense(sizes, encoding, draw(st.sampled_from([0, 0, 4, 6])), draw(st.booleans()))

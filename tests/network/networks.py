"""Random dense Networks for tests: bipolar, ternary and integer layers."""

from __future__ import annotations

import itertools

import numpy as np

from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.ops import Accumulation, Conv, Exact, Threshold
from hwq.numerics.encoding import Bipolar, Encoding, Integer

BIPOLAR, TERNARY = Bipolar(), Integer(2, True, True)


def integers(rng: np.random.Generator, encoding: Encoding, shape: tuple[int, ...]) -> np.ndarray:
    """Random integers of ``encoding``."""
    return encoding.lo + encoding.step * rng.integers(0, (encoding.hi - encoding.lo) // encoding.step + 1, shape)


def dense_network(
    widths: tuple[int, ...] = (12, 7, 5),
    *,
    seed: int = 0,
    x: Encoding = BIPOLAR,
    w: Encoding = BIPOLAR,
    a: Encoding = BIPOLAR,
    accumulation: Accumulation | None = None,
    name: str = "net",
) -> Network:
    """Fully connected layers with thresholds between them, none behind the last."""
    rng = np.random.default_rng(seed)
    nodes, tensor = [], "x"
    for k, (mw, mh) in enumerate(itertools.pairwise(widths)):
        conv = Conv(integers(rng, w, (mh, 1, 1, mw)), w, accumulation=accumulation or Exact())
        nodes.append(Node(f"fc{k}", conv, (tensor,), (f"acc{k}",)))
        tensor = f"acc{k}"
        if k + 2 < len(widths):
            levels = (a.hi - a.lo) // a.step
            spread = max(2, int(np.sqrt(mw) * max(abs(x.lo), x.hi) * max(abs(w.lo), w.hi)))
            t = np.sort(rng.integers(-spread, spread, (mh, levels)), axis=1)
            act = Threshold(t, np.ones_like(t), np.zeros(mh, np.int64), a)
            nodes.append(Node(f"act{k}", act, (tensor,), (f"code{k}",)))
            tensor = f"code{k}"
    return Network(name, (NetworkInput("x", (1, 1, widths[0]), x),), tuple(nodes), (tensor,))

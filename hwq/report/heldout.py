"""Networks for the cost model's test: of random weights, in the shapes of the usual small benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.ops import ArgMax, Conv, Flatten, Pool, Requantize, Threshold, Window
from hwq.numerics.encoding import Bipolar, Encoding, Integer
from hwq.numerics.rounding import Rounding
from hwq.report.bench_networks import one_dimensional

__all__ = ["cnv", "dense", "heldout_networks", "unrolled_networks"]

BIPOLAR, TERNARY = Bipolar(), Integer(2, True, True)
SEED = 11


def heldout_networks() -> tuple[tuple[str, Callable[[], Network], float], ...]:
    """(name, network, frames a second)."""
    return (
        ("tfc", lambda: dense("tfc", [784, 64, 64, 64, 10], BIPOLAR, BIPOLAR, BIPOLAR), 1e6),
        ("tfc_fast", lambda: dense("tfc", [784, 64, 64, 64, 10], BIPOLAR, BIPOLAR, BIPOLAR), 1e7),
        ("tfc_ternary", lambda: dense("tfc-t", [784, 64, 64, 64, 10], TERNARY, TERNARY, TERNARY), 1e6),
        ("mlp_int4", lambda: dense("mlp4", [64, 48, 32, 10], Integer(8, False), Integer(4, True), Integer(4, False)), 5e6),
        ("mlp_int8", lambda: dense("mlp8", [64, 48, 32, 10], Integer(8, False), Integer(8, True), Integer(8, False), True), 2e6),
        ("cnv", cnv, 500.0),
    )


def unrolled_networks() -> tuple[tuple[str, Callable[[], Network]], ...]:
    """(name, network), small enough to become wiring."""
    uint4 = Integer(4, False)
    return (
        ("digits", lambda: dense("digits", [64, 128, 64, 10], uint4, BIPOLAR, BIPOLAR)),
        ("mlp_ternary", lambda: dense("mlp-t", [64, 48, 32, 10], TERNARY, TERNARY, TERNARY)),
        ("mlp_int4", lambda: dense("mlp4", [32, 24, 16, 10], uint4, Integer(4, True), uint4)),
        ("one_dimensional", one_dimensional),
    )


def dense(name: str, sizes: list[int], x: Encoding, w: Encoding, out: Encoding, requantized: bool = False) -> Network:
    """Layers of a perceptron with staircases of ``out`` between them, and the label at the end."""
    rng = np.random.default_rng(SEED)
    nodes, tensor = [], "x"
    for k, (mw, mh) in enumerate(pairwise(sizes)):
        nodes.append(Node(f"fc{k}", _conv(rng, w, (mh, 1, 1, mw)), (tensor,), (f"fc{k}.y",)))
        tensor = f"fc{k}.y"
        if k < len(sizes) - 2:
            nodes.append(Node(f"act{k}", _staircase(rng, out, mh, mw * (w.hi + 1) // 2, requantized), (tensor,), (f"act{k}.y",)))
            tensor = f"act{k}.y"
    nodes.append(Node("argmax", ArgMax(), (tensor,), ("label",)))
    return Network(name, (NetworkInput("x", (1, 1, sizes[0]), x),), tuple(nodes), ("label",))


def cnv() -> Network:
    """The six convolutions and three layers of CNV, a quarter of the channels, binary weights and activations."""
    rng = np.random.default_rng(SEED)
    nodes: list[Node] = []
    tensor, channels = "x", 3
    for k, o in enumerate((16, 16, 32, 32, 64, 64)):
        nodes.append(Node(f"conv{k}", _conv(rng, BIPOLAR, (o, 3, 3, channels)), (tensor,), (f"conv{k}.y",)))
        nodes.append(
            Node(f"act{k}", _staircase(rng, BIPOLAR, o, 9 * channels * (100 if k == 0 else 1), False), (f"conv{k}.y",), (f"act{k}.y",))
        )
        tensor, channels = f"act{k}.y", o
        if k in (1, 3):
            nodes.append(Node(f"pool{k}", Pool("max", Window((2, 2), (2, 2))), (tensor,), (f"pool{k}.y",)))
            tensor = f"pool{k}.y"
    nodes.append(Node("flat", Flatten(), (tensor,), ("flat.y",)))
    tensor = "flat.y"
    for k, (mw, mh) in enumerate(((64, 128), (128, 128), (128, 10))):
        nodes.append(Node(f"fc{k}", _conv(rng, BIPOLAR, (mh, 1, 1, mw)), (tensor,), (f"fc{k}.y",)))
        tensor = f"fc{k}.y"
        if k < 2:
            nodes.append(Node(f"fact{k}", _staircase(rng, BIPOLAR, mh, 12, False), (tensor,), (f"fact{k}.y",)))
            tensor = f"fact{k}.y"
    return Network("cnv", (NetworkInput("x", (32, 32, 3), Integer(8, False)),), tuple(nodes), (tensor,))


def _conv(rng: np.random.Generator, w: Encoding, shape: tuple[int, int, int, int]) -> Conv:
    return Conv(rng.choice(np.arange(w.lo, w.hi + 1, w.step), shape).astype(np.int64), w)


def _staircase(rng: np.random.Generator, out: Encoding, channels: int, spread: int, requantized: bool) -> Threshold | Requantize:
    if requantized:
        m = rng.integers(1 << 10, 1 << 11, channels).astype(np.int64)
        return Requantize(m, rng.integers(-4096, 4096, channels), 18, Rounding.HALF_EVEN, out.lo, out.hi, out)
    count = (out.hi - out.lo) // out.step
    t = np.sort(rng.integers(-spread, spread + 1, (channels, count)), axis=1)
    return Threshold(t, np.ones_like(t), np.zeros(channels, np.int64), out)

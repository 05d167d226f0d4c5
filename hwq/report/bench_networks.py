"""Small networks of the shapes that make streams wait for each other: residual, inception, depthwise, U-Net, one-dimensional."""

from __future__ import annotations

import numpy as np

from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.ops import Add, Concat, Conv, Pool, Threshold, Upsample, Window
from hwq.numerics.encoding import Bipolar, Integer

__all__ = ["depthwise", "inception", "one_dimensional", "residual", "unet"]

UINT2, UINT8 = Integer(2, False), Integer(8, False)
SEED = 5


class _Layers:
    """Collects the nodes of a network; every method returns the tensor it makes."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(SEED)
        self.nodes: list[Node] = []

    def add(self, name: str, op: object, *inputs: str) -> str:
        self.nodes.append(Node(name, op, inputs, (f"{name}.y",)))  # type: ignore[arg-type]
        return f"{name}.y"

    def conv(
        self, name: str, x: str, i: int, o: int, kernel: tuple[int, int] = (3, 3), stride: tuple[int, int] = (1, 1), groups: int = 1
    ) -> str:
        """A bipolar convolution that keeps the size (divides it by the stride), and thresholds to two bits."""
        weights = 2 * self.rng.integers(0, 2, (o, *kernel, i // groups)) - 1
        pad = (kernel[0] // 2, kernel[1] // 2)
        y = self.add(name, Conv(weights, Bipolar(), stride, (*pad, *pad), groups=groups), x)
        return self.threshold(f"{name}.act", y, o, kernel[0] * kernel[1] * i // groups)

    def threshold(self, name: str, x: str, channels: int, spread: int) -> str:
        t = np.sort(self.rng.integers(-spread, spread + 1, (channels, 3)), axis=1)
        return self.add(name, Threshold(t, np.ones_like(t), np.zeros(channels, np.int64), UINT2), x)

    def network(self, name: str, shape: tuple[int, int, int], output: str) -> Network:
        return Network(name, (NetworkInput("x", shape, UINT8),), tuple(self.nodes), (output,))


def residual() -> Network:
    """A stem, a plain block, a block of stride 2 with a convolution in its shortcut, a global pool, ten scores."""
    n = _Layers()
    x = n.conv("stem", "x", 3, 8)
    y = n.conv("block0.conv2", n.conv("block0.conv1", x, 8, 8), 8, 8)
    x = n.threshold("block0.act", n.add("block0.add", Add(np.array([[1], [1]])), y, x), 8, 3)
    y = n.conv("block1.conv2", n.conv("block1.conv1", x, 8, 16, stride=(2, 2)), 16, 16)
    shortcut = n.conv("block1.shortcut", x, 8, 16, (1, 1), (2, 2))
    x = n.threshold("block1.act", n.add("block1.add", Add(np.array([[3], [2]])), y, shortcut), 16, 9)
    x = n.add("pool", Pool("sum", Window((8, 8))), x)
    weights = n.rng.integers(-7, 8, (10, 1, 1, 16))
    return n.network("residual", (16, 16, 3), n.add("fc", Conv(weights, Integer(4, True)), x))


def inception() -> Network:
    """Two blocks of four branches of different lengths, with a pool between."""
    n = _Layers()
    x, channels = n.conv("stem", "x", 3, 8), 8
    for block in ("a", "b"):
        branches = [
            n.conv(f"{block}.one", x, channels, 8, (1, 1)),
            n.conv(f"{block}.three", n.conv(f"{block}.three.reduce", x, channels, 4, (1, 1)), 4, 8),
            n.conv(f"{block}.five", n.conv(f"{block}.five.reduce", x, channels, 4, (1, 1)), 4, 4, (5, 5)),
            n.conv(f"{block}.pooled", n.add(f"{block}.pool", Pool("max", Window((3, 3), padding=(1, 1, 1, 1))), x), channels, 4, (1, 1)),
        ]
        x, channels = n.add(f"{block}.concat", Concat(), *branches), 24
        x = n.add(f"{block}.down", Pool("max", Window((2, 2), (2, 2))), x)
    return n.network("inception", (16, 16, 3), x)


def depthwise() -> Network:
    """Depthwise and pointwise convolutions in turn, one of stride 2."""
    n = _Layers()
    x = n.conv("stem", "x", 3, 8, stride=(2, 2))
    for k, (i, o, stride) in enumerate(((8, 16, 1), (16, 16, 2), (16, 24, 1))):
        x = n.conv(f"{k}.depthwise", x, i, i, stride=(stride, stride), groups=i)
        x = n.conv(f"{k}.pointwise", x, i, o, (1, 1))
    return n.network("depthwise", (24, 24, 3), x)


def unet() -> Network:
    """Two levels down and up again, with a concat of what each level had; a class for every pixel's two scores."""
    n = _Layers()
    first = n.conv("down0", "x", 3, 8)
    second = n.conv("down1", n.add("pool0", Pool("max", Window((2, 2), (2, 2))), first), 8, 16)
    bottom = n.conv("bottom", n.add("pool1", Pool("max", Window((2, 2), (2, 2))), second), 16, 16)
    x = n.add("join1", Concat(), n.add("up1", Upsample((2, 2)), bottom), second)
    x = n.conv("merge1", x, 32, 8)
    x = n.add("join0", Concat(), n.add("up0", Upsample((2, 2)), x), first)
    x = n.conv("merge0", x, 16, 8)
    weights = n.rng.integers(-7, 8, (2, 1, 1, 8))
    return n.network("unet", (16, 16, 3), n.add("pixels", Conv(weights, Integer(4, True)), x))


def one_dimensional() -> Network:
    """Audio-like: one row, long kernels, strides, dilation by stride alone, a global pool."""
    n = _Layers()
    x = n.conv("conv0", "x", 1, 8, (1, 9), (1, 2))
    x = n.conv("conv1", x, 8, 16, (1, 5), (1, 2))
    x = n.add("pool", Pool("max", Window((1, 4), (1, 4))), x)
    x = n.conv("conv2", x, 16, 16, (1, 3))
    x = n.add("mean", Pool("sum", Window((1, 16))), x)
    weights = n.rng.integers(-7, 8, (6, 1, 1, 16))
    return n.network("one-dimensional", (1, 256, 1), n.add("fc", Conv(weights, Integer(4, True)), x))

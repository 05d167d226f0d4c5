"""Convolutional networks by their shapes, with random weights: what the zoo trains, without the training."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.ops import Add, Concat, Conv, Op, Pool, Threshold, Upsample, Window
from hwq.numerics.encoding import Bipolar, Encoding, Integer

BINARY = Bipolar()
TWO_BITS = Integer(2, False)
BYTE = Integer(8, True)


@dataclass
class Builder:
    """Adds layers to a Network, one tensor after the other."""

    name: str
    activation: Encoding = TWO_BITS
    nodes: list[Node] = field(default_factory=list)
    inputs: list[NetworkInput] = field(default_factory=list)
    channels: dict[str, int] = field(default_factory=dict)

    def input(self, h: int, w: int, c: int, encoding: Encoding | None = None) -> str:
        name = f"x{len(self.inputs)}" if self.inputs else "x"
        self.inputs.append(NetworkInput(name, (h, w, c), encoding or Integer(8, False)))
        self.channels[name] = c
        return name

    def add(self, name: str, op: Op, inputs: tuple[str, ...], channels: int) -> str:
        self.nodes.append(Node(name, op, inputs, (f"{name}_y",)))
        self.channels[f"{name}_y"] = channels
        return f"{name}_y"

    def conv(
        self,
        x: str,
        o: int,
        k: int | tuple[int, int] = 3,
        s: int = 1,
        p: int | tuple[int, int, int, int] | None = None,
        weights: Encoding = BINARY,
        groups: int = 1,
        act: bool = True,
    ) -> str:
        name = f"conv{len(self.nodes)}"
        kernel = (k, k) if isinstance(k, int) else k
        padding = (kernel[0] // 2, kernel[1] // 2) * 2 if p is None else (p,) * 4 if isinstance(p, int) else p
        rng = np.random.default_rng(len(self.nodes))
        shape = (o, *kernel, self.channels[x] // groups)
        levels = (weights.hi - weights.lo) // weights.step + 1
        w = rng.integers(0, levels, shape, dtype=np.int16 if weights.bits < 16 else np.int64) * weights.step + weights.lo
        y = self.add(name, Conv(w.astype(np.int64), weights, (s, s), padding, groups=groups), (x,), o)
        return self.act(y) if act else y

    def act(self, x: str) -> str:
        e = self.activation
        count = (e.hi - e.lo) // e.step
        rng = np.random.default_rng(len(self.nodes) + 1000)
        t = np.sort(rng.integers(-40, 40, (self.channels[x], count)), axis=1).astype(np.int64)
        op = Threshold(t, np.ones_like(t), np.zeros(self.channels[x], np.int64), e)
        return self.add(f"act{len(self.nodes)}", op, (x,), self.channels[x])

    def pool(self, x: str, k: int | tuple[int, int], s: int = 1, p: int = 0, mode: str = "max") -> str:
        kernel = (k, k) if isinstance(k, int) else k
        return self.add(f"pool{len(self.nodes)}", Pool(mode, Window(kernel, (s, s), (p,) * 4)), (x,), self.channels[x])

    def join(self, a: str, b: str) -> str:
        return self.act(self.add(f"add{len(self.nodes)}", Add(np.ones((2, 1), np.int64)), (a, b), self.channels[a]))

    def concat(self, *xs: str) -> str:
        return self.add(f"concat{len(self.nodes)}", Concat(), xs, sum(self.channels[x] for x in xs))

    def upsample(self, x: str, factor: int) -> str:
        return self.add(f"up{len(self.nodes)}", Upsample((factor, factor)), (x,), self.channels[x])

    def network(self, *outputs: str) -> Network:
        return Network(self.name, tuple(self.inputs), tuple(self.nodes), outputs)


def cnv() -> Network:
    """FINN's CNV: 1-bit weights, bipolar activations, 8-bit input; pools behind the activations."""
    b = Builder("CNV", BINARY)
    x = b.input(32, 32, 3)
    for k, width in enumerate((64, 128, 256)):
        x = b.conv(b.conv(x, width, p=0), width, p=0)
        x = b.pool(x, 2, 2) if k < 2 else x
    for width in (512, 512):
        x = b.conv(x, width, 1)
    return b.network(b.conv(x, 10, 1, act=False))


def vgg_small(size: int = 32) -> Network:
    b = Builder("VGG-small")
    x = b.conv(b.input(size, size, 3), 128, weights=BYTE)
    x = b.pool(b.conv(x, 128), 2, 2)
    x = b.pool(b.conv(b.conv(x, 256), 256), 2, 2)
    x = b.pool(b.conv(b.conv(x, 512), 512), 2, 2)
    return b.network(b.conv(x, 10, size // 8, p=0, weights=BYTE, act=False))


def resnet18(size: int = 224, width: int = 64) -> Network:
    b = Builder("ResNet-18")
    x = b.pool(b.conv(b.input(size, size, 3), width, 7, 2, weights=BYTE), 3, 2, 1)
    for stage in range(4):
        for block in range(2):
            o, s = width << stage, 2 if stage and not block else 1
            y = b.conv(b.conv(x, o, 3, s), o, 3)
            x = b.join(y, b.conv(x, o, 1, s) if s == 2 else x)
    x = b.act(b.pool(x, size // 32, mode="sum"))
    return b.network(b.conv(x, 1000, 1, weights=BYTE, act=False))


def resnet50(size: int = 224, width: int = 64) -> Network:
    b = Builder("ResNet-50")
    x = b.pool(b.conv(b.input(size, size, 3), width, 7, 2, weights=BYTE), 3, 2, 1)
    for stage, blocks in enumerate((3, 4, 6, 3)):
        for block in range(blocks):
            n, s = width << stage, 2 if stage and not block else 1
            y = b.conv(b.conv(b.conv(x, n, 1), n, 3, s), 4 * n, 1)
            x = b.join(y, b.conv(x, 4 * n, 1, s) if not block else x)
    x = b.act(b.pool(x, size // 32, mode="sum"))
    return b.network(b.conv(x, 1000, 1, weights=BYTE, act=False))


def alexnet() -> Network:
    b = Builder("AlexNet")
    x = b.pool(b.conv(b.input(227, 227, 3), 96, 11, 4, 0, weights=BYTE), 3, 2)
    x = b.pool(b.conv(x, 256, 5), 3, 2)
    x = b.pool(b.conv(b.conv(b.conv(x, 384), 384), 256), 3, 2)
    x = b.conv(b.conv(x, 4096, 6, p=0), 4096, 1)
    return b.network(b.conv(x, 1000, 1, weights=BYTE, act=False))


def residual(size: int = 8, c: int = 8) -> Network:
    b = Builder("residual")
    x = b.conv(b.input(size, size, 3), c)
    x = b.join(b.conv(b.conv(x, c), c), x)
    x = b.join(b.conv(b.conv(x, 2 * c, 3, 2), 2 * c), b.conv(x, 2 * c, 1, 2))
    return b.network(b.conv(b.act(b.pool(x, size // 2, mode="sum")), 5, 1, act=False))


def inception(size: int = 8, c: int = 8) -> Network:
    b = Builder("inception")
    x = b.conv(b.input(size, size, 3), c)
    parts = b.conv(x, c, 1), b.conv(b.conv(x, c, 1), 2 * c, 3), b.conv(b.pool(x, 3, 1, 1), c, 1)
    return b.network(b.conv(b.concat(*parts), 6, size, p=0, act=False))


def depthwise(size: int = 8, c: int = 6) -> Network:
    b = Builder("depthwise")
    x = b.conv(b.input(size, size, 3), c, 3, 2)
    x = b.conv(b.conv(x, c, 3, groups=c), 2 * c, 1)
    return b.network(b.conv(b.conv(x, 4 * c, 3, groups=2 * c), 5, size // 2, p=0, act=False))


def unet(size: int = 8, c: int = 4) -> Network:
    b = Builder("unet")
    top = b.conv(b.input(size, size, 2), c)
    low = b.conv(b.pool(top, 2, 2), 2 * c)
    return b.network(b.conv(b.conv(b.concat(b.upsample(low, 2), top), c), 3, 1, act=False))


def audio(length: int = 64, c: int = 6) -> Network:
    """One-dimensional: H = 1."""
    b = Builder("audio")
    x = b.conv(b.input(1, length, 2), c, (1, 5), p=(0, 2, 0, 2))
    x = b.pool(x, (1, length), mode="sum")
    return b.network(b.conv(b.act(x), 4, 1, act=False))

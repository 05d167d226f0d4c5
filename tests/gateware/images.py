"""Convolutions on small images for the gateware tests, and the words in which images travel."""

from __future__ import annotations

import numpy as np

from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.ops import Accumulation, Conv, Exact, Op, Window
from hwq.numerics.encoding import parse_encoding
from tests.gateware.cases import values
from tests.gateware.stream import pack


def convolution(
    rng: np.random.Generator,
    outputs: int,
    inputs: int,
    window: Window,
    weights: str,
    *,
    groups: int = 1,
    accumulation: Accumulation | None = None,
) -> Conv:
    """Random weights of ``outputs`` channels of ``inputs / groups``."""
    encoding = parse_encoding(weights)
    codes = values(rng, encoding, (outputs, *window.kernel, inputs // groups))
    return Conv(codes, encoding, window.stride, window.padding, window.dilation, groups, accumulation or Exact())


def image_chain(source: str, shape: tuple[int, int, int], *ops: Op) -> Network:
    """``ops`` one behind the other on an image."""
    nodes = [Node(f"{op.kind}{k}", op, ("x" if k == 0 else f"t{k - 1}",), (f"t{k}",)) for k, op in enumerate(ops)]
    return Network("n", (NetworkInput("x", shape, parse_encoding(source)),), tuple(nodes), (f"t{len(ops) - 1}",))


def image_words(codes: np.ndarray, bits: int, elements: int, pixels: int = 1) -> list[int]:
    """Words of images (frames, height, width, channels) of codes: V pixels x E channels, lanes beyond the channels zero."""
    channels, width = codes.shape[3], codes.shape[2]
    padded = np.pad(codes, ((0, 0), (0, 0), (0, -width % pixels), (0, -channels % elements)))
    return [
        pack(row[x : x + pixels, c : c + elements].ravel(), bits)
        for frame in padded
        for row in frame
        for x in range(0, padded.shape[2], pixels)
        for c in range(0, padded.shape[3], elements)
    ]

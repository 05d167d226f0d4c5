"""Test vectors of a design: legal input codes and the golden output codes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.network.file import network_hash
from hwq.network.graph import Network
from hwq.network.ops import Conv, Integers
from hwq.target.streams import StreamPort

__all__ = ["Codes", "codes_of", "random_integers", "vector_codes", "vector_frames", "vectors_file"]

Codes = dict[str, NDArray[Any]]
# Products of the golden model that a few seconds allow, and frames at most and at least: the smallest, the largest, a random one.
PRODUCTS = 8_000_000_000
MOST_FRAMES, FEWEST_FRAMES = 64, 3


def vector_frames(network: Network) -> int:
    """Frames of ``vectors.npz``: 64, fewer where the golden model would take minutes."""
    tensors = network.tensors
    products = sum(n.op.mw * int(np.prod(tensors[n.outputs[0]].shape)) for n in network.nodes if isinstance(n.op, Conv))
    return max(FEWEST_FRAMES, min(MOST_FRAMES, PRODUCTS // max(1, products)))


def random_integers(network: Network, frames: int, seed: int = 0) -> dict[str, Integers]:
    """``frames`` frames of legal integers for every input, (frames, H, W, C): the same for the same network and seed.

    Frame 0 holds the smallest integer everywhere and frame 1 the largest, the rest is uniform.
    """
    rng = np.random.default_rng([int(network_hash(network)[:12], 16), seed])
    result = {}
    for i in network.inputs:
        e = i.encoding
        narrow = next(t for t in (np.int8, np.int16, np.int32, np.int64) if e.hi <= np.iinfo(t).max and e.lo >= np.iinfo(t).min)
        x = np.empty((frames, *i.shape), narrow)
        for start in range(0, frames, 1024):
            index = rng.integers(0, (e.hi - e.lo) // e.step + 1, x[start : start + 1024].shape)
            x[start : start + 1024] = e.lo + e.step * index
        x[:1], x[1:2] = e.lo, e.hi
        result[i.name] = x
    return result


def codes_of(ports: tuple[StreamPort, ...], integers: Mapping[str, Integers]) -> Codes:
    """Codes by port name of integers by tensor name; raises :class:`InputError` for an integer outside the encoding."""
    return {p.port: p.codes(integers[p.name]) for p in ports}


def vector_codes(
    network: Network, inputs: tuple[StreamPort, ...], outputs: tuple[StreamPort, ...], integers: Mapping[str, Integers]
) -> Codes:
    """Codes by port of the given input integers and of what the golden model makes of them."""
    return codes_of(inputs, integers) | codes_of(outputs, network.run(integers))


def vectors_file(codes: Mapping[str, NDArray[Any]]) -> bytes:
    """``vectors.npz``: one unsigned array (N, H, W, C) of codes a port, in the smallest dtype."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **dict(sorted(codes.items())))  # type: ignore[arg-type]
    return buffer.getvalue()

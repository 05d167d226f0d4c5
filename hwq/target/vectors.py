"""Test vectors of a design: legal input codes and the golden output codes."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hwq.network.file import network_hash
from hwq.network.graph import Network
from hwq.network.ops import Integers
from hwq.target.streams import StreamPort

__all__ = ["Codes", "codes_of", "random_integers", "vector_codes", "vectors_file"]

Codes = dict[str, NDArray[np.int64]]


def random_integers(network: Network, frames: int, seed: int = 0) -> dict[str, Integers]:
    """``frames`` frames of legal integers for every input, (frames, H, W, C): the same for the same network and seed.

    Frame 0 holds the smallest integer everywhere and frame 1 the largest, the rest is uniform.
    """
    rng = np.random.default_rng([int(network_hash(network)[:12], 16), seed])
    result = {}
    for i in network.inputs:
        e = i.encoding
        x = e.lo + e.step * rng.integers(0, (e.hi - e.lo) // e.step + 1, (frames, *i.shape))
        x[:1], x[1:2] = e.lo, e.hi
        result[i.name] = x
    return result


def codes_of(ports: tuple[StreamPort, ...], integers: Mapping[str, Integers]) -> Codes:
    """Codes by port name of integers by tensor name; raises :class:`InputError` for an integer outside the encoding."""
    return {p.port: p.encoding.encode(integers[p.name]) for p in ports}


def vector_codes(
    network: Network, inputs: tuple[StreamPort, ...], outputs: tuple[StreamPort, ...], integers: Mapping[str, Integers]
) -> Codes:
    """Codes by port of the given input integers and of what the golden model makes of them."""
    return codes_of(inputs, integers) | codes_of(outputs, network.run(integers))


def vectors_file(codes: Mapping[str, NDArray[np.int64]]) -> bytes:
    """``vectors.npz``: one unsigned array (N, H, W, C) of codes a port, in the smallest dtype."""
    buffer = io.BytesIO()
    narrow = {name: c.astype(np.min_scalar_type(int(c.max(initial=0)))) for name, c in sorted(codes.items())}
    np.savez_compressed(buffer, **narrow)  # type: ignore[arg-type]
    return buffer.getvalue()

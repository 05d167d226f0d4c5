"""The outer AXI4-Stream ports of a design: names, byte layout, packing. They depend on the Network and the bus width only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.network.graph import Network
from hwq.network.ops import Integers, Shape
from hwq.numerics.encoding import Encoding
from hwq.plan.geometry import ceil_div
from hwq.plan.names import port_names
from hwq.plan.plan import Plan
from hwq.plan.units import pitch_of

__all__ = ["StreamPort", "stream_ports"]

Bytes = NDArray[np.uint8]
CHUNK = 1024  # frames worked on at once: intermediates are eight bytes an element


@dataclass(frozen=True)
class StreamPort:
    """One AXI4-Stream port.

    Elements come in the order H, W, C, each in ``pitch`` bits, little-endian; a frame starts on a beat and its last
    beat is padded with zeros. Codes are sign-extended to the pitch when the encoding is signed, else zero-extended.
    """

    name: str
    port: str
    is_input: bool
    encoding: Encoding
    shape: Shape
    bus_bits: int

    @property
    def pitch(self) -> int:
        """Bits an element occupies."""
        return pitch_of(self.encoding.bits)

    @property
    def elements(self) -> int:
        """Elements a frame."""
        return int(np.prod(self.shape))

    @property
    def elements_per_beat(self) -> int:
        """Elements in a full beat."""
        return self.bus_bits // self.pitch

    @property
    def beats(self) -> int:
        """Beats a frame."""
        return ceil_div(self.elements, self.elements_per_beat)

    @property
    def last_beat_bytes(self) -> int:
        """Bytes of the last beat of a frame that carry something: the ones of its tkeep."""
        return ceil_div(self.elements * self.pitch - (self.beats - 1) * self.bus_bits, 8)

    def pack(self, codes: Integers) -> Bytes:
        """Bytes (N, beats, bus bytes) of codes (N, H, W, C)."""
        result = np.empty((len(codes), self.beats, self.bus_bits // 8), np.uint8)
        for start in range(0, len(codes), CHUNK):
            result[start : start + CHUNK] = self._pack(codes[start : start + CHUNK])
        return result

    def _pack(self, codes: Integers) -> Bytes:
        bits, pitch = self.encoding.bits, self.pitch
        values = np.asarray(codes).reshape(len(codes), -1).astype(np.int64)
        if self.encoding.signed:
            sign = np.int64(1) << (bits - 1)
            values = (values ^ sign) - sign
        room = self.beats * self.elements_per_beat
        padded = np.zeros((len(values), room), np.int64)
        padded[:, : self.elements] = values
        raw = padded.astype(f"<i{pitch // 8}").view(np.uint8) if pitch >= 8 else _pack_small(padded, pitch)
        return raw.reshape(len(values), self.beats, self.bus_bits // 8)

    def codes(self, integers: Integers) -> NDArray[Any]:
        """Codes (N, H, W, C) of integers, in the smallest unsigned dtype; raises :class:`InputError` outside the encoding."""
        result = np.empty(np.shape(integers), np.min_scalar_type((1 << self.encoding.bits) - 1))
        for start in range(0, len(integers), CHUNK):
            result[start : start + CHUNK] = self.encoding.encode(integers[start : start + CHUNK])
        return result

    def unpack(self, raw: Bytes) -> NDArray[np.int64]:
        """Codes (N, H, W, C) of bytes (N, beats, bus bytes); padding is ignored."""
        flat = np.ascontiguousarray(raw).reshape(len(raw), self.beats * self.bus_bits // 8)
        if self.pitch >= 8:
            values = flat.view(f"<u{self.pitch // 8}").astype(np.int64)
        else:
            lanes = np.arange(0, 8, self.pitch)
            values = (
                ((flat[..., None] >> lanes) & ((1 << self.pitch) - 1))
                .reshape(len(raw), self.beats * self.elements_per_beat)
                .astype(np.int64)
            )
        codes = values[:, : self.elements] & ((np.int64(1) << self.encoding.bits) - 1)
        return codes.reshape(len(raw), *self.shape)

    def document(self) -> dict[str, Any]:
        """The port as ``interface.json`` has it."""
        return {
            "name": self.name,
            "port": self.port,
            "encoding": self.encoding.name,
            "bits": self.encoding.bits,
            "signed": self.encoding.signed,
            "integers": [self.encoding.lo, self.encoding.hi, self.encoding.step],
            "shape": list(self.shape),
            "order": "H,W,C",
            "pitch": self.pitch,
            "bus_bits": self.bus_bits,
            "elements": self.elements,
            "elements_per_beat": self.elements_per_beat,
            "beats": self.beats,
            "bytes_per_frame": self.beats * self.bus_bits // 8,
        }


def _pack_small(values: NDArray[np.int64], pitch: int) -> Bytes:
    """Bytes of values narrower than a byte, lowest first."""
    per_byte = 8 // pitch
    lanes = (values & ((1 << pitch) - 1)).astype(np.uint8).reshape(len(values), -1, per_byte)
    result = np.zeros(lanes.shape[:2], np.uint8)
    for k in range(per_byte):
        result |= lanes[..., k] << np.uint8(k * pitch)
    return result


def stream_ports(network: Network, plan: Plan) -> tuple[tuple[StreamPort, ...], tuple[StreamPort, ...]]:
    """Ports of the graph inputs and of the graph outputs, in the Network's order."""
    buses = {s.name: s.bus_bits for s in plan.streams}
    names = port_names(network)

    def port(name: str, is_input: bool) -> StreamPort:
        t = network.tensors[name]
        return StreamPort(name, names[name], is_input, t.encoding, t.shape, buses[name])

    return tuple(port(i.name, True) for i in network.inputs), tuple(port(o, False) for o in network.outputs)

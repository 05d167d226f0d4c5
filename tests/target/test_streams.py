"""Byte layout of the outer streams: packing and its inverse, against bit by bit arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwq.errors import InputError
from hwq.numerics.encoding import Bipolar, Encoding, Integer
from hwq.target.streams import StreamPort

ENCODINGS: list[Encoding] = [
    Bipolar(),
    Integer(2, True, True),
    Integer(3, False),
    Integer(5, True),
    Integer(8, False),
    Integer(13, True),
    Integer(40, True),
]


@given(st.sampled_from(ENCODINGS), st.integers(1, 70), st.sampled_from([64, 128]), st.integers(0, 2**32 - 1))
def test_packing_follows_the_layout_and_unpacking_inverts_it(encoding: Encoding, channels: int, bus: int, seed: int) -> None:
    port = StreamPort("x", "s_axis_x", True, encoding, (1, 2, channels), bus)
    rng = np.random.default_rng(seed)
    integers = encoding.lo + encoding.step * rng.integers(0, (encoding.hi - encoding.lo) // encoding.step + 1, (3, 1, 2, channels))
    codes = port.codes(integers)
    raw = port.pack(codes)
    assert raw.shape == (3, port.beats, bus // 8)
    # Independently: a frame as one big little-endian number.
    for frame in range(3):
        number = 0
        for k, code in enumerate(codes[frame].reshape(-1).tolist()):
            value = code - (1 << encoding.bits) if encoding.signed and code >> (encoding.bits - 1) else code
            number |= (value & ((1 << port.pitch) - 1)) << (k * port.pitch)
        assert int.from_bytes(raw[frame].tobytes(), "little") == number
    np.testing.assert_array_equal(port.unpack(raw), codes)


def test_unpacking_ignores_what_lies_above_a_code() -> None:
    port = StreamPort("x", "s_axis_x", True, Integer(5, False), (1, 1, 4), 64)
    raw = np.full((1, 1, 8), 0xFF, np.uint8)
    np.testing.assert_array_equal(port.unpack(raw), np.full((1, 1, 1, 4), 31))


def test_integers_outside_the_encoding_are_refused() -> None:
    port = StreamPort("x", "s_axis_x", True, Bipolar(), (1, 1, 2), 64)
    with pytest.raises(InputError, match="0 is not one of the integers of BIPOLAR"):
        port.codes(np.zeros((1, 1, 1, 2), int))

"""Encodings: which integer each code on a wire stands for (design: a wire carries a code, an encoding names the integer)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwq.errors import InputError

__all__ = ["Bipolar", "Encoding", "Fixed", "Integer", "parse_encoding", "smallest_integer"]

MAX_BITS = 48


@dataclass(frozen=True)
class Encoding:
    """A code of ``bits`` bits and the integers it stands for: ``lo, lo + step, ..., hi``.

    ``index`` counts the integers from 0 (``integer = lo + step * index``); a code is the two's complement
    bit pattern of the integer, or for :class:`Bipolar` the index itself.
    """

    @property
    def bits(self) -> int:
        """Width of the code in bits."""
        raise NotImplementedError

    @property
    def lo(self) -> int:
        """Smallest integer."""
        raise NotImplementedError

    @property
    def hi(self) -> int:
        """Largest integer."""
        raise NotImplementedError

    @property
    def step(self) -> int:
        """Distance between neighbouring integers."""
        return 1

    @property
    def name(self) -> str:
        """QONNX's name of the encoding, read back by :func:`parse_encoding`."""
        raise NotImplementedError

    @property
    def signed(self) -> bool:
        """Whether the code is a two's complement number."""
        return self.lo < 0

    @property
    def unit(self) -> Fraction:
        """Real value of the integer 1 that the encoding itself implies (1 but for fixed point)."""
        return Fraction(1)

    def contains(self, integers: ArrayLike) -> NDArray[np.bool_]:
        """Which of the ``integers`` have a code."""
        x = np.asarray(integers)
        return (x >= self.lo) & (x <= self.hi) & ((x - self.lo) % self.step == 0)

    def encode(self, integers: ArrayLike) -> NDArray[np.int64]:
        """Codes (0 .. 2**bits - 1) of ``integers``, any shape; raises :class:`InputError` outside the encoding."""
        x = np.asarray(integers, dtype=np.int64)
        outside = ~self.contains(x)
        if outside.any():
            raise InputError(
                "CODE-RANGE",
                f"{int(x[outside].flat[0])} is not one of the integers of {self.name} ({self.lo}..{self.hi})",
            )
        return self._to_code(x)

    def decode(self, codes: ArrayLike) -> NDArray[np.int64]:
        """Integers of ``codes``, any shape; the inverse of :meth:`encode`."""
        c = np.asarray(codes, dtype=np.int64)
        sign = np.int64(1) << (self.bits - 1)
        return (c ^ sign) - sign if self.signed else c

    def _to_code(self, x: NDArray[np.int64]) -> NDArray[np.int64]:
        return x & ((np.int64(1) << self.bits) - 1)


@dataclass(frozen=True)
class Bipolar(Encoding):
    """One bit: code 0 is -1, code 1 is +1 (BinaryConnect, BNN, XNOR-Net)."""

    @property
    def bits(self) -> int:
        return 1

    @property
    def lo(self) -> int:
        return -1

    @property
    def hi(self) -> int:
        return 1

    @property
    def step(self) -> int:
        return 2

    @property
    def name(self) -> str:
        return "BIPOLAR"

    @property
    def signed(self) -> bool:
        return False

    def decode(self, codes: ArrayLike) -> NDArray[np.int64]:
        return 2 * np.asarray(codes, dtype=np.int64) - 1

    def _to_code(self, x: NDArray[np.int64]) -> NDArray[np.int64]:
        return (x + 1) >> 1


@dataclass(frozen=True)
class Integer(Encoding):
    """A binary integer; ``narrow`` leaves out the most negative (signed) or the largest (unsigned) code.

    Ternary is the signed narrow integer of two bits.
    """

    width: int
    is_signed: bool
    narrow: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.width <= MAX_BITS or (self.is_signed and self.width < 2):
            raise InputError("ENCODING-WIDTH", f"an integer of {self.width} bits was asked, {1 + self.is_signed}..{MAX_BITS} exist")

    @property
    def bits(self) -> int:
        return self.width

    @property
    def lo(self) -> int:
        return -(1 << (self.width - 1)) + self.narrow if self.is_signed else 0

    @property
    def hi(self) -> int:
        return (1 << (self.width - 1)) - 1 if self.is_signed else (1 << self.width) - 1 - self.narrow

    @property
    def signed(self) -> bool:
        return self.is_signed

    @property
    def name(self) -> str:
        if self.is_signed and self.narrow and self.width == 2:
            return "TERNARY"
        return f"{'' if self.is_signed else 'U'}INT{self.width}{'_NARROW' if self.narrow else ''}"


@dataclass(frozen=True)
class Fixed(Encoding):
    """``FIXED<w,i>``: ``w`` bits in all, ``i`` integer bits including the sign; the binary point is wiring only."""

    width: int
    integer_bits: int

    def __post_init__(self) -> None:
        if not 2 <= self.width <= MAX_BITS or not 1 <= self.integer_bits <= self.width:
            raise InputError("ENCODING-WIDTH", f"FIXED<{self.width},{self.integer_bits}> needs 1 <= i <= w, 2 <= w <= {MAX_BITS}")

    @property
    def bits(self) -> int:
        return self.width

    @property
    def lo(self) -> int:
        return -(1 << (self.width - 1))

    @property
    def hi(self) -> int:
        return (1 << (self.width - 1)) - 1

    @property
    def unit(self) -> Fraction:
        return Fraction(1, 1 << (self.width - self.integer_bits))

    @property
    def name(self) -> str:
        return f"FIXED<{self.width},{self.integer_bits}>"


def parse_encoding(name: str) -> Encoding:
    """Encoding of a QONNX name: ``BIPOLAR``, ``TERNARY``, ``UINT8``, ``INT4``, ``INT4_NARROW``, ``FIXED<16,6>``, ``BINARY``.

    Raises :class:`InputError` for anything else.
    """
    text = name.strip().upper()
    if text == "BIPOLAR":
        return Bipolar()
    if text == "TERNARY":
        return Integer(2, True, True)
    if text == "BINARY":
        return Integer(1, False)
    if m := re.fullmatch(r"(U?)INT(\d{1,3})(_NARROW)?", text):
        return Integer(int(m[2]), not m[1], bool(m[3]))
    if m := re.fullmatch(r"FIXED<(\d{1,3}),(\d{1,3})>", text):
        return Fixed(int(m[1]), int(m[2]))
    raise InputError(
        "ENCODING-NAME",
        f"{name!r} is no encoding hwq knows",
        hint="Use BIPOLAR, BINARY, TERNARY, UINT8, INT4 (any width), INT4_NARROW or FIXED<16,6>",
    )


def smallest_integer(lo: int, hi: int) -> Integer:
    """The narrowest plain integer encoding that holds every integer from ``lo`` to ``hi``."""
    if lo >= 0:
        return Integer(max(1, int(hi).bit_length()), False)
    return Integer(max(1, (-int(lo) - 1).bit_length(), max(int(hi), 0).bit_length()) + 1, True)

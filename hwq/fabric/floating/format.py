"""Binary floating-point formats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["BINARY32", "FloatFormat"]


@dataclass(frozen=True)
class FloatFormat:
    """Sign, ``exponent`` and ``fraction`` bits, most significant first, as IEEE 754 interchange formats: subnormals, infinities, NaNs.

    Every NaN that a circuit makes is :attr:`nan`: sign 0, the fraction's first bit alone (a quiet one).
    """

    exponent: int
    fraction: int

    def __post_init__(self) -> None:
        assert self.exponent >= 2
        assert self.fraction >= 2

    @property
    def bits(self) -> int:
        """Width."""
        return 1 + self.exponent + self.fraction

    @property
    def precision(self) -> int:
        """Bits of a significand, the hidden one included."""
        return self.fraction + 1

    @property
    def bias(self) -> int:
        """Exponent field of 1.0."""
        return (1 << (self.exponent - 1)) - 1

    @property
    def nan(self) -> int:
        """The bit pattern of every NaN made."""
        return (((1 << self.exponent) - 1) << self.fraction) | 1 << (self.fraction - 1)

    def split(self, bits: Sequence[int]) -> tuple[list[int], list[int], int]:
        """Fraction, exponent, sign of the bits of a number, least first."""
        m = self.fraction
        return list(bits[:m]), list(bits[m:-1]), bits[-1]


BINARY32 = FloatFormat(8, 23)

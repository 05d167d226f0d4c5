"""How a dot product adds up; its order is part of what the Network means."""

from __future__ import annotations

from dataclasses import dataclass

from hwq.errors import InputError
from hwq.numerics.encoding import MAX_BITS

__all__ = ["Accumulation", "Exact", "Saturating"]


@dataclass(frozen=True)
class Exact:
    """Accumulation without loss: the accumulator holds every reachable sum."""


@dataclass(frozen=True)
class Saturating:
    """Accumulation that clips to ``bits`` bits (two's complement) after every ``chunk`` products.

    Inside a chunk of ``chunk`` consecutive products, in the order kh, kw, channel, the sum is exact; it is then
    added to the accumulator, which starts at 0 and saturates. Padding taps occupy positions. The last chunk may be short.
    Raises :class:`InputError` beyond 2..48 bits and for a chunk below 1.
    """

    bits: int
    chunk: int

    def __post_init__(self) -> None:
        if not 2 <= int(self.bits) <= MAX_BITS or int(self.chunk) < 1:
            message = f"saturating accumulation of {self.bits} bits after every {self.chunk} products was asked"
            raise InputError("ACCUMULATOR", f"{message}, 2..{MAX_BITS} bits and at least 1 product exist")

    @property
    def lo(self) -> int:
        """Smallest value of the accumulator."""
        return -(1 << (self.bits - 1))

    @property
    def hi(self) -> int:
        """Largest value of the accumulator."""
        return (1 << (self.bits - 1)) - 1


Accumulation = Exact | Saturating

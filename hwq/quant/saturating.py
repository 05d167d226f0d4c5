"""Saturating accumulation in torch: the same integers as :class:`hwq.network.ops.Saturating` in golden."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hwq.errors import InputError
from hwq.numerics.encoding import MAX_BITS

__all__ = ["Saturating", "saturating_matmul"]


@dataclass(frozen=True)
class Saturating:
    """Accumulator of ``bits`` bits (two's complement) that clips after every ``chunk`` products.

    Inside a chunk of consecutive products the sum is exact; it is then added to the accumulator, which starts at 0 and
    saturates. The last chunk may be short. A plan needs SIMD to divide ``chunk``.
    """

    bits: int
    chunk: int

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= MAX_BITS or self.chunk < 1:
            raise InputError(
                "ACCUMULATOR",
                f"Saturating({self.bits}, chunk={self.chunk}) was asked, 2..{MAX_BITS} bits and a chunk of at least 1 exist",
            )

    @property
    def lo(self) -> int:
        """Smallest value of the accumulator."""
        return -(1 << (self.bits - 1))

    @property
    def hi(self) -> int:
        """Largest value of the accumulator."""
        return (1 << (self.bits - 1)) - 1


def saturating_matmul(x: Tensor, codes: Tensor, bits: int, chunk: int) -> Tensor:
    """Integers (..., O) of integers ``x`` (..., I) and ``codes`` (O, I), both in a float format that holds every sum exactly.

    ``codes`` may bring further axes in front, (..., O, I), which broadcast against those of ``x`` but its last two.
    """
    accumulator = Saturating(bits, chunk)
    acc = x.new_zeros((*x.shape[:-1], codes.shape[-2]))
    for start in range(0, codes.shape[-1], chunk):
        part = x[..., start : start + chunk] @ codes[..., start : start + chunk].mT
        acc = torch.clamp(acc + part, accumulator.lo, accumulator.hi)
    return acc

"""What a sum or product of streams computes on codes: coefficients, constants, domain, depth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import gcd

import numpy as np

from hwq.network.ops import Add, Mul
from hwq.numerics.encoding import Bipolar, Encoding
from hwq.plan.domain import Domain, encoding_domain

__all__ = ["JoinForm", "signed_digits"]


def signed_digits(n: int) -> tuple[tuple[int, int], ...]:
    """``n`` as a sum of ``sign * 2**place`` with the fewest terms (canonical signed digits), lowest place first: (sign, place)."""
    digits, place = [], 0
    while n:
        if n & 1:
            sign = 2 - (n & 3)
            digits.append((sign, place))
            n -= sign
        n, place = n >> 1, place + 1
    return tuple(digits)


@dataclass(frozen=True, eq=False)
class JoinForm:
    """``op`` on codes of ``xs``: a value of :attr:`domain`, which says what integer the value stands for.

    A sum with coefficients that all channels share is ``sum of factors[i] * code_i`` with the scales of the codes and the common
    divisor moved into the domain. Otherwise coefficients, and constants where codes have an offset, are constants of channels
    and the value is the integer itself. A product of two bipolar codes is one bit, their equality.
    """

    op: Add | Mul
    xs: tuple[Encoding, ...]

    @cached_property
    def domains(self) -> tuple[Domain, ...]:
        """Domains of the codes."""
        return tuple(encoding_domain(x) for x in self.xs)

    @cached_property
    def is_shared(self) -> bool:
        """Whether no constants of channels are needed."""
        return isinstance(self.op, Mul) or bool((self.op.coefficients == self.op.coefficients[:, :1]).all())

    @cached_property
    def is_equality(self) -> bool:
        """Whether it is the product of two bipolar codes."""
        return isinstance(self.op, Mul) and all(isinstance(x, Bipolar) for x in self.xs)

    @cached_property
    def factors(self) -> tuple[int, ...]:
        """Factor of every code in a shared sum."""
        raw = self._raw_factors
        return tuple(k // self._divisor for k in raw)

    @property
    def _raw_factors(self) -> tuple[int, ...]:
        assert isinstance(self.op, Add)
        return tuple(int(c) * d.scale for c, d in zip(self.op.coefficients[:, 0], self.domains, strict=True))

    @property
    def _divisor(self) -> int:
        return gcd(*self._raw_factors) or 1

    @cached_property
    def coefficients(self) -> np.ndarray:
        """int64 (inputs, C): factor of every code in a sum whose coefficients differ between channels."""
        assert isinstance(self.op, Add)
        return self.op.coefficients * np.array([d.scale for d in self.domains])[:, None]

    @cached_property
    def constants(self) -> np.ndarray:
        """int64 (C,): what the offsets of the codes add, in the same sum."""
        assert isinstance(self.op, Add)
        return (self.op.coefficients * np.array([d.offset for d in self.domains])[:, None]).sum(0)

    @property
    def operands(self) -> int:
        """Numbers that a sum adds up."""
        if self.is_shared:
            return max(1, sum(k != 0 for k in self.factors))
        return len(self.xs) + bool(self.constants.any())

    @cached_property
    def domain(self) -> Domain:
        """Of the value."""
        if self.is_equality:
            return Domain(0, 1, 2, -1)
        if isinstance(self.op, Mul):
            ends = [(d.scale * d.lo + d.offset, d.scale * d.hi + d.offset) for d in self.domains]
            corners = [a * b for a, b in product(*ends)]
            return Domain(min(corners), max(corners))
        if self.is_shared:
            pairs = [sorted((k * d.lo, k * d.hi)) for k, d in zip(self.factors, self.domains, strict=True)]
            offset = sum(int(c) * d.offset for c, d in zip(self.op.coefficients[:, 0], self.domains, strict=True))
            return Domain(sum(a for a, _ in pairs), sum(b for _, b in pairs), self._divisor, offset)
        ends_of = [np.sort([c * d.lo, c * d.hi], axis=0) for c, d in zip(self.coefficients, self.domains, strict=True)]
        low, high = (sum(e[side] for e in ends_of) + self.constants for side in (0, 1))
        return Domain(int(low.min()), int(high.max()))

    def value_latency(self, read_latency: int) -> int:
        """Cycles from the codes to the value: 2 at least. ``read_latency`` is that of a memory of constants.

        A register for the codes, one for products where there are any, one a level of a sum.
        """
        if isinstance(self.op, Mul):
            return 2
        levels = max(1, (self.operands - 1).bit_length())
        if not self.is_shared:
            return read_latency + 1 + levels
        return 1 + any(len(signed_digits(k)) > 1 for k in self.factors) + levels

"""Codes of weights: what a stage stores for each of its weights, chosen from the integers that are there.

A code is an :class:`Encoding` that belongs to hardware alone: the Network and its golden values know nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import gcd

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwq.errors import InputError
from hwq.numerics.encoding import Bipolar, Encoding, Integer, smallest_integer

__all__ = ["Bases", "Levels", "Listed", "Powers", "WeightCode", "codes_of", "distinct"]

Ints = NDArray[np.int64]

#: Most levels of a list, most bases of a sum; weights wider than these bits are not looked at.
MOST_LEVELS, MOST_BASES, WIDEST = 16, 4, 16
#: Weights that are counted at once.
CHUNK = 1 << 20


@dataclass(frozen=True)
class Listed(Encoding):
    """A code whose integers stand in a list: :attr:`integers`, one for each code; several codes may stand for the same."""

    @property
    def integers(self) -> tuple[int, ...]:
        """The integer of every code, ``2**bits`` of them."""
        raise NotImplementedError

    @property
    def lo(self) -> int:
        return min(self.integers)

    @property
    def hi(self) -> int:
        return max(self.integers)

    @property
    def signed(self) -> bool:
        return False

    def contains(self, integers: ArrayLike) -> NDArray[np.bool_]:
        x = np.asarray(integers)
        inside = (x >= self.lo) & (x <= self.hi)
        return inside & (self._codes[np.where(inside, x - self.lo, 0)] >= 0)

    def decode(self, codes: ArrayLike) -> Ints:
        return np.asarray(self.integers, np.int64)[np.asarray(codes, np.int64)]

    @cached_property
    def _codes(self) -> Ints:
        table = np.full(self.hi - self.lo + 1, -1, np.int64)
        for code, value in reversed(list(enumerate(self.integers))):
            table[value - self.lo] = code
        return table

    def _to_code(self, x: Ints) -> Ints:
        return self._codes[x - self.lo]


@dataclass(frozen=True)
class Levels(Listed):
    """A number in a list of ``levels``, any integers in ascending order: a codebook."""

    levels: tuple[int, ...]

    @property
    def bits(self) -> int:
        return max(1, (len(self.levels) - 1).bit_length())

    @property
    def integers(self) -> tuple[int, ...]:
        return (*self.levels, *[self.levels[-1]] * ((1 << self.bits) - len(self.levels)))

    @property
    def name(self) -> str:
        return f"LEVELS{len(self.levels)}"


@dataclass(frozen=True)
class Powers(Listed):
    """0 where ``with_zero``, and powers of two up to ``2**(count - 1)``: which of them in the low bits; ``is_signed``: a sign above.

    Source: Zhou et al., INQ (ICLR 2017), Miyashita et al. (2016): products are shifts.
    """

    count: int
    with_zero: bool
    is_signed: bool

    @property
    def index_bits(self) -> int:
        """Bits that say which power."""
        return (self.count + self.with_zero - 1).bit_length()

    @property
    def bits(self) -> int:
        return max(1, self.index_bits + self.is_signed)

    @cached_property
    def magnitudes(self) -> tuple[int, ...]:
        """The magnitude of every index; those beyond the last repeat it."""
        found = [*([0] if self.with_zero else []), *(1 << e for e in range(self.count))]
        return tuple(found[min(k, len(found) - 1)] for k in range(1 << (self.bits - self.is_signed)))

    @property
    def integers(self) -> tuple[int, ...]:
        return (*self.magnitudes, *(-m for m in self.magnitudes)) if self.is_signed else self.magnitudes

    @property
    def name(self) -> str:
        return f"POWERS{self.count}{'Z' if self.with_zero else ''}{'S' if self.is_signed else ''}"


@dataclass(frozen=True)
class Bases(Listed):
    """``sum of +-bases[j]``: bit j of a code is 1 for +.

    Source: ABC-Net (Lin et al., NIPS 2017), LQ-Nets (Zhang et al., ECCV 2018); the odd integers of DoReFa-Net are the powers of two.
    """

    bases: tuple[int, ...]

    @property
    def bits(self) -> int:
        return len(self.bases)

    @cached_property
    def integers(self) -> tuple[int, ...]:
        signs = product((-1, 1), repeat=len(self.bases))
        return tuple(sum(s * b for s, b in zip(reversed(row), self.bases, strict=True)) for row in signs)

    @property
    def name(self) -> str:
        return "BASES" + "_".join(map(str, self.bases))


@dataclass(frozen=True)
class WeightCode:
    """What is stored for a weight: ``weight = factor * encoding.decode(code)``."""

    encoding: Encoding
    factor: int = 1

    @property
    def bits(self) -> int:
        """Bits of a stored weight."""
        return self.encoding.bits

    def encode(self, weights: ArrayLike) -> Ints:
        """Codes of ``weights``, any shape; raises :class:`InputError` for a weight that has none."""
        w = np.asarray(weights, np.int64)
        if self.factor != 1 and (w % self.factor).any():
            raise InputError("CODE-RANGE", f"a weight is no multiple of {self.factor}")
        return self.encoding.encode(w // self.factor if self.factor != 1 else w)

    def decode(self, codes: ArrayLike) -> Ints:
        """Weights of ``codes``."""
        return self.factor * self.encoding.decode(codes)


def distinct(weights: Ints, encoding: Encoding) -> tuple[int, ...] | None:
    """The integers among ``weights``, ascending; None where ``encoding`` is too wide to count them."""
    if encoding.bits > WIDEST or not weights.size:
        return None
    flat, size = weights.reshape(-1), encoding.hi - encoding.lo + 1
    seen = np.zeros(size, bool)
    for k in range(0, len(flat), CHUNK):
        seen |= np.bincount(flat[k : k + CHUNK] - encoding.lo, minlength=size) > 0
    return tuple(int(v) + encoding.lo for v in np.flatnonzero(seen))


def codes_of(weights: Ints, encoding: Encoding) -> tuple[WeightCode, ...]:
    """Exact codes of ``weights``, those of ``encoding`` first: a common factor taken out, a narrower integer, powers, sums, a list."""
    plain = WeightCode(encoding)
    values = None if isinstance(encoding, Bipolar) else distinct(weights, encoding)
    if values is None or values == (0,):
        return (plain,)
    factor = gcd(*values)
    reduced = tuple(v // factor for v in values)
    found = [e for e in (_narrow(reduced), _powers(reduced), _bases(reduced), _levels(reduced)) if e is not None]
    return (plain, *(WeightCode(e, factor) for e in found))


def _narrow(values: Sequence[int]) -> Encoding:
    if set(values) <= {-1, 1}:
        return Bipolar()
    return Integer(2, True, True) if set(values) <= {-1, 0, 1} else smallest_integer(min(values), max(values))


def _powers(values: Sequence[int]) -> Encoding | None:
    magnitudes = {abs(v) for v in values} - {0}
    if any(m & (m - 1) for m in magnitudes) or max(magnitudes) < 2:
        return None
    return Powers(max(magnitudes).bit_length(), 0 in values, min(values) < 0)


def _levels(values: Sequence[int]) -> Encoding | None:
    return Levels(tuple(values)) if 1 < len(values) <= MOST_LEVELS else None


def _bases(values: Sequence[int]) -> Encoding | None:
    """The fewest bases whose signed sums hold all values: the largest sum is that of all, the next lacks twice the least base, ..."""
    both = sorted({abs(v) for v in values} | {-abs(v) for v in values}, reverse=True)
    largest = both[0]
    bases: list[int] = []
    sums = {largest}
    for value in both:
        if value in sums:
            continue
        if (largest - value) % 2 or len(bases) == MOST_BASES:
            return None
        base = (largest - value) // 2
        bases.append(base)
        sums |= {s - 2 * base for s in sums}
    rest = largest - sum(bases)
    if rest < 0 or len(bases) < 2 or len(bases) + (rest > 0) > MOST_BASES:
        return None
    return Bases((*bases, rest) if rest else tuple(bases))

"""What the number on a wire means: integers that are an affine function of the wire's value."""

from __future__ import annotations

from dataclasses import dataclass

from hwq.errors import InputError
from hwq.network.ops import Conv, Pool, Saturating
from hwq.numerics.encoding import Bipolar, Encoding

__all__ = [
    "Domain",
    "chunk_folds",
    "encoding_domain",
    "pool_domain",
    "words_per_vector",
]


@dataclass(frozen=True)
class Domain:
    """Values ``lo .. hi`` of a wire; the integer they stand for is ``scale * value + offset``, ``scale > 0``."""

    lo: int
    hi: int
    scale: int = 1
    offset: int = 0

    @property
    def signed(self) -> bool:
        """Whether the wire is a two's complement number."""
        return self.lo < 0

    @property
    def bits(self) -> int:
        """Width of the wire."""
        if self.signed:
            return max((-self.lo - 1).bit_length(), self.hi.bit_length()) + 1
        return max(1, self.hi.bit_length())

    @property
    def is_integer(self) -> bool:
        """Whether the value is the integer itself."""
        return self.scale == 1 and self.offset == 0

    def value_reaching(self, integer: int) -> int:
        """Smallest value in ``lo .. hi + 1`` whose integer is at least ``integer``."""
        return min(max(-((self.offset - integer) // self.scale), self.lo), self.hi + 1)


def encoding_domain(encoding: Encoding) -> Domain:
    """Domain of the codes of ``encoding``, read as unsigned or two's complement numbers."""
    if isinstance(encoding, Bipolar):
        return Domain(0, 1, 2, -1)
    if encoding.signed:
        return Domain(-(1 << (encoding.bits - 1)), (1 << (encoding.bits - 1)) - 1)
    return Domain(0, (1 << encoding.bits) - 1)


def words_per_vector(op: Conv, simd: int) -> int:
    """Words of ``simd`` products of an output: the channels of each tap begin a word."""
    kh, kw, channels = op.weights.shape[1:]
    return int(kh * kw * -(-channels // simd))


def chunk_folds(op: Conv, simd: int) -> int:
    """Words of ``simd`` products in a chunk of a saturating accumulation; raises :class:`InputError` where they don't fit."""
    accumulation = op.accumulation
    assert isinstance(accumulation, Saturating)
    if accumulation.chunk >= op.mw:
        return words_per_vector(op, simd)
    channels = op.weights.shape[3]
    # Where the words of several taps are ragged, a chunk must be whole taps.
    unit = channels if channels % simd and op.mw > channels else simd
    if accumulation.chunk % unit:
        what = "does not divide" if unit == simd else f"divides neither the {channels} channels of a tap nor"
        raise InputError(
            "PLAN-CHUNK",
            f"simd = {simd} {what} the accumulation's chunk of {accumulation.chunk} products",
            hint="Choose a divisor of the chunk" if unit == simd else "Choose a divisor of both",
        )
    return accumulation.chunk // unit * -(-unit // simd)


def pool_domain(op: Pool, x: Encoding) -> Domain:
    """Domain of the sum of a window of codes of ``x``; taps in the padding are the integer 0."""
    taps, codes = op.window.kernel[0] * op.window.kernel[1], encoding_domain(x)
    if op.window.is_padded and not codes.is_integer:
        # Their count varies: integers, not codes, are summed.
        return Domain(-taps, taps)
    return Domain(taps * codes.lo, taps * codes.hi, codes.scale, taps * codes.offset)

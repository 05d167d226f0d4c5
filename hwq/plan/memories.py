"""Memories of the fabric: how many blocks, UltraRAMs or LUTs a memory of some width and depth takes, and how full they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from hwq.plan.geometry import ceil_div
from hwq.plan.resources import Resources
from hwq.plan.units import memory_kind

__all__ = ["BLOCK_BITS", "INLINE_BITS", "Memory", "block_count", "memory_cost", "ram", "rom", "ultra_count", "written"]

# UG573: a RAMB36 holds 36 Kb, its widest port has 72 bits; an UltraRAM is 4096 words of 72 bits.
BLOCK_BITS = 36 * 1024
BLOCK_SHAPES = ((72, 512), (36, 1024), (18, 2048), (9, 4096), (4, 8192), (2, 16384), (1, 32768))
ULTRA_WIDTH, ULTRA_DEPTH = 72, 4096

# Bits of a memory of constants above which it reads a file, and checks that it did.
INLINE_BITS = 128 * 1024


@dataclass(frozen=True)
class Memory:
    """``depth`` words of ``width`` bits in ``logic``, ``lutram``, ``block`` or ``ultra``; ``banks`` of them side by side.

    ``bits`` of them carry something. A memory that is never ``written`` is a table in LUTs.
    """

    kind: str
    width: int
    depth: int
    bits: int
    is_written: bool
    banks: int = 1

    @property
    def cost(self) -> Resources:
        """Fabric, without addresses and control."""
        if self.depth <= 1 and self.is_written:
            return Resources(lut=3.0, ff=float(self.banks * self.width) + 4)
        one = written(self.width, self.depth, self.kind) if self.is_written else memory_cost(self.width, self.depth, self.kind)
        return Resources(**{name: self.banks * amount for name, amount in one.as_dict().items()}) if self.banks > 1 else one

    @property
    def block_bits(self) -> float:
        """Bits of block RAM that it occupies."""
        return self.banks * block_count(self.width, self.depth) * BLOCK_BITS if self.kind == "block" and self.depth > 1 else 0.0


def rom(width: int, depth: int, kind: str, bits: int | None = None) -> Memory:
    """A read-only memory; ``bits`` when not all of it carries something."""
    return Memory(kind, width, depth, width * depth if bits is None else bits, False)


def ram(width: int, depth: int, kind: str = "auto", banks: int = 1, bits: int | None = None) -> Memory:
    """A memory of one write and one read port, ``width`` x ``depth`` in each of ``banks``; ``bits`` when not all of it holds something."""
    return Memory(memory_kind(kind, depth), width, depth, width * depth * banks if bits is None else bits, True, banks)


@lru_cache(maxsize=65536)
def block_count(width: int, depth: int) -> float:
    """36 Kb block RAMs (halves counted) of a simple dual-port memory."""
    best = float("inf")
    for bits, words in BLOCK_SHAPES:
        columns, rest = divmod(width, bits)
        # Half a block holds half the port width at the same depth.
        blocks = columns + (0 if rest == 0 else 0.5 if rest <= bits // 2 else 1)
        best = min(best, blocks * ceil_div(depth, words))
    return best


def ultra_count(width: int, depth: int) -> int:
    """UltraRAMs of a simple dual-port memory."""
    return ceil_div(width, ULTRA_WIDTH) * ceil_div(depth, ULTRA_DEPTH)


def memory_cost(width: int, depth: int, kind: str) -> Resources:
    """A read-only memory of ``depth`` words of ``width`` bits: ``logic``, ``lutram`` (LUTs as a table) or ``block``."""
    if depth <= 1:
        return Resources()
    if kind == "block":
        return Resources(bram36=block_count(width, depth))
    # A LUT6 is 64x1 of read-only memory, or 32x2.
    return Resources(lut=width * (0.5 if depth <= 32 else ceil_div(depth, 64)), ff=float(width))


def written(width: int, depth: int, kind: str) -> Resources:
    """A memory of one write and one read port: ``lutram``, ``block`` or ``ultra``; addresses and multiplexers between its rows apart."""
    if kind == "block":
        return Resources(bram36=block_count(width, depth))
    if kind == "ultra":
        return Resources(uram=float(ultra_count(width, depth)))
    # RAM32M16: 8 LUTs hold 14 bits x 32; RAM64M8: 8 LUTs hold 7 bits x 64, and deeper ones are rows of them.
    luts = 8.0 * (ceil_div(width, 14) if depth <= 32 else ceil_div(width, 7) * ceil_div(depth, 64))
    return Resources(lut=luts, lutram=luts)

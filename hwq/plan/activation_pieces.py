"""Pieces of staircases and of memories of constants."""

from __future__ import annotations

from functools import lru_cache
from math import exp, log1p

from hwq.fabric.sites import sites_of
from hwq.fabric.staircase import comparisons_netlist
from hwq.plan.geometry import ceil_div
from hwq.plan.memories import INLINE_BITS, block_count
from hwq.plan.pieces import Piece, piece
from hwq.plan.resources import Resources
from hwq.plan.summary import Staircase
from hwq.plan.threshold import search_is_cheaper, search_levels

__all__ = ["activation", "constant_bits", "rom"]

# A product of at least so many bits becomes a slice; its operands there.
DSP_BITS, DSP_A, DSP_B = 9, 27, 18
# The most comparisons whose circuit is made to be counted.
COMPARED = 16


@lru_cache(maxsize=1 << 16)
def rom(width: int, depth: int, kind: str) -> Piece:
    """A memory of constants of ``width`` bits. Its content counts as random: of few words, many bits are the same function."""
    if depth <= 1 or width == 0:
        return Piece("constant")
    address = (depth - 1).bit_length()
    checked = width if width * depth > INLINE_BITS else 0
    if kind == "block":
        fixed = Resources(bram36=block_count(width, depth))
        return piece("rom_block", fixed=fixed, bits=width, address=address, checked=checked)
    functions = float(width)
    if depth <= 16:
        kinds = 2.0 ** (depth - 1) - 1
        functions = kinds * (1 - exp(width * log1p(-1 / kinds))) if kinds > 1 else 1.0
    entries = 1 << address
    each = 0.0 if depth == 2 else 0.5 if entries <= 32 else min(entries, 256) / 64 * ceil_div(entries, 256)
    blocks = max(0, ceil_div(depth, 256) - 1)
    return piece("rom", entries=functions * each, chosen=functions * blocks, stored=2 * functions, address=address, checked=checked)


def constant_bits(s: Staircase, bits: int) -> int:
    """Bits of the constants of a channel; ``bits`` is the width of a threshold."""
    if s.kind == "threshold":
        return (s.count - s.shared) * bits + s.directions + (s.out_bits if s.has_base else 0)
    return s.multiplier_bits + s.offset_bits


def activation(s: Staircase | None, bits: int, out_bits: int, hold: int = 1, affine: bool = False, times: int = 1) -> list[Piece]:
    """The unit of one channel behind a value of ``bits`` bits."""
    if s is None:
        return [piece("affine", times, bits=out_bits) if affine else Piece("wires")]
    if s.kind == "requantize":
        return [_requantize(s, bits, times)]
    base = s.out_bits if s.has_base else 0
    if not s.count:
        return [piece("threshold", times, base=s.out_bits)]
    levels = search_levels(s.count)
    if s.may_search and search_is_cheaper(s.count, bits, hold):
        chosen = sum(bits * ((1 << level) - 1) for level in range(1, levels))
        waits = sum(bits * (1 << level) * max(0, level + 1 - hold) for level in range(levels))
        kept = (levels - 1) * bits + waits
        unit = piece("search", times, chosen=chosen, levels=levels, base=base, kept=kept, held=base * levels)
        return [unit, Piece("comparisons", times=times * levels, fixed=_compared(bits, 1, 0))]
    counted = s.count - s.count.bit_length()
    unit = piece("threshold", times, count=s.count, counted=counted, mixed=s.directions, base=base, held=base * (levels + 1))
    return [unit, Piece("comparisons", times=times, fixed=_compared(bits, s.count - s.shared, s.shared))]


@lru_cache(maxsize=4096)
def _compared(bits: int, given: int, known: int) -> Resources:
    """Comparisons of one value with limits from a memory and known ones."""
    count = given + known
    if count > COMPARED:
        one = _compared(bits, min(given, COMPARED), 0 if given else COMPARED)
        return Resources(lut=one.lut * count / COMPARED)
    limits = [*(None for _ in range(given)), *((k + 1) * (1 << bits) // (known + 2) for k in range(known))]
    return Resources(lut=float(sites_of(comparisons_netlist(bits, False, limits)).luts))


def _requantize(s: Staircase, bits: int, times: int) -> Piece:
    product = bits + (s.multiplier_bits or s.shared_bits)
    total = max(product, s.offset_bits) + 1
    fixed, partials, adders = Resources(), 0, 0
    if s.terms is not None:
        adders = max(0, s.terms - 1) * product
    elif product >= DSP_BITS:
        width = s.multiplier_bits or s.shared_bits
        fixed = Resources(dsp=float(min(ceil_div(bits, DSP_A) * ceil_div(width, DSP_B), ceil_div(bits, DSP_B) * ceil_div(width, DSP_A))))
    else:
        partials = bits * (s.multiplier_bits or s.shared_bits)
    return piece(
        "requantize",
        times,
        fixed,
        adders=adders,
        partials=partials,
        total=total if not fixed.dsp else 0,
        behind=total if fixed.dsp else 0,
        offset=s.offset_bits,
        operands=bits + s.multiplier_bits if s.terms is None and not fixed.dsp else 0,
        clipped=max(0, total - s.shift),
        even=total if s.half_even else 0,
        out=s.out_bits,
    )

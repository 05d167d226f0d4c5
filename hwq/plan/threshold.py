"""Which form a threshold unit has, by cost: all comparisons at once and their count, or a binary search, a comparison a cycle."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hwq.fabric.netlist import Netlist
from hwq.fabric.portable_heap import heap_levels
from hwq.fabric.sites import sites_of
from hwq.fabric.staircase import parallel_netlist, search_netlist
from hwq.network.ops import Threshold
from hwq.numerics.encoding import Bipolar

__all__ = [
    "MARGIN",
    "MEASURED",
    "falling_channels",
    "is_search",
    "may_search",
    "search_is_cheaper",
    "search_levels",
    "staircase_sites",
    "threshold_base",
    "threshold_latency",
]

# A search is deeper: it must be so much cheaper to be taken.
MARGIN = 0.9
# LUTs a flip-flop counts as: there are two a LUT, and half of them stand idle anyway.
FLIP_FLOP = 0.25
# The most thresholds that are measured: twice as many cost twice as much.
MEASURED = 31
# Widths of thresholds that are measured: other even ones lie on the line through them, odd ones half a LUT a comparison above.
WIDTHS = (4, 8)


def threshold_base(op: Threshold) -> NDArray[np.int64]:
    """Code below every threshold, (C,) or (1,), with the falling steps counted as inverted comparisons."""
    falling = (op.steps < 0).sum(1)
    first = 0 if isinstance(op.out, Bipolar) else op.out.lo
    return (op.base - falling + first) & ((1 << op.out.bits) - 1)


def falling_channels(op: Threshold) -> NDArray[np.bool_] | None:
    """Whether the steps of a channel all fall, (C,) or (1,); None where rising and falling ones meet in a channel."""
    falling = op.steps < 0
    return falling[:, 0] if op.count and (falling == falling[:, :1]).all() else None


def search_levels(count: int) -> int:
    """Comparisons of a binary search among ``count`` thresholds: ``ceil(log2(count + 1))``."""
    return count.bit_length()


def is_search(op: Threshold, bits: int, hold: int) -> bool:
    """Whether the staircase is searched: where it may be, and that is cheaper.

    ``bits`` is the width of a threshold; the constants of a channel stand for ``hold`` cycles, for what is needed later
    there are registers.
    """
    return may_search(op) and search_is_cheaper(op.count, bits, hold)


def may_search(op: Threshold) -> bool:
    """Whether the staircase can be searched: thresholds ascend, one direction a channel; where directions differ between channels, there
    are also as many thresholds as a tree has.
    """
    falling = falling_channels(op)
    if op.count < 2 or falling is None or (np.diff(op.thresholds, axis=1) < 0).any():
        return False
    return op.count + 1 == 1 << search_levels(op.count) or bool((falling == falling[0]).all())


def search_is_cheaper(count: int, bits: int, hold: int) -> bool:
    """Whether a search among ``count`` thresholds takes so much less than all comparisons at once that its depth is worth it."""
    parallel, search = staircase_sites(count, bits, hold)
    return search < MARGIN * parallel


def threshold_latency(op: Threshold, bits: int, hold: int = 1) -> int:
    """Cycles of a staircase: comparators and their count, or the levels of a search; and the base where there is one."""
    if not op.count:
        return 1
    found = search_levels(op.count) if is_search(op, bits, hold) else 1 + heap_levels((op.count,))
    return found + bool(threshold_base(op).any())


@lru_cache(maxsize=4096)
def staircase_sites(count: int, bits: int, hold: int) -> tuple[float, float]:
    """LUT sites, flip-flops by their worth included, of ``count`` comparisons of ``bits`` bits at once and their count, and of a search.

    Counted in circuits (:mod:`hwq.fabric.staircase`) of two widths and at most :data:`MEASURED` thresholds, none of them known.
    """
    if count > MEASURED:
        parallel, search = staircase_sites(count // 2, bits, hold)
        return 2 * parallel, 2 * search
    narrow, wide = (_measured(count, width, min(hold, search_levels(count))) for width in WIDTHS)
    reach = (bits - WIDTHS[0]) / (WIDTHS[1] - WIDTHS[0])
    parallel, search = (n + (w - n) * reach for n, w in zip(narrow, wide, strict=True))
    return parallel, search


@lru_cache(maxsize=1024)
def _measured(count: int, bits: int, hold: int) -> tuple[float, float]:
    return _sites(parallel_netlist(count, bits)), _sites(search_netlist(count, bits, hold))


def _sites(netlist: Netlist) -> float:
    sites = sites_of(netlist)
    return sites.luts + FLIP_FLOP * sites.ff

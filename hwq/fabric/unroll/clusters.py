"""Rows in nested clusters, and the cells of a cluster: columns on which its rows agree up to a sign for each column.

The rows of a cluster need only the sums of its cells, each with a sign for each row: a cluster of r rows has at most 2**(r-1) cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cell", "cells", "nested"]

Signs = NDArray[np.int8]
COUNTED = 7  # columns of a counter


@dataclass(frozen=True)
class Cell:
    """``columns`` of a cluster's cell; its sum counts agreements with the cluster's first row."""

    columns: tuple[int, ...]


def cells(weights: Signs, rows: Sequence[int]) -> list[Cell]:
    """The cells of a cluster of ``rows`` of ``weights`` (+-1)."""
    own = weights[list(rows)]
    patterns: dict[bytes, list[int]] = {}
    for column, pattern in enumerate(np.ascontiguousarray((own * own[0]).T)):
        patterns.setdefault(pattern.tobytes(), []).append(column)
    return [Cell(tuple(c)) for _, c in sorted(patterns.items())]


def nested(weights: Signs, levels: int) -> list[list[tuple[int, ...]]]:
    """Partitions of the rows, coarsest first, single rows last: clusters of up to ``2**levels`` rows, each of two of the next.

    Those join whose common cells hold the most counters of seven columns: a greedy matching.
    """
    partition: list[tuple[int, ...]] = [(r,) for r in range(len(weights))]
    found = [partition]
    for _ in range(levels):
        gains = _gains(weights, partition)
        free = [True] * len(partition)
        joined: list[tuple[int, ...]] = []
        for place in np.argsort(-gains, axis=None, kind="stable").tolist():
            a, b = divmod(place, len(partition))
            if a < b and free[a] and free[b]:
                free[a] = free[b] = False
                joined.append(partition[a] + partition[b])
        partition = joined + [c for c, f in zip(partition, free, strict=True) if f]
        found.insert(0, partition)
    return found


def _gains(weights: Signs, partition: Sequence[tuple[int, ...]]) -> NDArray[np.int64]:
    """For each two clusters: whole counters in the cells of their union, then how unequal these are."""
    blocks: list[NDArray[np.float32]] = []
    starts: list[int] = []
    for rows in partition:
        starts.append(len(blocks))
        for cell in cells(weights, rows):
            member = np.zeros(weights.shape[1], np.float32)
            member[list(cell.columns)] = weights[rows[0], list(cell.columns)]
            blocks.append(member)
    signed = np.array(blocks)
    difference, both = signed @ signed.T, np.abs(signed) @ np.abs(signed).T
    gain = np.zeros(difference.shape, np.int64)
    for twice in (both + difference, both - difference):
        common = twice.astype(np.int64) >> 1
        gain += (common // COUNTED << 24) + common**2
    return np.asarray(np.add.reduceat(np.add.reduceat(gain, starts, 0), starts, 1), np.int64)

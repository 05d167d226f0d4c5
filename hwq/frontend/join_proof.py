"""Quantizers of sums without a common grid, by the join prover."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwq.errors import InputError
from hwq.frontend.values import Integers, Pending, Summed

if TYPE_CHECKING:
    from hwq.frontend.builder import Builder

__all__ = ["proven_sum"]


def proven_sum(builder: Builder, pending: Pending, made: Summed, tensor: str) -> Integers:
    """The integers of the quantizer behind a sum."""
    raise InputError("JOIN-GRID", "no common grid", where=made.name)

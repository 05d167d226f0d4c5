"""Quantizers inserted into the branches of a sum on request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwq.frontend.values import Integers

if TYPE_CHECKING:
    from hwq.frontend.builder import Builder

__all__ = ["requantized"]


def requantized(builder: Builder, operand: Integers, place: int, name: str) -> Integers:
    """The operand on the grid of ``--residual-encoding``."""
    raise NotImplementedError

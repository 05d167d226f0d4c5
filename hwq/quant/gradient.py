"""Straight-through functions: exact forward, the gradient of something smoother."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["straight_through", "straight_through_round", "straight_through_sign"]


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, soft: Tensor, hard: Tensor) -> Tensor:
        return hard.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


def straight_through(soft: Tensor, hard: Tensor) -> Tensor:
    """Value of ``hard``, bit for bit, with the gradient of ``soft``.

    ``soft + (hard - soft).detach()`` would round: its value is not always ``hard``.
    """
    result: Tensor = _StraightThrough.apply(soft, hard.detach())
    return result


def straight_through_round(x: Tensor) -> Tensor:
    """Nearest integer, ties to even; gradient 1."""
    return straight_through(x, torch.round(x))


def straight_through_sign(x: Tensor) -> Tensor:
    """+1 where ``x >= 0``, else -1 (sign(0) = +1); gradient 1 where ``|x| <= 1``, else 0.

    Source: BinaryNet, arXiv 1602.02830.
    """
    return straight_through(torch.clamp(x, -1.0, 1.0), torch.where(x >= 0, 1.0, -1.0).to(x.dtype))

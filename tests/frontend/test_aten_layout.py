"""Joins, moves and reductions: the source graph computes what torch computes, exactly."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tests.frontend.test_aten_windows import IMAGE, Wrapped, check, integers

Function = Callable[[torch.Tensor], torch.Tensor]

FUNCTIONS: dict[str, Function] = {
    "cat": lambda x: torch.cat([x, -x, x], dim=1),
    "cat along rows": lambda x: torch.cat((x, x + 1), dim=-2),
    "cat with zeros": lambda x: torch.cat([x, torch.zeros(x.shape[0], 2, 8, 12)], 1),
    "stack": lambda x: torch.stack([x, -x], 2).flatten(1, 2),
    "permute": lambda x: x.permute(0, 2, 3, 1).reshape(x.shape[0], -1),
    "movedim": lambda x: x.movedim(1, -1).movedim((1, 2), (2, 1)),
    "swapaxes": lambda x: x.swapaxes(2, 3).swapdims(1, 2),
    "flatten space": lambda x: x.flatten(2).unsqueeze(2).squeeze(2),
    "view": lambda x: x.view(x.size(0), 2, 3, 96).transpose(1, 2).reshape(-1, 6, 8, 12),
    "maximum over space": lambda x: x.amax((2, 3)),
    "sum over space": lambda x: x.sum((-1, -2), keepdim=True),
    "maximum of channels": lambda x: x.max(1).values,
    "argmax of channels": lambda x: x.argmax(1).float(),
    "topk of channels": lambda x: (x + torch.arange(6).view(6, 1, 1) / 8).topk(2, 1).values,
    "new zeros": lambda x: torch.cat([x.new_zeros(x.shape[0], 6, 8, 2), x, torch.ones_like(x)], 3),
    "add": lambda x: torch.add(x, x.relu(), alpha=3),
    "sub": lambda x: torch.sub(x, x.relu(), alpha=0.5) - x.neg(),
    "mul": lambda x: x * x[:, :1],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_equals_torch(name: str) -> None:
    check(Wrapped(FUNCTIONS[name]).eval(), integers(*IMAGE))

"""Writes in place in foreign graphs: followed where every name is known, refused where a view would change unseen."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from hwq.errors import HwqError
from hwq.frontend.read import read_graph
from hwq.frontend.source import SourceGraph
from tests.frontend.test_aten_windows import IMAGE, Wrapped, check, integers

Function = Callable[[torch.Tensor], torch.Tensor]


def two_writes(x: torch.Tensor) -> torch.Tensor:
    y = x + 1
    z = y.relu_()
    w = z.mul_(2)
    return y + z + w


def through_dropout(x: torch.Tensor) -> torch.Tensor:
    y = x * 2
    z = torch.dropout(y, 0.5, False)
    z.add_(1)
    return y - x


def a_view_read_later(x: torch.Tensor) -> torch.Tensor:
    y = x * 2
    view = y.flatten(1)
    y.relu_()
    return view


def the_base_read_later(x: torch.Tensor) -> torch.Tensor:
    y = x * 2
    y[:, :1].relu_()
    return y + 1


def a_view_done_with(x: torch.Tensor) -> torch.Tensor:
    y = x * 2
    total = y.flatten(1).relu().sum(1)
    return y.relu_() + total[:, None, None, None]


def exported(function: Function, path: Path, functional: bool = False) -> SourceGraph:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(Wrapped(function).eval(), (integers(*IMAGE)[:1],), strict=False)
        torch.export.save(program.run_decompositions({}) if functional else program, path)
    return read_graph(path)


@pytest.mark.parametrize("function", [two_writes, through_dropout, a_view_done_with])
def test_a_write_reaches_every_name_of_the_tensor(function: Function, tmp_path: Path) -> None:
    check(Wrapped(function).eval(), integers(*IMAGE), exported(function, tmp_path / "net.pt2"))


@pytest.mark.parametrize("function", [a_view_read_later, the_base_read_later])
def test_a_write_that_another_view_would_show_is_refused(function: Function, tmp_path: Path) -> None:
    with pytest.raises(HwqError) as caught:
        exported(function, tmp_path / "net.pt2")
    assert [e.code for e in caught.value.entries()] == ["IN-PLACE"]


@pytest.mark.parametrize("function", [a_view_read_later, the_base_read_later])
def test_the_advice_helps(function: Function, tmp_path: Path) -> None:
    graph = exported(function, tmp_path / "net.pt2", functional=True)
    if not any(n.op.startswith("aten.") for n in graph.nodes):  # slice_scatter has no ONNX name
        check(Wrapped(function).eval(), integers(*IMAGE), graph)

"""Advice about operators without hardware belongs to operators that exist and that nothing converts."""

from __future__ import annotations

import torch

from hwq.frontend.aten import HANDLERS
from hwq.frontend.aten_refused import REASONS, reason_and_hint


def test_the_table_names_operators_that_exist_and_have_no_handler() -> None:
    import hwq.frontend.torch_graph  # noqa: F401  (fills the table)

    for name in REASONS:
        assert hasattr(torch.ops.aten, name), name
        assert f"aten.{name}" not in HANDLERS


def test_overloads_and_writes_in_place_are_told_alike() -> None:
    assert reason_and_hint("aten.lstm.input") == reason_and_hint("aten.lstm.data")
    assert reason_and_hint("aten.index_put_.default") == reason_and_hint("aten.index_put.default")
    assert reason_and_hint("aten.sin.default") is None
    assert reason_and_hint("mine.lstm.default") is None

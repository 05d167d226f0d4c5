"""Tables align, cut nothing and send no terminal escapes."""

from __future__ import annotations

import doctest

import pytest

from hwq.cli import compile as compile_command
from hwq.report import accuracy, table
from hwq.report.table import Table, grouped, percent, printable, si


@pytest.mark.parametrize("module", [table, accuracy, compile_command])
def test_the_examples_of_the_docstrings(module: object) -> None:
    assert doctest.testmod(module) == (0, doctest.testmod(module).attempted)  # type: ignore[arg-type]


def test_columns_align_left_and_right() -> None:
    text = Table(("layer", ">PE", "style"), [("fc1", 16, "folded"), ("a much longer name", 4, None)]).text("")
    assert text.splitlines() == [
        "layer               PE  style",
        "------------------  --  ------",
        "fc1                 16  folded",
        "a much longer name   4",
    ]


def test_nothing_is_cut_off() -> None:
    assert "x" * 300 in Table(("layer",), [("x" * 300,)]).text()


def test_wide_and_combining_characters_keep_the_columns() -> None:
    lines = Table(("a", "b"), [("层", "1"), ("e\u0301", "2")]).text("").splitlines()
    assert lines[2] == "层  1"
    assert lines[3] == "e\u0301   2"


def test_control_characters_are_shown() -> None:
    assert printable("\x1b[31m\r\u202e") == "\\x1b[31m\\r\\u202e"
    assert "\x1b" not in Table(("layer",), [("\x1b[2J",)]).text()


def test_a_line_break_in_a_name_does_not_break_the_row() -> None:
    assert len(Table(("a",), [("x\ny",)]).text().splitlines()) == 3


def test_numbers() -> None:
    assert (grouped(1234567), grouped(0), grouped(None)) == ("1 234 567", "0", "")
    assert (percent(0), percent(0.07), percent(None)) == ("0 %", "7 %", "")
    assert si(9.99e-7) == "999 ns"

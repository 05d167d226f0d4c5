"""Verilog that reaches out of the simulation is refused; what hwq writes is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwq.errors import InputError
from hwq.verify.foreign import check_verilog


@pytest.mark.parametrize(
    "text",
    [
        'initial $system("touch x");',
        'initial $c("puts(0);");',
        "integer f; initial f=$fopen(n);",
        '`include "/etc/passwd"',
        "`systemc_header\nint x;\n`verilog",
        '"\\" $x" $system',
        "/* */ $system /* */",
        '\\a$b $system("x")',
    ],
)
def test_what_may_reach_out_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="line 1 uses"):
        check_verilog(text, "top.v")


def test_names_comments_and_strings_are_no_tasks() -> None:
    check_verilog('wire \\$system = a$c; // $c\n/* `include */ initial $display("$system `x");\n', "top.v")


def test_what_hwq_writes_is_accepted(with_memories: Path) -> None:
    check_verilog((with_memories / "memories.v").read_text(), "memories.v")

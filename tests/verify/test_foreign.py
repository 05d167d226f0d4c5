"""Verilog that reaches out of the simulation is refused; what hwq writes is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwq.errors import InputError
from hwq.target.package import bench_source
from hwq.target.scripts import makefile
from hwq.verify import batch, foreign
from hwq.verify.batch import build_batch
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
        'import "DPI-C" function int system(input string s);',
        "export p;",
        "bind top broken b();",
        "program p; endprogram",
        "chandle c;",
        "initial $readmemh(name, mem);",
        'initial $readmemh("/etc/passwd", mem);',
        'initial $readmemh("../a.mem", mem);',
        'initial $readmemh /* */ ("a.mem", mem);',
        'initial $readmemh({"a.mem"}, mem);',
        'initial $display(""" " """); integer p = $c("1"); initial $display(" ");',
        'initial $display("\\\n$c"); "',
        "/*verilator public_flat_rw*/ wire w;",
        "// verilator lint_off WIDTH",
        '\\a/*b $c("1"); */',
        "// \r $c",
        'wire \\a\u00a0" ;',
    ],
)
def test_what_may_reach_out_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="line 1 uses"):
        check_verilog(text, "top.v")


def test_names_comments_and_strings_are_no_tasks() -> None:
    check_verilog('wire \\import = my_import | import$1; // import\ninitial $display("import", "export");\n', "top.v")
    check_verilog('wire \\$system = a$c; // $c\n/* `include */ initial $display("$system `x");\n', "top.v")


def test_verilator_reads_no_systemverilog(tmp_path: Path, simulator: None, monkeypatch: pytest.MonkeyPatch) -> None:
    # Even what the words above had missed.
    monkeypatch.setattr(batch, "check_verilog", lambda text, where: None)
    call = 'import "DPI-C" function int system(input string s);\ninteger p;\ninitial p = system("exit");\n'
    (tmp_path / "dpi.v").write_text(f"module dpi(aclk); input aclk;\n{call}endmodule\n")
    with pytest.raises(InputError, match="syntax error") as refused:
        build_batch(tmp_path, "dpi", (), ["aclk"])
    assert refused.value.code == "BATCH-BUILD"


def test_the_shipped_bench_reads_the_same_language() -> None:
    assert ", ".join(f'"{a}"' for a in foreign.LANGUAGE) in bench_source()
    lines = makefile("top").splitlines()
    assert f"LANGUAGE := {' '.join(foreign.LANGUAGE)}" in lines
    assert ["$(LANGUAGE)" in line for line in lines if "verilator --" in line] == [True, True]


def test_what_hwq_writes_is_accepted(with_memories: Path) -> None:
    check_verilog((with_memories / "memories.v").read_text(), "memories.v")

"""Netlists as Verilog: both forms are the same circuit, and Verilator and Yosys take them without a remark."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hwq.fabric.netlist import Netlist
from hwq.gateware.fabric_part import NetlistPart
from hwq.gateware.parts import rtlil_module
from hwq.target.fabric_text import cells_of, module_text, portable_body, structural_body
from hwq.target.primitives import primitive_modules
from hwq.target.tools import verilator
from hwq.target.verilog import LINT_OFF
from tests.gateware.prover import yosys
from tests.target.fabric import medley


def text_of(netlist: Netlist, name: str, form: str, family: str = "ultrascale+") -> str:
    if form == "portable":
        return module_text(netlist, name, portable_body(netlist, "t"))
    body = structural_body(netlist, "t", vendor=form == "vendor", family=family)
    return primitive_modules("t", cells_of(netlist, family)) + module_text(netlist, name, body)


def wrong(text: str) -> str:
    """The last LUT with two outputs gives their complements."""
    at = text.rindex(".INIT(64'h") + len(".INIT(64'h")
    return f"{text[:at]}{int(text[at : at + 16], 16) ^ (1 << 64) - 1:016x}{text[at + 16 :]}"


@pytest.mark.parametrize("family", ["ultrascale+", "7series"])
@pytest.mark.parametrize("form", ["portable", "structural", "unisim", "vendor", "wrong"])
def test_the_emitted_forms_are_the_circuit_that_amaranth_simulates(form: str, family: str) -> None:
    netlist = medley(4, luts=5)
    text = text_of(netlist, "emitted", form, family)
    assert form == "portable" or (("CARRY4" in text, "CARRY8" in text) == ((True, False) if family == "7series" else (False, True)))
    text = wrong(text) if form == "wrong" else text
    cells = "read_verilog +/xilinx/cells_sim.v\n" if form in ("unisim", "vendor") else ""
    script = (
        f"{cells}read_verilog {'-DHWQ_UNISIM' if cells else ''} <<TEXT\n{text}\nTEXT\n"
        "setattr -mod -unset top *\nhierarchy -check\nproc\nflatten\nopt_clean\nequiv_make meant emitted both\nhierarchy -top both\n"
        "opt_clean\nequiv_simple\nequiv_induct -seq 4\nequiv_status -assert"
    )
    code, output = yosys(rtlil_module(NetlistPart(netlist), "meant"), script)
    assert code == 0 or "unproven" in output, output[-2000:]
    assert (code == 0) == (form != "wrong")


@pytest.mark.skipif(verilator() is None, reason="no Verilator here")
@pytest.mark.parametrize("form", ["portable", "structural"])
def test_verilator_lints_both_forms_without_a_warning(form: str, tmp_path: Path) -> None:
    tool = verilator()
    assert tool is not None
    netlist = medley(7)
    text = text_of(netlist, "m", form)
    (tmp_path / "m.v").write_text("\n".join([*(f"/* verilator lint_off {name} */" for name in LINT_OFF), text]))
    command = [*tool.command, "--lint-only", "-Wall", "--default-language", "1364-2001", "--top-module", "m", "m.v"]
    done = subprocess.run(command, cwd=tmp_path, env=tool.environ(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")

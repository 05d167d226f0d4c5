"""Parts by themselves: clean in every tool, in every form, and the float baseline the numbers of numpy in Verilator."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from hwq.errors import InputError
from hwq.fabric.floating.mac import FloatMac
from hwq.gateware.float_mac import FloatMacUnit
from hwq.target.part_text import part_text
from hwq.target.tools import verilator, yosys

NAN = 0x7FC00000
CORNERS = [0x0, 0x80000000, 0x1, 0x807FFFFF, 0x7F7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00001, 0x3F800000, 0xBF7FFFFF]
MAIN = """
#include "Vmac.h"
#include <cstdio>
int main() {
    Vmac mac;
    unsigned a, b, c;
    while (std::scanf("%x %x %x", &a, &b, &c) == 3) {
        mac.a = a; mac.b = b; mac.c = c;
        mac.clk = 0; mac.eval();
        std::printf("%x\\n", (unsigned)mac.y);
        mac.clk = 1; mac.eval();
    }
    return 0;
}
"""


@pytest.fixture(scope="module")
def text() -> str:
    return part_text(FloatMacUnit(), "mac")


@pytest.mark.skipif(verilator() is None, reason="no Verilator here")
@pytest.mark.parametrize("macro", ["HWQ_NONE", "HWQ_FABRIC"])
def test_verilator_lints_a_part_without_a_warning(text: str, macro: str, tmp_path: Path) -> None:
    tool = verilator()
    assert tool is not None
    (tmp_path / "mac.v").write_text(text)
    command = [*tool.command, "--lint-only", "-Wall", "--default-language", "1364-2001", f"-D{macro}", "--top-module", "mac", "mac.v"]
    done = subprocess.run(command, cwd=tmp_path, env=tool.environ(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(yosys() is None, reason="no Yosys here")
def test_yosys_reads_a_part_in_every_form_without_a_warning(text: str, tmp_path: Path) -> None:
    tool = yosys()
    assert tool is not None
    (tmp_path / "mac.v").write_text(text)
    script = ""
    for macros in ("", "-DHWQ_FABRIC", "-DHWQ_FABRIC -DHWQ_UNISIM"):
        cells = "read_verilog -lib +/xilinx/cells_sim.v +/xilinx/cells_xtra.v\n" if "UNISIM" in macros else ""
        script += f"{cells}read_verilog {macros} mac.v\nhierarchy -check -top mac\nproc\ncheck -assert\ndesign -reset\n"
    (tmp_path / "s.ys").write_text(script)
    done = subprocess.run([*tool.command, "-q", "s.ys"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.skipif(verilator() is None, reason="no Verilator here")
@pytest.mark.parametrize("macro", ["HWQ_NONE", "HWQ_FABRIC"])
def test_verilator_computes_what_numpy_does(text: str, macro: str, tmp_path: Path) -> None:
    tool = verilator()
    assert tool is not None
    (tmp_path / "mac.v").write_text(text)
    (tmp_path / "main.cpp").write_text(MAIN)
    command = [*tool.command, "--cc", "--exe", "--build", f"-D{macro}", "--top-module", "mac", "mac.v", "main.cpp"]
    subprocess.run(command, cwd=tmp_path, env=tool.environ(), capture_output=True, text=True, check=True)
    rng, latency = np.random.default_rng(1), FloatMac().latency
    corners = np.array(np.meshgrid(CORNERS, CORNERS, CORNERS)).reshape(3, -1).T
    drawn = rng.integers(0, 1 << 32, (3000, 3))
    near = (rng.standard_normal((3000, 3)) * 2.0 ** rng.integers(-3, 3, (3000, 3))).astype(np.float32).view(np.uint32)
    values = np.concatenate([corners, drawn, near, np.zeros((latency, 3))]).astype(np.uint32)
    stimuli = "\n".join(" ".join(f"{v:x}" for v in row) for row in values.tolist())
    done = subprocess.run([str(tmp_path / "obj_dir" / "Vmac")], input=stimuli, capture_output=True, text=True, check=True)
    got = [int(line, 16) for line in done.stdout.split()][latency:]
    a, b, c = values.view(np.float32).T
    with np.errstate(all="ignore"):
        y = (a * b).astype(np.float32) + c
    assert got == np.where(np.isnan(y), NAN, y.view(np.uint32)).tolist()[: len(got)]


def test_a_name_of_a_module_is_asked_for() -> None:
    with pytest.raises(InputError, match="'a b' is no name of a module"):
        part_text(FloatMacUnit(), "a b")

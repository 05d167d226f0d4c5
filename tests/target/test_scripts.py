"""The Vivado script in a Tcl interpreter whose Vivado only writes down what it is asked."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from hwq.target.scripts import constraints, vivado_script

STUBS = """
foreach name {read_verilog read_mem read_xdc synth_design opt_design place_design route_design report_utilization
              report_timing_summary write_checkpoint create_clock} {
  proc $name args "puts \\[concat $name \\$args\\]"
}
proc get_ports name { return $name }
"""


def commands(text: str, folder: Path, *arguments: str) -> list[str]:
    (folder / "vivado.tcl").write_text(STUBS + text)
    done = subprocess.run(["tclsh", "vivado.tcl", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return [line.split()[0] for line in done.stdout.splitlines()]


@pytest.mark.skipif(shutil.which("tclsh") is None, reason="no Tcl here")
def test_synthesis_alone_or_the_whole_way(tmp_path: Path) -> None:
    (tmp_path / "core_rom.mem").write_text("00\n")
    text = vivado_script("core", "xcvu9p-flga2104-2L-e", {"core_rom.mem": 3})
    synthesis = ["read_mem", "read_verilog", "read_xdc", "synth_design", "report_utilization", "report_timing_summary", "write_checkpoint"]
    placed = ["opt_design", "place_design", "route_design", "report_utilization", "report_timing_summary", "write_checkpoint"]
    assert commands(text, tmp_path) == synthesis
    assert commands(text, tmp_path, "route") == synthesis + placed


@pytest.mark.skipif(shutil.which("tclsh") is None, reason="no Tcl here")
def test_a_memory_file_of_another_size_stops_it(tmp_path: Path) -> None:
    (tmp_path / "core_rom.mem").write_text("0\n")
    with pytest.raises(subprocess.CalledProcessError) as stopped:
        commands(vivado_script("core", "xc7a100tcsg324-1", {"core_rom.mem": 3}), tmp_path)
    assert "memory file core_rom.mem is missing or altered" in stopped.value.stderr


@pytest.mark.skipif(shutil.which("tclsh") is None, reason="no Tcl here")
def test_the_constraints_are_tcl_and_hold_the_clock_alone(tmp_path: Path) -> None:
    assert commands(constraints(300), tmp_path) == ["create_clock"]

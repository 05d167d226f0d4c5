"""Synthesis by Yosys: Verilog in, a netlist of the device's cells out."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hwq.errors import InputError
from hwq.target.tools import yosys

__all__ = ["FABRIC", "FAMILIES", "SynthesisFailed", "synthesize"]

# Chosen for every figure of ours: fabric cells as instances, by the vendor's names.
FABRIC = ("HWQ_FABRIC", "HWQ_UNISIM")
# Yosys' names of the families of boards/*.toml.
FAMILIES = {"7series": "xc7", "ultrascale": "xcu", "ultrascale+": "xcup"}
# Shift registers would turn pipeline registers into LUTs, and families differ in that: they stay flip-flops.
OPTIONS = "-noiopad -noclkbuf -nosrl"
# Own modules of single cells stay closed: opened, each truth table would be a module of its own.
CLOSED = "blackbox *_hwq_lut* *_hwq_carry4 *_hwq_carry8"
# Every gate a LUT, instead of the step that finds few; Yosys' own file for that lacks one gate.
XNOR = "module \\$_XNOR_ (input A, B, output Y);\n  \\$lut #(.WIDTH(2), .LUT(4'b1001)) _TECHMAP_REPLACE_ (.A({B, A}), .Y(Y));\nendmodule\n"
GATES = (
    "techmap -map +/gate2lut.v -map gates.v -D LUT_WIDTH=4",
    "techmap -map +/xilinx/lut_map.v -map +/xilinx/cells_map.v -D LUT_WIDTH=6",
)


class SynthesisFailed(InputError):
    """Yosys refused the Verilog, or ended early."""


def synthesize(
    files: Mapping[str, str],
    top: str,
    *,
    family: str = "xcup",
    flatten: bool = False,
    defines: Sequence[str] = FABRIC,
    slices: bool = True,
    small: bool = True,
    patience: float | None = None,
) -> dict[str, Any]:
    """Modules by name after ``synth_xilinx``, as Yosys' ``write_json`` has them; without ``flatten`` one for each distinct module.

    ``files`` are Verilog (``.v``, read in this order) and memory files by name; ``defines`` their macros; without ``slices``
    multiplications become LUTs; not ``small``: a LUT a gate, in seconds where the fewest would take minutes, to simulate not to count.
    ``patience`` is in seconds.

    Raises :class:`InputError` where no Yosys is found, :class:`SynthesisFailed` with its last words, or where it takes longer.
    """
    tool = yosys()
    if tool is None:
        raise InputError("TOOL-YOSYS", "no Yosys was found", hint="Install it: pip install 'hwq[synth]'")
    with tempfile.TemporaryDirectory(prefix="hwq-synthesis-") as name:
        # Relative paths only: the WebAssembly build of Yosys sees nothing but its working folder.
        folder = Path(name)
        for file, text in files.items():
            (folder / file).write_text(text)
        (folder / "gates.v").write_text(XNOR)
        (folder / "script.ys").write_text(_script(files, top, family, defines, flatten, slices, small))
        command = [*tool.command, "-q", "-s", "script.ys"]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=patience)
        except subprocess.TimeoutExpired as error:
            raise SynthesisFailed("SYNTHESIS-TIME", f"Yosys was not done after {patience:.0f} s", where=top) from error
        if done.returncode:
            words = (done.stderr.strip() or done.stdout.strip())[-600:]
            raise SynthesisFailed("SYNTHESIS-FAILED", f"Yosys ended with {done.returncode}: {words}", where=top)
        modules: dict[str, Any] = json.loads((folder / "netlist.json").read_text())["modules"]
    return modules


def _script(files: Mapping[str, str], top: str, family: str, defines: Sequence[str], flatten: bool, slices: bool, small: bool) -> str:
    """What Yosys is to do."""
    macros = " ".join(f"-D {d}" for d in defines)
    sources = " ".join(file for file in files if file.endswith(".v"))
    flat = ("-flatten " if flatten else "") + ("" if slices else "-nodsp")
    xilinx = f"synth_xilinx -family {family} {OPTIONS} {flat} -top {top}"
    steps = [xilinx] if small else [f"{xilinx} -run :map_luts", *GATES, f"{xilinx} -run finalize:"]
    return "\n".join([f"read_verilog -sv {macros} {sources}", CLOSED, *steps, "write_json netlist.json", ""])

"""LUTs of gateware, counted by Yosys: each distinct module is synthesised once, hierarchy kept, and multiplied."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from amaranth.lib import wiring

from hwq.errors import InputError
from hwq.gateware.parts import SeparateParts, convert_modules
from hwq.target.tools import yosys

__all__ = ["ModuleCells", "module_cells"]

# LUTs a cell takes. Inverters are absorbed by their readers, wide multiplexers are no LUTs.
LOGIC = {**{f"LUT{k}": 1 for k in range(1, 7)}, "LUT6_2": 1}
MEMORY = {
    **{"RAM32X1S": 1, "RAM64X1S": 1, "RAM32X1D": 2, "RAM64X1D": 2, "RAM32M": 4, "RAM64M": 4, "RAM32M16": 8, "RAM64M8": 8},
    **{"SRL16E": 1, "SRLC32E": 1},
}


@dataclass(frozen=True)
class ModuleCells:
    """LUTs of one module without its submodules, and how often it uses which submodule."""

    logic: int
    memory: int
    submodules: Mapping[str, int]


def module_cells(component: wiring.Component, parts: SeparateParts, top: str = "top", family: str = "xcup") -> dict[str, ModuleCells]:
    """Cells of ``component`` (as ``top``) and of each of its parts after ``synth_xilinx -family``, by module name.

    Raises :class:`InputError` where no Yosys is found.
    """
    tool = yosys()
    if tool is None:
        raise InputError("TOOL-YOSYS", "no Yosys was found", hint="Install it: pip install 'hwq[synth]'")
    modules = convert_modules(component, top, parts)
    with tempfile.TemporaryDirectory(prefix="hwq-luts-") as name:
        # Relative paths only: the WebAssembly build of Yosys sees nothing but its working folder.
        folder = Path(name)
        (folder / "design.il").write_text("\n".join(_choosing_freely(text) for text in modules.values()))
        # Shift registers would turn pipeline registers into LUTs; families differ in that, so they are kept as flip-flops.
        script = f"read_rtlil design.il; synth_xilinx -family {family} -noiopad -noclkbuf -nosrl -top {top}; tee -q -o stat.json stat -json"
        done = subprocess.run([*tool.command, "-q", "-p", script], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"Yosys failed: {done.stderr.strip()[-1000:]}")
        found = json.loads((folder / "stat.json").read_text())["modules"]
    return {re.sub(r"^\\", "", module): _cells(stat["num_cells_by_type"], set(modules)) for module, stat in found.items()}


def _choosing_freely(rtlil: str) -> str:
    """Without the wishes for a kind of memory: Yosys knows no LUTRAM that is read-only, and takes LUTs as Vivado does."""
    return re.sub(r"^\s*attribute \\r[ao]m_style .*\n", "", rtlil, flags=re.MULTILINE)


def _cells(counts: Mapping[str, int], modules: set[str]) -> ModuleCells:
    names = {re.sub(r"^\\", "", cell): count for cell, count in counts.items()}
    inside = {cell: count for cell, count in names.items() if cell not in LOGIC and cell not in MEMORY}
    return ModuleCells(
        sum(LOGIC[c] * n for c, n in names.items() if c in LOGIC),
        sum(MEMORY[c] * n for c, n in names.items() if c in MEMORY),
        inside,
    )


def total(cells: Mapping[str, ModuleCells], module: str) -> tuple[int, int]:
    """LUTs of ``module`` with all below it: logic, memory."""

    @cache
    def below(name: str) -> tuple[int, int]:
        if name not in cells:
            return 0, 0
        own = cells[name]
        parts = [(n, below(m)) for m, n in own.submodules.items()]
        return own.logic + sum(n * p[0] for n, p in parts), own.memory + sum(n * p[1] for n, p in parts)

    return below(module)

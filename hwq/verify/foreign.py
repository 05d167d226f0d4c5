"""Verilog from elsewhere: nothing in it may reach out of the simulation when it is compiled or run."""

from __future__ import annotations

import re

from hwq.errors import InputError

__all__ = ["LANGUAGE", "check_verilog"]

# What hwq writes. Verilator reads .v files as SystemVerilog else, whose DPI calls any C function.
LANGUAGE = ("--default-language", "1364-2001")
# What emitted designs use; Verilator also knows $c and $system, which run anything, and `systemc_* blocks, which are C++.
TASKS = frozenset(("$display", "$finish", "$readmemh", "$signed", "$unsigned", "$stop"))
DIRECTIVES = frozenset(("`timescale", "`default_nettype", "`ifndef", "`ifdef", "`else", "`endif"))
# Words by which SystemVerilog calls C or brings code along from elsewhere; in Verilog-2001 they are names, which hwq never gives.
WORDS = frozenset(("bind", "chandle", "class", "config", "context", "export", "extern", "import")) | frozenset(
    ("include", "interface", "library", "package", "program", "pure", "virtual")
)
# Comments, strings and escaped identifiers first, so that what they hold is no token. A string ends in its line, and two never touch:
# Verilator takes three quotation marks for the beginning of a longer string.
_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\[^\n]|[^"\\\n])*"(?!")|"|\\\S+|`\w*|(?<![\w$])(?:\$\w+|(?:' + "|".join(sorted(WORDS)) + r")(?![\w$]))",
    re.DOTALL,
)
# Tools may disagree on where a line or an escaped identifier ends that holds other characters.
_STRANGE = re.compile(r"[^\n\t -~]")
_REMARK = re.compile(r"/\* verilator lint_o(?:n|ff) [A-Z]+ \*/")
_MEMORY = re.compile(r'\("[\w.-]+\.mem",', re.ASCII)


def check_verilog(text: str, where: str) -> None:
    """Raise :class:`InputError` (``VERILOG-FOREIGN``) for what hwq does not write and what may reach out of the simulation.

    That is a system task or directive, a word of SystemVerilog, an order to the simulator in a comment, ``$readmemh`` of anything but
    a memory file of the folder (:func:`hwq.target.folder.load_folder` sees to it that it is listed), or a character that is not ASCII.

    >>> check_verilog('initial $display("$system"); // `include', "a.v")
    """
    strange = _STRANGE.search(text)
    if strange:
        raise _foreign(text, strange.start(), f"the character {strange[0]!a}", where)
    for match in _TOKEN.finditer(text):
        if not _is_known(match[0], text, match.end()):
            raise _foreign(text, match.start(), match[0] if len(match[0]) <= 40 else f"{match[0][:40]}...", where)


def _is_known(token: str, text: str, end: int) -> bool:
    """Whether hwq writes ``token``, which ends before position ``end`` of ``text``."""
    kind = token[0]
    if kind == "/":
        return "verilator" not in token.lower() or _REMARK.fullmatch(token) is not None
    if kind == '"':
        return len(token) > 1
    if kind == "\\":
        return not any(c in token for c in '"`/')
    if token == "$readmemh":
        return _MEMORY.match(text, end) is not None
    return token in (TASKS if kind == "$" else DIRECTIVES)


def _foreign(text: str, start: int, what: str, where: str) -> InputError:
    line = text.count("\n", 0, start) + 1
    message = f"line {line} uses {what}, which hwq never writes and which may reach out of the simulation"
    return InputError("VERILOG-FOREIGN", message, where=where, hint="Compile the model again")

"""Verilog from elsewhere: nothing in it may reach out of the simulation when it is compiled or run."""

from __future__ import annotations

import re

from hwq.errors import InputError

__all__ = ["check_verilog"]

# What emitted designs use; Verilator also knows $c and $system, which run anything, and `systemc_* blocks, which are C++.
TASKS = frozenset(("$display", "$finish", "$readmemh", "$signed", "$unsigned", "$stop"))
DIRECTIVES = frozenset(("`timescale", "`default_nettype", "`ifndef", "`ifdef", "`else", "`endif"))
# Comments, strings and escaped identifiers first, so that what they hold is no token.
_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"|\\\S+|`\w*|(?<![\w$])\$\w+', re.DOTALL)


def check_verilog(text: str, where: str) -> None:
    """Raise :class:`InputError` (``VERILOG-FOREIGN``) for a system task or directive that hwq does not write.

    >>> check_verilog('initial $display("$system"); // `include', "a.v")
    """
    for match in _TOKEN.finditer(text):
        token = match[0]
        if (token[0] == "$" and token not in TASKS) or (token[0] == "`" and token not in DIRECTIVES):
            line = text.count("\n", 0, match.start()) + 1
            raise InputError(
                "VERILOG-FOREIGN",
                f"line {line} uses {token}, which hwq never writes and which may reach out of the simulation",
                where=where,
                hint="Compile the model again",
            )

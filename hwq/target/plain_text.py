"""The last hand on emitted Verilog: plain identifiers in place of escaped ones, and lines of bounded length."""

from __future__ import annotations

import re

__all__ = ["WIDE", "plain_identifiers", "wrapped"]

WIDE = 132
_WORD = re.compile(r"[A-Za-z_][\w$]*")
# Strings first: a backslash in one begins no identifier.
_ESCAPED = re.compile(r'"(?:\\[^\n]|[^"\\\n])*"|\\(\S+) ( ?)')
_BROKEN_LIST = re.compile(r"\n, (?=\S)")
_PIECE = re.compile(r'(?:"(?:\\.|[^"\\])*"|[^\s"])+')


def plain_identifiers(verilog: str) -> str:
    """``verilog`` with every escaped identifier made a plain one, everywhere the same: ``\\top.reader `` becomes ``top_reader``.

    Amaranth names submodules with dots and anonymous nets with ``$``, which Tcl and XDC act on. A name that a plain one or a keyword
    has already gets underscores behind.
    """
    taken = set(_WORD.findall(verilog))
    names: dict[str, str] = {}

    def plain(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0]
        if found[1] not in names:
            names[found[1]] = _free(found[1], taken)
        return names[found[1]] + found[2]

    return re.sub(r"^(module \w+) \(", r"\1(", _ESCAPED.sub(plain, verilog), flags=re.MULTILINE)


def _free(name: str, taken: set[str]) -> str:
    plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
    plain = plain if re.match("[A-Za-z]", plain) else f"net_{plain}"
    while plain in taken:
        plain += "_"
    taken.add(plain)
    return plain


def wrapped(verilog: str) -> str:
    """``verilog`` with lines of at most :data:`WIDE` characters, broken at spaces; a longer constant or name stays whole."""
    lines = _BROKEN_LIST.sub(", ", verilog).split("\n")
    return "\n".join(line if len(line) <= WIDE or "//" in line else _broken(line) for line in lines)


def _broken(line: str) -> str:
    """Pieces of ``line``, the later ones further in."""
    indent = " " * (len(line) - len(line.lstrip()))
    pieces = [indent]
    for word in _PIECE.findall(line):
        if len(pieces[-1]) + len(word) > WIDE and pieces[-1].strip():
            pieces.append(f"{indent}    ")
        pieces[-1] += f"{word} "
    return "\n".join(piece.rstrip() for piece in pieces)

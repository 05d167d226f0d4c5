"""Tables for people: aligned text, the same rows for a terminal and for a pipe, nothing cut off."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Table", "cycles_text", "grouped", "percent", "printable", "shortened", "si"]


def printable(text: object) -> str:
    """``text`` with control characters shown as escapes: layer names are the user's and may hold anything."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def shortened(name: str, longest: int = 32) -> str:
    """``name`` with its middle left out where it is long: names of layers differ at both ends.

    >>> shortened("fc1"), shortened("model.encoder.layers.11.attention.self.query")
    ('fc1', 'model.encoder.la...on.self.query')
    """
    head = (longest - 2) // 2
    return name if len(name) <= longest else f"{name[: head + 1]}...{name[-(longest - head - 4) :]}"


def _width(text: str) -> int:
    """Columns ``text`` takes on a terminal."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else not unicodedata.combining(c) for c in text)


@dataclass(frozen=True)
class Table:
    """Rows under headers.

    Parameters
    ----------
    headers
        One title a column; a leading ``>`` aligns the column to the right.
    rows
        One text a column; ``None`` prints as an empty cell.
    """

    headers: Sequence[str]
    rows: Sequence[Sequence[object]]

    def text(self, indent: str = "  ") -> str:
        """Aligned lines: titles, a rule, rows.

        >>> print(Table(("layer", ">PE"), [("fc1", 16), ("fc2", 4)]).text())
          layer  PE
          -----  --
          fc1    16
          fc2     4
        """
        right = [h.startswith(">") for h in self.headers]
        titles = [h.removeprefix(">") for h in self.headers]
        cells = [["" if v is None else printable(v) for v in row] for row in self.rows]
        widths = [max(map(_width, column)) for column in zip(titles, *cells, strict=True)]
        lines = [titles, ["-" * w for w in widths], *cells]
        return "\n".join(indent + "  ".join(_aligned(line, widths, right)).rstrip() for line in lines)


def _aligned(cells: Iterable[str], widths: Sequence[int], right: Sequence[bool]) -> list[str]:
    pads = [" " * (w - _width(c)) for c, w in zip(cells, widths, strict=True)]
    return [p + c if r else c + p for c, p, r in zip(cells, pads, right, strict=True)]


def grouped(value: float | int | None) -> str:
    """A count with thousands separated: ``1 234 567``; empty for None."""
    return "" if value is None else f"{value:,.0f}".replace(",", " ")


def cycles_text(cycles: int) -> str:
    """
    >>> cycles_text(1), cycles_text(4050)
    ('1 cycle', '4 050 cycles')
    """
    return f"{grouped(cycles)} cycle{'s' if cycles != 1 else ''}"


def percent(share: float | None) -> str:
    """``share`` (1.0 is all) in percent with two significant digits.

    >>> percent(0.0042), percent(0.416), percent(1.5)
    ('0.42 %', '42 %', '150 %')
    """
    if share is None:
        return ""
    value = 100 * share
    return f"{value:.2g} %" if 0 < value < 10 else f"{value:.0f} %"


def si(seconds: float) -> str:
    """A time in its natural unit: ``1.31 us``, ``20.4 ms``.

    >>> si(1.307e-6), si(0.0204), si(0)
    ('1.31 us', '20.4 ms', '0 s')
    """
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale or seconds == 0:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"

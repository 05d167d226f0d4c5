"""How wide a text gets: advance widths of DejaVu Sans, the widest of the common sans-serif faces."""

from __future__ import annotations

import unicodedata

from hwq.report.table import printable

__all__ = ["fitted", "text_width"]

# Thousandths of the font size, of the characters from the space on.
_REGULAR = (
    *(318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636, 636, 636, 636, 636, 636),
    *(636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632, 575, 775, 752, 295, 295, 656, 557, 863, 748, 787),
    *(603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838, 500, 500, 613, 635, 550, 635, 615, 352, 635),
    *(634, 278, 278, 579, 278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838),
)
_BOLD = (
    *(348, 456, 521, 838, 696, 1002, 872, 306, 457, 457, 523, 838, 380, 415, 380, 365, 696, 696, 696, 696, 696, 696, 696, 696),
    *(696, 696, 400, 400, 838, 838, 838, 580, 1000, 774, 762, 734, 830, 683, 683, 821, 837, 372, 372, 775, 637, 995, 837, 850),
    *(733, 850, 770, 720, 682, 812, 774, 1103, 771, 724, 725, 457, 365, 457, 838, 500, 500, 675, 716, 593, 716, 678, 435, 716),
    *(712, 343, 343, 665, 343, 1042, 712, 687, 716, 716, 493, 595, 478, 712, 652, 924, 645, 652, 582, 712, 365, 712, 838),
)
_FIRST = 32
# What is written between the characters above; every other one counts as much as the widest that occur in words.
_SIGNS = {"→": 838, "·": 380, "…": 1000, "µ": 736, "±": 838}
_OTHER, _WIDE = 1150, 2050


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Width of ``text`` at font size ``size``, in the same unit; never less than a browser takes."""
    widths = _BOLD if bold else _REGULAR
    return sum(_advance(c, widths) for c in text) * size / 1000


def _advance(c: str, widths: tuple[int, ...]) -> int:
    if _FIRST <= ord(c) < _FIRST + len(widths):
        return widths[ord(c) - _FIRST]
    if c in _SIGNS:
        return _SIGNS[c]
    if unicodedata.combining(c):
        return 0
    return _OTHER if ord(c) < 0x250 and unicodedata.category(c)[0] == "L" else _WIDE


def fitted(text: str, size: float, room: float, *, bold: bool = False) -> str:
    """``text`` with its control characters as escapes, its middle left out where it is wider than ``room``."""
    text = printable(text)
    if text_width(text, size, bold=bold) <= room:
        return text
    kept = len(text)
    while kept > 0:
        kept = min(kept - 1, 200)
        head, tail = (kept + 1) // 2, kept // 2
        short = f"{text[:head]}…{text[len(text) - tail :]}"
        if text_width(short, size, bold=bold) <= room:
            return short
    return ""

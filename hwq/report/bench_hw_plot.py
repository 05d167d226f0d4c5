"""The plot of the circuit benchmark: LUT sites of every contender as a share of the plain description's."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hwq.report.bench_hw_flow import Work

__all__ = ["plot"]

COLOURS = {"hwq": "#0b6e4f", "alkaid": "#c8553d", "behavioural": "#8d99ae"}
BAR = 0.26
BEHIND = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"}


def plot(rows: Sequence[Mapping[str, Any]], works: Mapping[str, Work], file: Path) -> Path | None:
    """Write ``file`` (SVG or PNG by its ending): a group of bars a work. None where matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = [name for name in works if any(r["work"] == name and "lut_physical" in r for r in rows)]
    figure = Figure(figsize=(11, 1.4 + 0.62 * len(names)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for place, name in enumerate(names):
        _bars(axes, place, [r for r in rows if r["work"] == name and "lut_physical" in r], works[name])
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("LUT sites as a share of the largest contender's; the number is the count, the line the target")
    axes.set_xlim(0, 1.18)
    axes.spines[["top", "right"]].set_visible(False)
    handles = [axes.barh([0], [0], color=c, label=k) for k, c in COLOURS.items()]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    figure.savefig(file, dpi=110)
    return file


def _bars(axes: Any, place: int, rows: Sequence[Mapping[str, Any]], work: Work) -> None:
    largest = max(r["lut_physical"] for r in rows) or 1
    for k, row in enumerate(rows):
        y = place + (k - (len(rows) - 1) / 2) * BAR
        share = row["lut_physical"] / largest
        axes.barh(y, share, BAR * 0.9, color=COLOURS.get(row["circuit"], "#e0c27a"))
        note = "" if row["circuit"] in COLOURS else f"  {row['circuit']}"
        axes.text(share + 0.005, y, f"{row['lut_physical']:,.0f}{note}".replace(",", " "), va="center", fontsize=8, bbox=BEHIND, zorder=3)
    if work.target:
        half = len(rows) * BAR / 2 + 0.05
        axes.plot([work.target / largest] * 2, [place - half, place + half], color="black", linewidth=1.2)

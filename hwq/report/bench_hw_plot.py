"""The plot of the circuit benchmark: LUT sites of every contender as a share of the largest's."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hwq.report.bench_hw_flow import Work

__all__ = ["plot"]

OTHERS = "others, or an estimate"
COLOURS = {"hwq": "#0b6e4f", "alkaid": "#c8553d", "behavioural": "#8d99ae", OTHERS: "#e0c27a"}
BAR = 0.26
BEHIND = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"}
Bar = tuple[str, float, str]  # colour's name, LUT sites, words beside it


def plot(rows: Sequence[Mapping[str, Any]], works: Mapping[str, Work], file: Path) -> Path | None:
    """Write ``file`` (SVG or PNG by its ending): a group of bars a work. None where matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    groups = {name: list(_bars(rows, work)) for name, work in works.items()}
    groups = {name: bars for name, bars in groups.items() if bars}
    figure = Figure(figsize=(11, 1.4 + 0.24 * sum(len(bars) + 1 for bars in groups.values())), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    ticks, below = [], 0.0
    for name, bars in groups.items():
        _group(axes, below, bars, works[name].target)
        ticks.append(below + (len(bars) - 1) / 2 * BAR)
        below += (len(bars) + 1) * BAR
    axes.set_yticks(ticks, list(groups))
    axes.set_ylim(below - BAR / 2, -BAR * 1.5)
    axes.set_xlabel("LUT sites as a share of the largest contender's; the number is the count, the line the target")
    axes.set_xlim(0, 1.25)
    axes.spines[["top", "right"]].set_visible(False)
    handles = [axes.barh([0], [0], color=c, label=k) for k, c in COLOURS.items()]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    figure.savefig(file, dpi=110)
    return file


def _bars(rows: Sequence[Mapping[str, Any]], work: Work) -> Iterator[Bar]:
    """Those counted, then those quoted or estimated; none where nothing was counted."""
    here = [row for row in rows if row["work"] == work.name]
    counted = [row for row in here if row.get("lut_physical") is not None]
    for row in counted:
        yield row["circuit"], row["lut_physical"], row.get("variant") or ""
    if counted:
        yield from ((OTHERS, row["estimate"], f"{row['circuit']}, own estimate") for row in here if "estimate" in row)
        yield from ((OTHERS, luts, f"{of}, quoted") for of, luts, _ in work.quoted)


def _group(axes: Any, top: float, bars: Sequence[Bar], target: float | None) -> None:
    largest = max(luts for _, luts, _ in bars) or 1
    for k, (colour, luts, words) in enumerate(bars):
        y, share = top + k * BAR, luts / largest
        axes.barh(y, share, BAR * 0.9, color=COLOURS[colour])
        text = f"{luts:,.0f}".replace(",", " ") + (f"  {words}" if words else "")
        axes.text(share + 0.005, y, text, va="center", fontsize=8, bbox=BEHIND, zorder=3)
    if target:
        ends = [top - BAR * 0.6, top + (len(bars) - 0.4) * BAR]
        axes.plot([target / largest] * 2, ends, color="black", linewidth=1.2, zorder=4)

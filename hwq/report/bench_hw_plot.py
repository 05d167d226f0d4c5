"""The plot of the circuit benchmark: LUT sites of every contender beside each other, and a product's cost by quantizer."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwq.report.bench_hw_flow import Work
from hwq.report.bench_hw_quantizers import Cost, costs
from hwq.report.bench_hw_row import UNITS
from hwq.report.table import grouped

__all__ = ["plot"]

# Colours by what a bar stands for, in the order of the bars and of the legend.
COLOURS = {"hwq": "#0b6e4f", "behavioural": "#8d99ae", "alkaid": "#c8553d", "quoted": "#e0c27a"}
NAMES = {"hwq": "hwq", "behavioural": "plain Verilog", "alkaid": "alkaid", "quoted": "quoted, or a tool's own estimate"}
MISSED = "#b00020"
WIDTH, LINE, HEAD = 12.0, 0.2, 1.6  # inches
BAR = 0.9
END = 1.5  # of the axis, room for words behind the bars


@dataclass(frozen=True)
class Bar:
    """``luts`` of a contender, and the words behind it."""

    kind: str
    luts: float
    words: str
    is_missed: bool = False


def plot(rows: Sequence[Mapping[str, Any]], works: Mapping[str, Work], file: Path) -> Path | None:
    """Write ``file`` (SVG or PNG by its ending): a group of bars a work, below them one a quantizer. None without matplotlib."""
    if importlib.util.find_spec("matplotlib") is None:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    groups = [(work, list(_bars(rows, work))) for work in works.values()]
    groups = [(work, bars) for work, bars in groups if len(bars) > 1 or (bars and work.target)]
    found = costs(rows)
    lines = sum(len(bars) + 1 for _, bars in groups) + 2, 2 * len(found) + 2
    figure = Figure(figsize=(WIDTH, HEAD + LINE * sum(lines)), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, height_ratios=lines)
    _draw_works(above, groups)
    _draw_costs(below, found)
    handles = [above.barh([0], [0], color=c, label=NAMES[k]) for k, c in COLOURS.items()]
    handles += above.plot([], [], color="black", linewidth=1.4, label="target")
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    figure.savefig(file, dpi=110)
    return file


def _bars(rows: Sequence[Mapping[str, Any]], work: Work) -> Iterator[Bar]:
    """Those counted, then those quoted or estimated; none where nothing was counted."""
    here = [row for row in rows if row["work"] == work.name]
    counted = [row for row in here if row.get("lut_physical") is not None]
    for row in counted:
        ours = row["circuit"] == "hwq"
        verdict = _verdict(row) if ours else row.get("variant") or ""
        yield Bar(row["circuit"], row["lut_physical"], verdict, ours and bool(row.get("missed")))
    if counted:
        yield from (Bar("quoted", row["estimate"], f"{row['circuit']}, own estimate") for row in here if row.get("estimate") is not None)
        yield from (Bar("quoted", luts, f"{of}, quoted") for of, luts, _ in work.quoted)


def _verdict(row: Mapping[str, Any]) -> str:
    """The targets that ours misses, or that it meets them."""
    targets = row.get("targets") or {}
    missed = [f"{grouped(targets[k])} {UNITS.get(k, k)}: {grouped(row.get(k)) or 'not measured'}" for k in row.get("missed") or ()]
    return f"misses {', '.join(missed)}" if missed else "meets its targets" if targets else ""


def _draw_works(axes: Any, groups: Sequence[tuple[Work, Sequence[Bar]]]) -> None:
    """Every group to its own scale, the numbers in a column of their own, where no line runs."""
    ticks, y = [], 0
    for work, bars in groups:
        largest = max([*(bar.luts for bar in bars), work.target or 0]) or 1
        ticks.append(y + (len(bars) - 1) / 2)
        if work.target:
            axes.plot([work.target / largest] * 2, [y - 0.6, y + len(bars) - 0.4], color="black", linewidth=1.4, zorder=4)
        for bar in bars:
            axes.barh(y, bar.luts / largest, BAR, color=COLOURS[bar.kind])
            axes.text(1.09, y, grouped(bar.luts), va="center", ha="right", fontsize=8)
            axes.text(1.10, y, bar.words, va="center", fontsize=8, color=MISSED if bar.is_missed else "black")
            y += 1
        y += 1
    axes.set_yticks(ticks, [work.name for work, _ in groups], fontsize=9)
    axes.set_ylim(max(1, y) - 0.5, -1)
    axes.set_xlim(0, END)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0])
    axes.set_xlabel("share of the largest contender's")
    axes.set_title("LUT sites by work", loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines["bottom"].set_bounds(0, 1)


def _draw_costs(axes: Any, found: Sequence[Cost]) -> None:
    """LUT sites a product, ours and the plain description's, on one logarithmic scale."""
    least = min((c.luts for c in found), default=1.0) / 2
    most = max((v for c in found for v in (c.luts, c.plain or 0)), default=1.0)
    for k, cost in enumerate(found):
        words = f"{cost.luts:.3g} LUT" + (f" and {cost.dsp:.2g} DSP" if cost.dsp else "")
        values = [("hwq", cost.luts, words), *([("behavioural", cost.plain, f"{cost.plain:.3g}")] if cost.plain else [])]
        for j, (kind, value, text) in enumerate(values):
            y = 2 * k + 0.8 * j
            axes.barh(y, value - least, 0.75, left=least, color=COLOURS[kind])
            axes.text(value * 1.05, y, text, va="center", fontsize=8)
    axes.set_yticks([2 * k + 0.4 * bool(c.plain) for k, c in enumerate(found)], [c.quantizer for c in found], fontsize=9)
    axes.set_xscale("log")
    axes.set_xlim(least, most * 6)
    axes.set_ylim(2 * len(found), -1)
    axes.set_xlabel("LUT sites for one product a cycle, accumulator and control included (logarithmic)")
    axes.set_title("One product a cycle, by quantizer" if found else "By quantizer: not measured yet", loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)

"""What `hwq compile` says about styles: of another one that would be faster or smaller, of a rate that a style goes far beyond."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hwq.report.table import cycles_text, grouped

if TYPE_CHECKING:
    from hwq.network.graph import Network
    from hwq.plan.alternatives import Alternative
    from hwq.plan.device import Device
    from hwq.plan.goal import Goal

__all__ = ["STYLE_HELP", "style_remarks"]

STYLE_HELP = (
    "of all layers that can have it. folded: weights read from memory, as many rows and columns a cycle as the goal needs; constant: the "
    "same with weights as functions of the fold, in LUTs; unrolled: weights as wiring, a vector or window every cycle whatever the goal, "
    "circuits take their time; auto: the cheapest for each layer, however large its circuit (default: the cheapest, circuits of "
    "2500 LUTs in all)"
)
SEVERAL = 2  # times a rate asked for, from which it is worth a remark


def style_remarks(report: Mapping[str, Any], network: Network, device: Device, goal: Goal, style: str | None) -> list[str]:
    """Lines about the style of a design: better ones, and a rate exceeded because layers are unrolled."""
    from hwq.plan.alternatives import better_styles

    cycles, lut = report["cycles_per_frame"], report["resources"]["lut"]
    better = better_styles(network, device, goal, report["clock_mhz"], style, cycles, lut)
    return [*_exceeded(report, goal), *(_better(a) for a in better)]


def _exceeded(report: Mapping[str, Any], goal: Goal) -> Iterator[str]:
    unrolled = [layer["name"] for layer in report["layers"] if layer.get("style") == "unrolled"]
    if goal.fps is not None and unrolled and report["fps"] >= SEVERAL * goal.fps:
        yield (
            f"{report['fps'] / goal.fps:.3g} times the {grouped(round(goal.fps))} frames/s asked for: an unrolled layer takes a vector or "
            "window every cycle and costs the same at every rate"
        )


def _better(a: Alternative) -> str:
    way = f"--style {a.style}" if a.style else "without --style, hwq"
    digits = max(0, len(str(round(a.lut))) - 2)
    luts = grouped(round(round(a.lut, -digits)))
    line = f"{way} would take {cycles_text(a.cycles)} a frame with about {luts} LUTs"
    if a.style == "unrolled":
        # How much rows share is not known before.
        line += ", give or take a third until its circuits are made; that takes its time, as simulating them does"
    return line

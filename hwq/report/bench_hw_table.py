"""The table of the circuit benchmark for people: a line for each work, its contenders below it, at most 120 columns wide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from hwq.report.bench_hw_flow import Work
from hwq.report.table import Table, grouped

__all__ = ["WIDTH", "table"]

WIDTH = 120
FIXED = "\u00a0"  # a space at which no line breaks
HEADERS = ("circuit", ">LUT", ">product", ">feed", ">cells", ">CARRY8", ">CLB", ">DSP", ">FF", ">levels", ">clocks", ">make s", ">Yosys s")
NAMES = {"lut_physical": "LUT", "ff": "FF", "clb": "CLB", "seconds": "make s", "dsp": "DSP"}
LEGEND = (
    "LUT: physical sites, any two LUTs with up to five distinct inputs between them in one; cells: LUT cells;",
    "product: LUT for one product a cycle; feed: LUT of these that hold the weights; CLB: what LUTs and CARRY8 need;",
    "make s, Yosys s: processor seconds to optimise and write Verilog, to synthesise it; ~: a tool's own estimate;",
    "registered: inputs go to flip-flops first and are counted, outputs come from them; combinational: no flip-flop.",
)


def table(rows: Sequence[Mapping[str, Any]], every: Mapping[str, Work]) -> str:
    """``rows`` grouped by work, in their order: targets, met or missed, beside the work's name; notes below its contenders."""
    lines: list[tuple[str, ...]] = []
    above: list[list[str]] = []
    before: Work | None = None
    for row in rows:
        work = every[row["work"]]
        above.append([] if work is before else [*([] if before is None else _below(before)), *_heading(work, rows)])
        before = work
        lines.append((_who(row), *_figures(row)))
    last = [] if before is None else _below(before)
    titles, rule, *body = Table(HEADERS, lines).text().splitlines()
    text = [titles, rule]
    for head, line, row in zip(above, body, rows, strict=True):
        text += [*head, line, *_error(row)]
    legend = (piece for line in LEGEND for piece in _lines(line, ""))
    return "\n".join([*text, *last, "", *legend])


def _heading(work: Work, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name, title, I/O and targets of a work, after an empty line."""
    ours = next((r for r in rows if r["work"] == work.name and r["circuit"] == "hwq"), {})
    wanted = [_target(name, most, work, ours) for name, most in work.targets.items()]
    return ["", *_lines(f"{work.name}: {work.title}, {work.io}{'; at most ' if wanted else ''}{', '.join(wanted)}", "")]


def _target(name: str, most: float, work: Work, ours: Mapping[str, Any]) -> str:
    share = f" ({most / work.products:.2f} a product)" if name == "lut_physical" and work.products > 1 else ""
    value = ours.get(name)
    verdict = "" if not ours else ": not measured" if value is None else ": met" if value <= most else ": MISSED"
    return f"{grouped(most)} {NAMES.get(name, name)}{share}{verdict}".replace(" ", FIXED)


def _below(work: Work) -> list[str]:
    """Figures of others, and the note."""
    quoted = [f"quoted: {of} {grouped(luts)} LUT ({source})" for of, luts, source in work.quoted]
    return [piece for text in (*quoted, *([work.note] if work.note else [])) for piece in _lines(text, "    ")]


def _lines(text: str, indent: str) -> Iterator[str]:
    for line in wrap(text, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  "):
        yield line.replace(FIXED, " ")


def _who(row: Mapping[str, Any]) -> str:
    sample = f", {row['scaled_from']}x sample" if "scaled_from" in row else ""
    return f"{row['circuit']}{', ' + row['variant'] if row.get('variant') else ''}{sample}"


def _error(row: Mapping[str, Any]) -> list[str]:
    return list(_lines(f"failed: {row['error']}", "    ")) if "error" in row else []


def _figures(row: Mapping[str, Any]) -> tuple[str, ...]:
    luts = f"~{grouped(row['estimate'])}" if "estimate" in row else grouped(row.get("lut_physical"))
    share = "" if row.get("per_product") is None else f"{row['per_product']:.3f}"
    counts = (grouped(row.get(k)) for k in ("feed_luts", "lut_cells", "carry", "clb", "dsp", "ff", "depth", "latency"))
    times = ("" if row.get(k) is None else f"{row[k]:.1f}" for k in ("seconds", "synthesis_seconds"))
    return (luts, share, *counts, *times)

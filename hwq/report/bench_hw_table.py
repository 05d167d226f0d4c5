"""The table of the circuit benchmark for people: a line for each work, its contenders below it, at most 120 columns wide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from hwq.report.bench_hw_flow import Work
from hwq.report.bench_hw_row import UNITS
from hwq.report.table import Table, grouped

__all__ = ["WIDTH", "table"]

WIDTH = 120
FIXED = "\u00a0"  # a space at which no line breaks
HEADERS = (
    *("circuit", ">LUT", ">product", ">feed", ">cells", ">thru", ">mem", ">CARRY8"),
    *(">CLB", ">DSP", ">FF", ">depth", ">clk", ">make", ">Yosys"),
)
COUNTS = ("feed_luts", "lut_cells", "route_throughs", "lutram", "carry", "clb", "dsp", "ff", "depth", "latency")
LEGEND = """\
LUT: physical sites, two LUTs in one where they read at most five inputs together; product: LUT and mem for one product
  a cycle; feed: LUT of these that hold the weights; cells: LUT cells as Yosys counts them; thru: LUT of these that only
  pass a signal on to a carry position or a multiplexer; mem: LUT sites as memory, not in LUT; 1/n: a sample, scaled;
CARRY8: those that the carry chains fill; CLB: at least, by LUT, mem and CARRY8; FF: those of the inputs too;
depth: most LUTs in a row between flip-flops or ports, carry chains add none; plain descriptions are not pipelined
  beyond the registers written in them; clk: cycles from inputs to outputs;
make, Yosys: processor seconds to find the circuit and write its Verilog, to synthesise it; *: schedules of some heaps
  were solved before, up to a minute each, and are only read; ~: a tool's own estimate, not synthesised;
registered: inputs go to flip-flops first and are counted, outputs come from them; combinational: no flip-flop."""


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
    return "\n".join([*text, *last, "", LEGEND, *_tools(rows)])


def _tools(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The flows of the rows, mostly one."""
    kinds = {tuple(f[k] for k in ("hwq", "yosys", "alkaid", "synthesis")) for f in (row["flow"] for row in rows) if f}
    return [f"hwq {h}, Yosys {y}: {how}; alkaid {a or 'not installed'}" for h, y, a, how in sorted(kinds, key=str)]


def _heading(work: Work, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name, title, I/O and targets of a work, after an empty line."""
    ours = next((r for r in rows if r["work"] == work.name and r["circuit"] == "hwq"), {})
    wanted = [_target(name, most, work, ours) for name, most in work.targets.items()]
    return ["", *_lines(f"{work.name}: {work.title}, {work.io}{'; at most ' if wanted else ''}{', '.join(wanted)}", "")]


def _target(name: str, most: float, work: Work, ours: Mapping[str, Any]) -> str:
    share = f" ({most / work.products:.2f} a product)" if name == "lut_physical" and work.products > 1 else ""
    value = ours.get(name)
    verdict = "" if not ours else ": not measured" if value is None else ": met" if value <= most else ": MISSED"
    return f"{grouped(most)} {UNITS.get(name, name)}{share}{verdict}".replace(" ", FIXED)


def _below(work: Work) -> list[str]:
    """Figures of others, and the note."""
    quoted = [f"quoted: {of} {grouped(luts)} LUT ({source})" for of, luts, source in work.quoted]
    return [piece for text in (*quoted, *([work.note] if work.note else [])) for piece in _lines(text, "    ")]


def _lines(text: str, indent: str) -> Iterator[str]:
    for line in wrap(text, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  "):
        yield line.replace(FIXED, " ")


def _who(row: Mapping[str, Any]) -> str:
    sample = f", 1/{row['scaled_from']}" if row["scaled_from"] else ""
    return f"{row['circuit']}{', ' + row['variant'] if row['variant'] else ''}{sample}"


def _error(row: Mapping[str, Any]) -> list[str]:
    word = "failed" if row["lut_physical"] is None else "counted, but"
    return list(_lines(f"{word}: {row['error']}", "    ")) if row["error"] else []


def _figures(row: Mapping[str, Any]) -> tuple[str, ...]:
    luts = grouped(row["lut_physical"]) if row["estimate"] is None else f"~{grouped(row['estimate'])}"
    share = "" if row["per_product"] is None else f"{row['per_product']:.3f}"
    made, synthesised = ("" if row[k] is None else f"{row[k]:.1f}" for k in ("seconds", "synthesis_seconds"))
    return (luts, share, *(grouped(row[k]) for k in COUNTS), f"{made}{'*' if row['stored_heaps'] else ''}", synthesised)

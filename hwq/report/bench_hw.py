"""Circuits of hwq beside plain Verilog and alkaid, behind ``make bench-hw``: prints a table, writes ``rtl_out/bench/hw.json`` and a plot.

Run it as ``python -m hwq.report.bench_hw [WORK[:CIRCUIT] ...]`` in the repository's folder; both may be the beginning of several names.
Without one, everything is measured and the file written anew; with some, their rows are replaced.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hwq.report.bench_hw_alkaid import available
from hwq.report.bench_hw_flow import Circuit, NotExact, Row, Work, measure
from hwq.report.bench_hw_plot import plot
from hwq.report.bench_hw_works import works
from hwq.report.bench_main import OUTPUT, say
from hwq.report.table import Table, grouped
from hwq.target.synthesis import SynthesisFailed

__all__ = ["main", "measured", "table"]

FILE = OUTPUT / "hw.json"
HEADERS = (
    "work",
    "I/O",
    "circuit",
    ">LUT",
    ">target",
    ">per product",
    ">related",
    ">cells",
    ">CARRY8",
    ">CLB",
    ">DSP",
    ">FF",
    ">levels",
    ">clocks",
    ">s",
)
log = logging.getLogger("hwq")


def main(words: Sequence[str]) -> int:
    """Measure the works that ``words`` name (all without); the exit code is 1 where a circuit was not exact."""
    every = works()
    chosen = _chosen(every, words)
    if not chosen:
        print(f"no work is called {' or '.join(words)}; there are: {', '.join(every)}", file=sys.stderr)
        return 2
    if not available():
        say("alkaid is not installed: its rows are left out (pip install 'hwq[bench]')")
    OUTPUT.mkdir(parents=True, exist_ok=True)
    rows, good = _kept(FILE, chosen) if words else [], True
    for work in chosen:
        for row in measured(work):
            good &= "error" not in row
            rows = sorted([*rows, row], key=lambda r: _place(r, list(every)))
            FILE.write_text(json.dumps(rows, indent=1) + "\n")
    print(table([r for r in rows if r["work"] in every], every))
    print(f"wrote {FILE}")
    picture = plot(rows, every, FILE.with_suffix(".svg"))
    print(f"wrote {picture}" if picture else "no plot: matplotlib is not installed (pip install 'hwq[bench]')")
    return 0 if good else 1


def _place(row: Mapping[str, Any], names: Sequence[str]) -> tuple[int, int, str]:
    """Where a row stands: works in their order, hwq first, quoted figures last."""
    order = ("hwq", "behavioural", "alkaid")
    work = names.index(row["work"]) if row["work"] in names else len(names)
    return work, order.index(row["circuit"]) if row["circuit"] in order else len(order), row.get("variant") or ""


def _chosen(every: Mapping[str, Work], words: Sequence[str]) -> list[Work]:
    """The works whose names begin so, with the contenders whose names begin as what stands behind a colon."""
    found = []
    for name, work in every.items():
        wanted = [word.partition(":")[2] for word in words if name.startswith(word.partition(":")[0])]
        makers = {k: m for k, m in work.contenders.items() if not words or any(k.startswith(w) for w in wanted)}
        if makers:
            found.append(replace(work, contenders=makers))
    return found


def _kept(file: Path, chosen: Sequence[Work]) -> list[dict[str, Any]]:
    """Rows of an earlier run that are not measured now."""
    rows = json.loads(file.read_text()) if file.is_file() else []
    now = {(w.name, _split(name)) for w in chosen for name in w.contenders}
    now |= {(w.name, (quote[0], None)) for w in chosen for quote in w.quoted}
    return [row for row in rows if (row["work"], (row["circuit"], row.get("variant"))) not in now]


def _split(name: str) -> tuple[str, str | None]:
    """Circuit and variant of a contender's name."""
    circuit, _, variant = name.partition(":")
    return circuit, variant or None


def measured(work: Work) -> Iterator[dict[str, Any]]:
    """A row for each contender, and for each quoted figure; a contender that fails gives a row with ``error``."""
    for name, make in work.contenders.items():
        say(f"{work.name}: {name}")
        yield _row(work, name, make)
    for circuit, luts, source in work.quoted:
        yield {"work": work.name, "circuit": circuit, "lut_physical": luts, "quoted_from": source, "io": work.io}


def _row(work: Work, name: str, make: Callable[[], Circuit | Row]) -> dict[str, Any]:
    try:
        made = make()
        row = measure(work, made) if isinstance(made, Circuit) else {"work": work.name, "circuit": name, "io": work.io, **made}
        return {**row, "variant": _split(name)[1]} if _split(name)[1] else row
    except (NotExact, SynthesisFailed, NotImplementedError) as error:
        log.warning("%s, %s: %s", work.name, name, error)
        return {"work": work.name, "circuit": _split(name)[0], "variant": _split(name)[1], "error": str(error)[:300]}


def table(rows: Sequence[Mapping[str, Any]], every: Mapping[str, Work]) -> str:
    """The rows for people."""
    lines, before = [], None
    for row in rows:
        work = every[row["work"]]
        first = row["work"] != before
        before = row["work"]
        lines.append((row["work"] if first else "", work.io if first else "", _who(row), *_figures(row, work.target if first else None)))
    notes = [
        "LUT: physical sites, any two LUTs with up to five distinct inputs in one; related: only those with a common input share one.",
        "I/O: registered = inputs go to flip-flops first, outputs come from flip-flops, for all alike; combinational = no flip-flop.",
    ]
    return "\n".join([Table(HEADERS, lines).text(), "", *notes])


def _who(row: Mapping[str, Any]) -> str:
    return f"{row['circuit']}{' (' + row['variant'] + ')' if row.get('variant') else ''}{' quoted' if 'quoted_from' in row else ''}"


def _figures(row: Mapping[str, Any], target: float | None) -> tuple[str, ...]:
    if "error" in row:
        return (f"failed: {row['error'][:40]}", *[""] * (len(HEADERS) - 4))
    shares = (grouped(row["lut_physical"]), grouped(target), "" if row.get("per_product") is None else f"{row['per_product']:.3f}")
    counts = tuple(grouped(row.get(k)) for k in ("lut_related", "lut_cells", "carry", "clb", "dsp", "ff", "depth", "latency"))
    return (*shares, *counts, "" if row.get("seconds") is None else f"{row['seconds']:.1f}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Circuits of hwq beside plain Verilog and alkaid, behind ``make bench-hw``: prints a table, writes ``rtl_out/bench/hw.json`` and a plot.

Run it as ``python -m hwq.report.bench_hw [WORK[:CIRCUIT] ...]`` in the repository's folder; both may be the beginning of several names.
Rows are written as they come, in place of those of the same work and circuit; a run of everything drops what it did not measure. One
that is interrupted prints and plots what there is.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hwq.report.bench_hw_alkaid import available
from hwq.report.bench_hw_flow import Circuit, Row, Work, measure
from hwq.report.bench_hw_plot import plot
from hwq.report.bench_hw_quantizers import summary
from hwq.report.bench_hw_row import complete
from hwq.report.bench_hw_table import table
from hwq.report.bench_hw_works import left_out, works
from hwq.report.bench_main import OUTPUT, TARGET, say
from hwq.target.boards import load_device

__all__ = ["main", "measured", "merged"]

FILE = OUTPUT / "hw.json"
INTERRUPTED = 130
ORDER = ("hwq", "behavioural", "alkaid")
log = logging.getLogger("hwq")


def main(words: Sequence[str]) -> int:
    """Measure the works that ``words`` name (all without); the exit code is 1 where a contender failed, 130 where it is interrupted."""
    every = works()
    chosen = _chosen(every, words)
    if not chosen:
        print(f"no work is called {' or '.join(words)}; there are: {', '.join(every)}", file=sys.stderr)
        return 2
    if not available():
        say("alkaid is not installed: its rows are left out (pip install 'hwq[bench]')")
    for name, why in left_out().items():
        say(f"{name} is left out: {why}")
    OUTPUT.mkdir(parents=True, exist_ok=True)
    new, stopped = _measure_all(chosen, every)
    rows = merged(_read(FILE) if words or stopped else [], new, every)
    _write(rows)
    print(table(rows, every))
    print(f"\n{summary(rows, load_device(TARGET))}\n")
    print(f"wrote {FILE}")
    picture = plot(rows, every, FILE.with_suffix(".svg"))
    print(f"wrote {picture}" if picture else "no plot: matplotlib is not installed (pip install 'hwq[bench]')")
    return INTERRUPTED if stopped else int(any("error" in row for row in new))


def _measure_all(chosen: Sequence[Work], every: Mapping[str, Work]) -> tuple[list[dict[str, Any]], bool]:
    """Rows as they came, each in the file at once, and whether that was interrupted."""
    new: list[dict[str, Any]] = []
    try:
        for k, work in enumerate(chosen, 1):
            for row in measured(work, f"{k} of {len(chosen)}: "):
                new.append(row)
                _write(merged(_read(FILE), [row], every))
    except KeyboardInterrupt:
        say("interrupted")
        return new, True
    return new, False


def _read(file: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(file.read_text()) if file.is_file() else []
    return rows


def _write(rows: Sequence[Mapping[str, Any]]) -> None:
    """One row a line, so that two runs are easily compared."""
    FILE.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


def merged(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], every: Mapping[str, Work]) -> list[dict[str, Any]]:
    """``new`` rows in place of ``old`` ones of the same contender, in the order of the table, with targets and quotations."""
    latest = {_key(row): row for row in (*old, *new) if row["work"] in every and row["circuit"] in ORDER}
    rows = sorted(latest.values(), key=lambda row: _place(row, list(every)))
    return [_complete(row, every[row["work"]]) for row in rows]


def _key(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["work"], row["circuit"], row.get("variant") or ""


def _place(row: Mapping[str, Any], names: Sequence[str]) -> tuple[int, int, str]:
    """Where a row stands: works in their order, hwq first."""
    work, circuit, variant = _key(row)
    return names.index(work), ORDER.index(circuit), variant


def _complete(row: Mapping[str, Any], work: Work) -> dict[str, Any]:
    """The row with every field; ours with its targets, those it misses, and the figures quoted beside it."""
    made = complete(row)
    if row["circuit"] != ORDER[0]:
        return made
    missed = [name for name, most in work.targets.items() if made[name] is None or made[name] > most]
    quoted = [{"of": of, "lut": luts, "source": source} for of, luts, source in work.quoted]
    return {**made, "targets": dict(work.targets), "missed": missed, "quoted": quoted, "note": work.note}


def _chosen(every: Mapping[str, Work], words: Sequence[str]) -> list[Work]:
    """The works called or beginning so, with the contenders whose names begin as what stands behind a colon."""
    pairs = [(name, circuit) for name, _, circuit in (word.partition(":") for word in words)]
    found = []
    for name, work in every.items():
        wanted = [circuit for word, circuit in pairs if name == word or (word not in every and name.startswith(word))]
        makers = {k: m for k, m in work.contenders.items() if not words or any(k.startswith(w) for w in wanted)}
        if makers:
            found.append(replace(work, contenders=makers))
    return found


def measured(work: Work, place: str = "") -> Iterator[dict[str, Any]]:
    """A row for each contender; one that fails gives a row with ``error``. ``place`` is said before every step."""
    for name, make in work.contenders.items():
        started = time.perf_counter()

        def progress(step: str, name: str = name, started: float = started) -> None:
            say(f"{place}{work.name}, {name}: {step} ({time.perf_counter() - started:.0f} s)")

        row = _row(work, name, make, progress)
        progress(row.get("error") or f"{row.get('lut_physical') or row.get('estimate')} LUT sites")
        yield row


def _row(work: Work, name: str, make: Callable[[], Circuit | Row], progress: Callable[[str], None]) -> dict[str, Any]:
    circuit, _, variant = name.partition(":")
    head = {"work": work.name, "circuit": circuit, **({"variant": variant} if variant else {}), "io": work.io}
    try:
        progress("making")
        made = make()
        return {**head, **(measure(work, made, progress) if isinstance(made, Circuit) else made)}
    except Exception as error:  # whatever fails in a contender must not cost the rows of the others
        log.debug("%s, %s", work.name, name, exc_info=error)
        said = [line for line in str(error).splitlines() if "warning" not in line.lower()]
        return {**head, "error": (" ".join(said) or type(error).__name__)[:300]}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

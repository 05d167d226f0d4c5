"""``python -m hwq.report.calibrate``: synthesises the calibration designs, fits the cost model to them, writes what it found.

About fifteen minutes of one processor. ``--refit`` fits the stored samples again, in a second.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hwq.plan import pieces
from hwq.plan.contraction_pieces import unrolled_circuit
from hwq.plan.design_pieces import unit_pieces
from hwq.plan.stages import stages_of
from hwq.plan.summary import summary_of
from hwq.plan.units import UnrolledConv, UnrolledDense
from hwq.report.calibration_designs import Built, build, samples, synthesized
from hwq.report.calibration_fit import Row, component_errors, fitted, read_rows, written_rows
from hwq.report.calibration_samples import calibration_drafts
from hwq.target.tools import yosys

__all__ = ["COEFFICIENTS", "SAMPLES", "document", "main", "rows_of"]

FOLDER = Path(pieces.__file__).parent
COEFFICIENTS, SAMPLES = FOLDER / "calibration.json", FOLDER / "calibration.csv"
# Designs a synthesis: its start takes seconds.
BATCH = 6


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command."""
    parser = argparse.ArgumentParser(prog="python -m hwq.report.calibrate", description=__doc__)
    parser.add_argument("--refit", action="store_true", help="fit the stored samples, synthesise nothing")
    refit = parser.parse_args(arguments).refit
    old = json.loads(COEFFICIENTS.read_text()) if COEFFICIENTS.exists() else {}
    if not refit:
        SAMPLES.write_text(written_rows(measured()))
        tool = yosys()
        old["yosys"] = tool.version if tool else ""
    found = document(read_rows(SAMPLES.read_text()), old)
    COEFFICIENTS.write_text(json.dumps(found, indent=1) + "\n")
    for component, error in found["error"]["components"].items():
        print(f"{component:16}" + "".join(f"{k} {v:8g}  " for k, v in error.items()))
    return 0


def document(rows: Sequence[Row], old: Mapping[str, Any]) -> dict[str, Any]:
    """What ``calibration.json`` says, the errors of whole designs and the version of Yosys as they were."""
    components = fitted(rows)
    error = {**old.get("error", {}), "components": component_errors(rows, components)}
    return {"yosys": old.get("yosys", ""), "components": components, "error": error}


def measured() -> list[Row]:
    """A row a module of the calibration designs."""
    drafts = list(calibration_drafts())
    rows: dict[Row, None] = {}
    for first in range(0, len(drafts), BATCH):
        batch = [build(d.network(), d.plan(), d.name, whole=d.whole, closed=not d.whole) for d in drafts[first : first + BATCH]]
        print(f"synthesising {', '.join(d.top for d in batch)}", file=sys.stderr, flush=True)
        modules = synthesized(batch)
        rows |= dict.fromkeys(row for d in batch for row in rows_of(d, modules))
    return list(rows)


def rows_of(d: Built, modules: Mapping[str, Any]) -> Iterator[Row]:
    """The rows of one design. Circuits of unrolled layers count themselves: the planner goes by their matrix."""
    summaries = {s.name: summary_of(d.network, s) for s in stages_of(d.network)}
    for sample in samples(d, modules):
        p, f = sample.piece, sample.piece.fixed
        if p.component != "circuit":
            yield Row(sample.design, p.component, p.counts, sample.lut, sample.ff, f.lut - f.lutram, f.ff, sample.depth)
    for unit in d.dataflow.units:
        if isinstance(unit, UnrolledDense | UnrolledConv):
            made = next(p for p in unit_pieces(unit, d.dataflow, summaries) if p.component == "circuit")
            counts = unrolled_circuit(summaries[unit.stage.name]).counts
            yield Row(d.top, "circuit", counts, made.fixed.lut, made.fixed.ff, levels=made.levels)


if __name__ == "__main__":
    sys.exit(main())

"""From samples to coefficients: non-negative least squares on relative errors, component by component."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Row", "component_errors", "fitted", "read_rows", "written_rows"]

# Modules smaller than this many LUTs or flip-flops count as if they had so many: an error of one is no drama there.
SMALL = 12.0
DIGITS = 4
TITLES = ("design", "component", "lut", "ff", "levels", "counts", "known_lut", "known_ff")


@dataclass(frozen=True)
class Row:
    """A module: its component, its counts, what is known exactly, and the LUT sites (memory apart) and flip-flops of synthesis."""

    design: str
    component: str
    counts: tuple[tuple[str, float], ...]
    lut: float
    ff: float
    known_lut: float = 0.0
    known_ff: float = 0.0
    levels: int = 0


def written_rows(rows: Iterable[Row]) -> str:
    """The rows as text, comma-separated."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(TITLES)
    for r in rows:
        counts = " ".join(f"{name}={value:.6g}" for name, value in r.counts)
        writer.writerow([r.design, r.component, f"{r.lut:g}", f"{r.ff:g}", r.levels, counts, f"{r.known_lut:g}", f"{r.known_ff:g}"])
    return out.getvalue()


def read_rows(text: str) -> list[Row]:
    """The rows of :func:`written_rows`."""
    found = []
    for line in csv.DictReader(io.StringIO(text)):
        pairs = [pair.split("=") for pair in line["counts"].split()]
        counts = tuple((name, float(value)) for name, value in pairs)
        known = float(line["known_lut"]), float(line["known_ff"])
        found.append(Row(line["design"], line["component"], counts, float(line["lut"]), float(line["ff"]), *known, int(line["levels"])))
    return found


def fitted(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Coefficients of LUTs and flip-flops by component and count, rounded, and the most levels: what a plan's cost model reads."""
    found = {}
    for component in sorted({r.component for r in rows if r.counts}):
        mine = [r for r in rows if r.component == component and r.counts]
        names = list(dict.fromkeys(name for r in mine for name, _ in r.counts))
        matrix = np.array([[dict(r.counts).get(name, 0.0) for name in names] for r in mine])
        found[component] = {
            "lut": _solved(names, matrix, np.array([r.lut - r.known_lut for r in mine])),
            "ff": _solved(names, matrix, np.array([r.ff - r.known_ff for r in mine])),
            "levels": max(r.levels for r in mine),
        }
    return found


def _solved(names: Sequence[str], matrix: np.ndarray, target: np.ndarray) -> dict[str, float]:
    from scipy.optimize import nnls

    weight = 1 / np.maximum(target, SMALL)
    solution, _ = nnls(matrix * weight[:, None], target * weight)
    return {name: rounded for name, value in zip(names, solution, strict=True) if (rounded := float(f"{value:.{DIGITS}g}")) > 1e-3}


def estimated(row: Row, coefficients: Mapping[str, Any]) -> tuple[float, float]:
    """LUTs and flip-flops of a row by the model."""
    own = coefficients.get(row.component, {"lut": {}, "ff": {}})
    lut, ff = (sum(own[kind].get(name, 0.0) * n for name, n in row.counts) for kind in ("lut", "ff"))
    return row.known_lut + lut, row.known_ff + ff


def component_errors(rows: Sequence[Row], coefficients: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Mean and worst error of every component, as shares of what was counted (of :data:`SMALL` where that is less)."""
    found = {}
    for component in sorted({r.component for r in rows}):
        mine = [(r, estimated(r, coefficients)) for r in rows if r.component == component]
        errors = [abs(lut - r.lut) / max(r.lut, SMALL) for r, (lut, _) in mine]
        ffs = [abs(ff - r.ff) / max(r.ff, SMALL) for r, (_, ff) in mine]
        found[component] = {
            "samples": len(mine),
            "lut_mean": round(float(np.mean(errors)), 3),
            "lut_worst": round(max(errors), 3),
            "ff_mean": round(float(np.mean(ffs)), 3),
            "ff_worst": round(max(ffs), 3),
        }
    return found

"""``synth.json``, and the table of estimates beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwq import __version__
from hwq.report.table import Table, grouped, percent, shortened
from hwq.target.folder import Folder
from hwq.target.stage_synthesis import FoldersCells, ModuleCells

__all__ = ["FORMAT", "synthesis_document", "synthesis_text"]

FORMAT = "hwq-synthesis"
REST = "between and around"
NAMES = ("lut", "lutram", "ff", "bram36", "uram", "dsp")


def synthesis_document(folder: Folder, cells: FoldersCells) -> dict[str, Any]:
    """What ``hwq synth`` writes: counted resources as in ``report.json``, the estimates beside them, layer by layer.

    ``lut_physical`` are LUT sites, ``lut_cells`` LUT cells as the synthesis names them; neither includes LUTs as memory, ``lut`` does.
    """
    report = folder.report
    estimates = {layer["name"]: layer["resources"] for layer in report["layers"]}
    layers = [{"name": name, **_entry(found, estimates.get(name))} for name, found in cells.layers.items()]
    rest = {k: report["resources"][k] - sum(e.get(k, 0) for n, e in estimates.items() if n in cells.layers) for k in NAMES}
    return {
        "format": FORMAT,
        "format_version": 1,
        "name": report["name"],
        "target": report["target"],
        "family": cells.family,
        "resources_source": "yosys",
        **_entry(cells.total, report["resources"]),
        "layers": layers,
        "rest": _entry(cells.rest, rest),
        "depth": cells.total.depth,
        "seconds": round(cells.seconds, 1),
        "hashes": report["hashes"],
        "versions": {"hwq": __version__, "yosys": cells.yosys},
    }


def _entry(found: ModuleCells, estimate: Mapping[str, float] | None) -> dict[str, Any]:
    counts, resources = found.counts, found.resources.rounded()
    entry: dict[str, Any] = {"resources": resources, "lut_physical": counts["luts"], "lut_cells": counts["cells"]}
    entry |= {k: resources[k] for k in NAMES[1:]} | {"carry": counts["carry"], "depth": found.depth}
    if estimate is not None:
        entry["estimate"] = {k: round(estimate.get(k, 0) * 2) / 2 for k in NAMES}
        entry["lut_error"] = _error(estimate.get("lut", 0), resources["lut"])
    return entry


def _error(estimate: float, counted: float) -> float | None:
    """How far the estimate is off, as a share of what was counted."""
    return round(estimate / counted - 1, 4) if counted else None


def synthesis_text(document: Mapping[str, Any]) -> str:
    """:func:`synthesis_document` for people."""
    lines = [_row(shortened(layer["name"]), layer) for layer in document["layers"]]
    lines += [_row(REST, document["rest"]), _row("whole design", document)]
    titles = ("stage", ">LUT", ">est.", ">error", ">of it RAM", ">cells", ">FF", ">est.", ">BRAM36", ">est.", ">DSP", ">est.", ">levels")
    return "\n".join(
        [
            f"{document['name']} for {document['target']}, synthesised by Yosys {document['versions']['yosys']} ({document['family']})",
            "",
            Table(titles, lines).text(),
            "",
            "LUT: physical sites, memory included; cells: LUT cells as synthesis names them; est.: what compile estimated",
        ]
    )


def _row(name: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    found, estimate, error = entry["resources"], entry.get("estimate", {}), entry.get("lut_error")
    signed = "" if error is None else f"{'+' if error > 0 else '-' if error < 0 else ''}{percent(abs(error))}"
    counts = (grouped(found["lut"]), grouped(estimate.get("lut")), signed, grouped(found["lutram"]), grouped(entry["lut_cells"]))
    others = (grouped(found["ff"]), grouped(estimate.get("ff")), _half(found["bram36"]), _half(estimate.get("bram36")))
    return (name, *counts, *others, grouped(found["dsp"]), grouped(estimate.get("dsp")), grouped(entry["depth"]))


def _half(value: float | None) -> str:
    return "" if value is None else f"{value:g}"

"""``synth.json``, and the table of estimates beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwq import __version__
from hwq.report.design import REST
from hwq.report.table import Table, grouped, percent, shortened
from hwq.target.boards import load_device
from hwq.target.folder import Folder
from hwq.target.stage_synthesis import FoldersCells, ModuleCells
from hwq.target.synthesis import FABRIC

__all__ = ["FORMAT", "synthesis_document", "synthesis_text"]

FORMAT = "hwq-synthesis"
# Which form of the parts made of fabric is counted: see hwq.target.synthesis.FABRIC.
FORM = "as vivado.tcl has it: HWQ_FABRIC and HWQ_UNISIM defined"
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
        "defines": list(FABRIC),
        "resources_source": "yosys",
        **_entry(cells.total, report["resources"]),
        "layers": layers,
        "rest": {**_entry(cells.rest, rest), "parts": [{"name": name, **_entry(found, None)} for name, found in cells.parts.items()]},
        "depth": cells.total.depth,
        "max_levels": load_device(report["target"]).max_levels,
        "clock_mhz": report["clock_mhz"],
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
    lines += [_row(REST, document["rest"]), *(_row(f"  {part['name']}", part) for part in document["rest"]["parts"])]
    lines += [_row("whole design", document)]
    titles = ("stage", ">LUT", ">est. LUT", ">error", ">LUTRAM", ">LUT cells", ">FF", ">est. FF", ">BRAM36", ">est.", ">DSP", ">est.")
    return "\n".join(
        [
            f"{document['name']} for {document['target']}, synthesised by Yosys {document['versions']['yosys']} ({document['family']}),",
            FORM,
            "",
            Table((*titles, ">levels"), lines).text(),
            "",
            "LUT: physical sites, LUTRAM among them; LUT cells: as synthesis names them, without LUTRAM; est.: what compile estimated",
            _levels(document),
        ]
    )


def _levels(document: Mapping[str, Any]) -> str:
    """The depth beside what the target is assumed to take."""
    depth, most = document["depth"], document["max_levels"]
    allowed = f"{document['target']} is assumed to take {most} at its clock"
    verdict = allowed if depth <= most else f"NOTE: {allowed}, this design has {depth}: {document['clock_mhz']:g} MHz are in doubt"
    return f"levels: most LUTs in a row between registers, carry chains not counted; {verdict}"


def _row(name: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    found, estimate, error = entry["resources"], entry.get("estimate", {}), entry.get("lut_error")
    signed = "" if error is None else f"{'+' if error > 0 else '-' if error < 0 else ''}{percent(abs(error))}"
    counts = (grouped(found["lut"]), grouped(estimate.get("lut")), signed, grouped(found["lutram"]), grouped(entry["lut_cells"]))
    others = (grouped(found["ff"]), grouped(estimate.get("ff")), _half(found["bram36"]), _half(estimate.get("bram36")))
    return (name, *counts, *others, grouped(found["dsp"]), grouped(estimate.get("dsp")), grouped(entry["depth"]))


def _half(value: float | None) -> str:
    return "" if value is None else f"{value:g}"

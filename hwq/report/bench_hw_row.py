"""Rows of ``hw.json``: their fields, what a count of sites gives them, and the flow that they come from."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import hwq
from hwq.fabric.sites import Sites
from hwq.target.synthesis import FABRIC, OPTIONS
from hwq.target.tools import module_version, yosys

__all__ = ["FIELDS", "LEGEND", "UNITS", "complete", "flow", "per_product", "row_of"]

#: What every row is promised to have.
FIELDS = ("work", "circuit", "lut_physical", "lut_cells", "carry", "dsp", "ff", "depth", "seconds")
#: What every field of a row means; all rows have all of them, None where that was not counted.
LEGEND: Mapping[str, str] = {
    "work": "what is computed",
    "circuit": "by whom: hwq, behavioural (plain Verilog), alkaid",
    "lut_physical": "LUT sites: two LUTs share one if they read at most five inputs together (maximum matching); memory apart",
    "lut_cells": "LUT cells of the netlist, as Yosys counts them",
    "carry": "CARRY8 that the carry chains fill, two short chains in one",
    "dsp": "DSP48E2 slices",
    "ff": "flip-flops, those of the inputs included",
    "depth": "most LUTs in a row between flip-flops or ports; carry chains add none",
    "seconds": "processor seconds to make the circuit and write its Verilog; schedules of heaps solved before are read (stored_heaps)",
    "variant": "which of several circuits of one maker",
    "io": "registered: inputs go to flip-flops first, outputs come from them; combinational: no flip-flop",
    "latency": "cycles from inputs to outputs",
    "per_product": "LUT sites for one product a cycle, memory included where the work has some",
    "dsp_per_product": "DSP slices for one product a cycle",
    "ff_per_product": "flip-flops for one product a cycle",
    "clb_sites_per_product": "LUT sites of all CLBs taken, by LUTs, carry chains or flip-flops, for one product a cycle",
    "lut_related": "LUT sites where only LUTs that share an input may share a site",
    "route_throughs": "of lut_physical: carry positions without a LUT of their own, multiplexer inputs without one",
    "site_conflicts": "of lut_physical: sites taken because outputs of a carry position share a multiplexer or bypass pin",
    "carry_positions": "carry positions in use",
    "carry_cells": "carry cells of the netlist",
    "matching_exact": "whether lut_physical is the proven maximum of sharing, else an upper bound",
    "clb": "CLBs at least, by LUT sites and CARRY8",
    "clb_with_ff": "CLBs at least, by flip-flops too",
    "lutram": "LUT sites as memory or shift registers",
    "bram36": "block RAMs of 36 kbit",
    "scaled_from": "counts are this many times those of a sample, but for the flip-flops of inputs",
    "feed_luts": "of lut_physical: LUTs that hold the weights",
    "feed_per_product": "feed_luts for one product a cycle",
    "macs_per_dsp": "products a cycle of one slice",
    "weights_share": "where what the weights alone bring to a sum is added",
    "stored_heaps": "heaps whose schedules a solver found before, up to a minute each: not in seconds",
    "estimate": "LUTs by the tool's own estimate, nothing was synthesised",
    "own_estimate": "the tool's own estimate beside the count",
    "estimated_depth": "adders in a row, by the tool's own estimate",
    "version": "of the tool that made the circuit",
    "synthesis_seconds": "processor seconds of Yosys",
    "bit_exact_vectors": "random vectors a cycle on which the counted netlist gave the expected bits",
    "flow": "tools and options",
    "targets": "figures to reach, of our rows",
    "missed": "those of them that are missed",
    "quoted": "figures of others, not measured here",
    "note": "what is assumed, and what bounds a figure that misses its target",
    "error": "why there is no count, or why it is doubted",
}

#: What people call the fields that have targets.
UNITS = {"lut_physical": "LUT", "ff": "FF", "clb": "CLB", "seconds": "s to make", "dsp": "DSP"}


def complete(row: Mapping[str, Any]) -> dict[str, Any]:
    """``row`` with every field of :data:`LEGEND`, in its order."""
    return {name: row.get(name) for name in LEGEND}


def row_of(sites: Sites, scale: int = 1, inputs: int = 0) -> dict[str, Any]:
    """The counts of a row: ``scale`` times those of what was synthesised, but for the flip-flops of its ``inputs``."""
    ff = inputs + scale * (sites.ff - inputs)
    counts = {
        "lut_physical": sites.luts,
        "lut_related": sites.luts_related,
        "lut_cells": sites.cells,
        "carry": sites.carry,
        "carry_cells": sites.carry_cells,
        "carry_positions": sites.carry_positions,
        "route_throughs": sites.route_throughs,
        "site_conflicts": sites.conflicts,
        "dsp": sites.dsp,
        "clb": max(-(-(sites.luts + sites.lutram) // 8), sites.carry),
        "lutram": sites.lutram,
        "bram36": sites.bram36,
    }
    scaled = {name: count * scale for name, count in counts.items()}
    whole = {**scaled, "ff": ff, "clb_with_ff": max(scaled["clb"], -(-ff // 16)), "depth": sites.depth, "matching_exact": sites.exact}
    return {**whole, "scaled_from": scale} if scale > 1 else whole


def per_product(products: int, row: Mapping[str, Any]) -> dict[str, float]:
    """What one of ``products`` a cycle takes of the counts of ``row``; nothing where there are no products."""
    if not products:
        return {}
    counts = {
        "per_product": row["lut_physical"] + row["lutram"],
        "dsp_per_product": row["dsp"],
        "ff_per_product": row["ff"],
        "clb_sites_per_product": 8 * row["clb_with_ff"],
    }
    return {name: round(count / products, 4) for name, count in counts.items()}


def flow(flattened: bool) -> dict[str, Any]:
    """Tools, their versions and options: what a figure is cited with."""
    return {**_tools(), "hierarchy": "flattened" if flattened else "kept"}


@cache
def _tools() -> Mapping[str, str | None]:
    tool = yosys()
    return {
        "hwq": hwq.__version__,
        "commit": _commit(),
        "yosys": tool.version if tool else None,
        "alkaid": module_version("alkaid"),
        "python": platform.python_version(),
        "synthesis": f"synth_xilinx -family xcup {OPTIONS}",
        "macros": " ".join(FABRIC),
        "counter": "hwq.fabric.sites",
    }


def _commit() -> str | None:
    """The commit of the sources, None outside a repository."""
    words = ("git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty")
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip() or None
    except (OSError, subprocess.CalledProcessError):
        return None

"""What a product a cycle costs by quantizer: the summary of the circuit benchmark.

All rows keep one convention: 64 products of variable weights a row and cycle (float: one), summed, accumulated over 13 words under the
control of the fold, inputs and outputs registered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hwq.plan.device import Device
from hwq.report.table import Table, grouped

__all__ = ["QUANTIZERS", "Cost", "costs", "summary"]

#: What a product multiplies, and the work that measures it.
QUANTIZERS = (
    ("binary", "xnor_with_control_16x64"),
    ("binary, accumulators in DSP", "xnor_with_dsp_accumulators_16x64"),
    ("ternary x binary", "ternary_bipolar_with_control_16x64"),
    ("ternary x ternary", "ternary_ternary_with_control_16x64"),
    ("int2 x int2", "int2_with_control_4x64"),
    ("int4 x int4 in LUTs", "int4_with_control_2x64"),
    ("int4 x int4 in DSP", "int4_in_dsp_with_control_4x64"),
    ("int8 x int8 in LUTs", "int8_with_control_1x64"),
    ("int8 x int8 in DSP", "int8_in_dsp_with_control_4x64"),
    ("float32", "float32_mac"),
)
HEADERS = (">LUT", ">plain LUT", ">CLB sites", ">DSP", ">FF", ">a device")


@dataclass(frozen=True)
class Cost:
    """Of one product a cycle.

    Parameters
    ----------
    quantizer
        Its name, as in :data:`QUANTIZERS`.
    luts, plain
        LUT sites of ours, and of the plain description (None where that was not measured).
    clb_sites
        LUT sites of all CLBs taken, by LUTs, carry chains or flip-flops.
    dsp, ff
        Slices and flip-flops, those of the inputs included.
    """

    quantizer: str
    luts: float
    plain: float | None
    clb_sites: float
    dsp: float
    ff: float

    def fits(self, device: Device) -> int:
        """Products a cycle that fill a device: what it has least of decides."""
        has = device.capacity
        shares = ((has.lut, self.clb_sites), (has.dsp, self.dsp), (has.ff, self.ff))
        return int(min(there / needed for there, needed in shares if needed))


def costs(rows: Sequence[Mapping[str, Any]]) -> list[Cost]:
    """The quantizers that ``rows`` of ``hw.json`` have measured."""
    by_key = {(row["work"], row["circuit"]): row for row in rows if row.get("dsp_per_product") is not None}
    found = []
    for quantizer, work in QUANTIZERS:
        row, plain = by_key.get((work, "hwq")), by_key.get((work, "behavioural"))
        if row is not None:
            # Slices do the plain one's work in part: its LUTs alone would say nothing.
            same = plain is not None and (plain["dsp_per_product"] > 0) == (row["dsp_per_product"] > 0)
            names = ("clb_sites_per_product", "dsp_per_product", "ff_per_product")
            found.append(Cost(quantizer, row["per_product"], plain["per_product"] if plain and same else None, *(row[n] for n in names)))
    return found


def summary(rows: Sequence[Mapping[str, Any]], device: Device) -> str:
    """The table of :func:`costs`; nothing where none was measured."""
    found = costs(rows)
    if not found:
        return ""
    lines = [_line(cost, device) for cost in found]
    title = "One product a cycle by quantizer, with its share of accumulator and control:"
    return f"{title}\n\n{Table(('quantizer', *HEADERS), lines).text()}\n\n{_legend(device)}"


def _line(cost: Cost, device: Device) -> tuple[str, ...]:
    shares = (
        f"{cost.luts:.3f}",
        "" if cost.plain is None else f"{cost.plain:.3f}",
        f"{cost.clb_sites:.2f}",
        f"{cost.dsp:.3g}",
        f"{cost.ff:.2f}",
    )
    return (cost.quantizer, *shares, grouped(cost.fits(device)))


def _legend(device: Device) -> str:
    return (
        "plain LUT: of a plain description, where it takes slices as ours does or none; CLB sites: LUT sites of the CLBs that\n"
        f"LUTs, carry chains or flip-flops take; a device: products a cycle that fill a {device.name} (CLB sites, DSP, FF), weights not\n"
        "counted; FF: with the registers of weights and of x, which rows share: integers have fewer rows here than bits."
    )

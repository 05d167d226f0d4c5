"""What stands at the head of a part made of fabric: which circuit it is, how its ports lie, how late it is, what it takes."""

from __future__ import annotations

from collections.abc import Iterator

from hwq.fabric.lane_array import slice_rows_latency
from hwq.fabric.lane_form import LaneForm
from hwq.fabric.lane_netlist import row_latency
from hwq.fabric.netlist import TRUE, Lut, Netlist
from hwq.fabric.sites import sites_of
from hwq.gateware.comparisons import Comparisons
from hwq.gateware.fabric_part import FabricPart
from hwq.gateware.lane import Lane, Row, SliceRows
from hwq.gateware.saturating_sum import SaturatingSum
from hwq.plan.latency import lane_cycles
from hwq.target.net_names import stages

__all__ = ["part_comment"]

MANY = 4000  # LUTs from which on sites are not counted for a comment: pairing them takes seconds
CONTROL = "valid: take the sum in; first: begin at 0; both come {} after their x and w"


def part_comment(part: FabricPart, netlist: Netlist) -> list[str]:
    """Comment lines of the module of ``part``, whose structural form is ``netlist``."""
    return [f"// {line}" for line in (*_meaning(part, netlist), _size(netlist))]


def _meaning(part: FabricPart, netlist: Netlist) -> Iterator[str]:
    if isinstance(part, Lane):
        yield f"Lane: y is the raw sum of {_products(part.form)}, {_cycles(lane_cycles(part.form))} later."
        yield from _sharing(part.rows)
        yield from _operands(part.form)
    elif isinstance(part, Row):
        latency = row_latency(part.form, part.bits)
        yield f"Row: raw sum of {_products(part.form)} a cycle, accumulated in {part.bits} bits;"
        yield f"total {_cycles(latency)} later; {CONTROL.format(_cycles(latency - 1))}."
        yield from _sharing(part.rows)
        yield from _operands(part.form)
    elif isinstance(part, SliceRows):
        latency = slice_rows_latency(part.form, part.bits)
        yield f"{part.rows} rows on one x, each the raw sum of {_products(part.form)} a cycle,"
        yield f"accumulated in {part.bits} bits of DSP48E2 slices;"
        yield f"total {_cycles(latency)} later; {CONTROL.format(_cycles(latency - 2))}."
        yield from _operands(part.form)
    elif isinstance(part, Comparisons):
        given = part.known.count(None)
        known = f"{len(part.known) - given} known in the LUTs, {given} from port limits"
        kind = "signed" if part.is_signed else "unsigned"
        yield f"Comparisons: reached[k] is value >= limit k, {kind} {part.bits} bits; limits: {known}."
        yield "Combinational."
    elif isinstance(part, SaturatingSum):
        yield f"Saturating sum: total + addend, or addend where first holds, clipped to {part.bits} bits of two's complement,"
        yield "taken where valid holds; 1 cycle."
    else:
        yield f"Free-running circuit: a new result every cycle{_lateness(netlist)}."


def _lateness(netlist: Netlist) -> str:
    """How long after the inputs, where that is known: slices do not tell."""
    found = stages(netlist)
    late = {found.get(bit >> 1) for bits in netlist.outputs.values() for bit in bits if bit > TRUE}
    known = [cycles for cycles in late if cycles is not None]
    return f", {_cycles(max(known))} after its inputs" if known and len(known) == len(late) else ""


def _products(form: LaneForm) -> str:
    return f"{form.n} products of {form.x.name} activations and {form.w.name} weights"


def _sharing(rows: int) -> Iterator[str]:
    if rows > 1:
        yield f"{rows} rows on one x, whose products share DSP48E2 slices; w, and what leaves, row by row."


def _operands(form: LaneForm) -> Iterator[str]:
    x, w = (f"{e.bits}*k" + (f" to {e.bits}*k + {e.bits - 1}" if e.bits > 1 else "") for e in (form.x, form.w))
    yield f"Element k stands in bits {x} of x, {w} of w."
    rest = "+ what the weights alone decide, which thresholds and offsets behind hold"
    low = form.low * form.n
    constant = f"{'-' if low < 0 else '+'} {abs(low)} for every word"
    yield f"Raw sum: that of the products is {form.step} * raw {rest if form.apart else constant}."


def _size(netlist: Netlist) -> str:
    flops = f"{len(netlist.flops)} flip-flops"
    luts = sum(isinstance(cell, Lut) for cell in netlist.cells)
    if luts > MANY:
        return f"Takes {luts} LUTs before pairs share sites, {flops}."
    sites = sites_of(netlist)
    slices = f", {sites.dsp} DSP48E2" if sites.dsp else ""
    return f"Takes {sites.luts} LUT sites, {sites.carry_positions} carry positions, {flops}{slices}; most LUTs in a row: {sites.depth}."


def _cycles(count: int) -> str:
    return f"{count} cycle{'' if count == 1 else 's'}"

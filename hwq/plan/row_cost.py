"""Lanes, and lanes with accumulators, by their own circuits: exact where they are small, between and beyond sampled sizes by a line."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from hwq.fabric.lane_array import slice_rows_netlist
from hwq.fabric.lane_form import LaneForm
from hwq.fabric.lane_netlist import has_netlist, lane_netlist, row_netlist
from hwq.fabric.sites import Sites, sites_of
from hwq.plan.geometry import ceil_div
from hwq.plan.resources import Resources

__all__ = ["LARGEST", "lane_cost", "row_cost", "row_levels"]

#: Products up to which a circuit is made to be counted: beyond, and between the sizes of :data:`SIZES`, a line is drawn.
LARGEST = 64
SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


def lane_cost(form: LaneForm, exact: bool = False, rows: int = 1) -> Resources:
    """A lane of its own, or of ``rows`` rows that share slices; ``exact``: its circuit is made, however large it is."""
    return _cost(form, 0, exact, rows)


def row_cost(form: LaneForm, bits: int, exact: bool = False, rows: int = 1, in_slices: bool = False) -> Resources:
    """A lane with an accumulator of ``bits`` bits a row, which may be ``in_slices``; as :func:`lane_cost`."""
    return _cost(form, bits, exact, rows, in_slices)


def row_levels(form: LaneForm, bits: int) -> int:
    """Levels of logic of a lane, with an accumulator where ``bits`` says how wide; its circuit is made."""
    return _sites(form, bits).depth if has_netlist(form) else 0


def _cost(form: LaneForm, bits: int, exact: bool, rows: int, in_slices: bool = False) -> Resources:
    if not has_netlist(form):
        return _wide(form)
    if exact or form.n in SIZES:
        return _counted(form, bits, rows, in_slices)
    low = max(n for n in (*SIZES[:-1],) if n < form.n)
    high = min((n for n in SIZES if n > low), default=LARGEST)
    if form.n > LARGEST:
        low, high = LARGEST // 4, LARGEST
    return _line(form, bits, rows, low, high, in_slices)


def _line(form: LaneForm, bits: int, rows: int, low: int, high: int, in_slices: bool) -> Resources:
    """Between two sizes; the accumulators of all three have the same width."""
    a, b = (_counted(replace(form, n=n), bits and _bits_at(form, bits, n), rows, in_slices) for n in (low, high))
    share = (form.n - low) / (high - low)
    extra = 0 if in_slices else rows * (bits - (bits and _bits_at(form, bits, high)))
    lut, ff, dsp = (p + share * (q - p) for p, q in ((a.lut, b.lut), (a.ff, b.ff), (a.dsp, b.dsp)))
    return Resources(lut=lut + extra, ff=ff + extra, dsp=round(dsp))


def _bits_at(form: LaneForm, bits: int, n: int) -> int:
    """Width of the accumulator at another size: as much above that of the raw sum."""
    return bits - form.y_bits + replace(form, n=n).y_bits


def _counted(form: LaneForm, bits: int, rows: int, in_slices: bool) -> Resources:
    sites = _sites(form, bits, rows, in_slices)
    return Resources(lut=float(sites.luts), ff=float(sites.ff), dsp=float(sites.dsp))


@lru_cache(maxsize=1 << 14)
def _sites(form: LaneForm, bits: int, rows: int = 1, in_slices: bool = False) -> Sites:
    if in_slices:
        return sites_of(slice_rows_netlist(form, rows, bits))
    return sites_of(row_netlist(form, bits, rows, late=True) if bits else lane_netlist(form, rows))


def _wide(form: LaneForm) -> Resources:
    """Products wider than a slice's operands, as synthesis splits them; an adder each."""
    tiles = ceil_div(form.x.bits, 17) * ceil_div(form.w.bits, 17)
    width = form.product_bits
    return Resources(lut=float(form.n * width * tiles), ff=float(2 * form.n * width), dsp=float(form.n * tiles))

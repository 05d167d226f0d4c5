"""Rows of lanes with accumulators and fold control, by quantizer, and as they stand in designs: works of the circuit benchmark."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwq.fabric.lane_array import array_latency, array_netlist
from hwq.fabric.lane_form import LaneForm, lane_form
from hwq.fabric.sites import sites_of
from hwq.numerics.encoding import Bipolar, Encoding, Integer
from hwq.report import bench_hw_behavioural as behavioural
from hwq.report.bench_cycles import write_design
from hwq.report.bench_hw_behavioural_mac import signed_array
from hwq.report.bench_hw_flow import Circuit, Port, Row, Values, Work, seconds_of_children, sum_bits
from hwq.report.bench_hw_own import own, weights_share
from hwq.report.bench_hw_row import flow
from hwq.report.bench_lanes import lane_layer
from hwq.target.stage_synthesis import synthesize_folder

__all__ = ["SHARE", "array_works"]

BIT, TERNARY = Integer(1, False), Integer(2, True, narrow=True)
PE, SIMD, WORDS = 16, 64, 13  # the first layer of the TFC networks: 784 inputs in 13 words
BITS = 12  # of an accumulator, at least
WIDE = 8
SHARE = "what the weights alone bring to a sum is in the constants of the channels (thresholds, offsets), as in designs"
FEED = "feed: LUTs that hold 52 words of weights for 16 x 64 products, a LUT6 for 64 bits; in block RAM they take none"
Maker = Callable[[], Circuit]
Ints = NDArray[np.int64]


def array_works() -> tuple[Work, ...]:
    """Rows with accumulators and the control of their folds."""
    finn = (
        ("FINN SFC-max, whole design", 4.4 * PE * SIMD, "anchors: FINN 2017, LUTs a product and cycle"),
        ("FINN LFC-max, whole design", 3.65 * PE * SIMD, "anchors: FINN 2017, LUTs a product and cycle"),
    )
    xnor = _array("xnor_with_control_16x64", "XNOR rows with accumulators and fold control", Bipolar(), Bipolar(), PE, 0.95, _plain_xnor)
    return (
        replace(xnor, quoted=finn),
        _array("xnor_with_dsp_accumulators_16x64", "the same, accumulators four to a DSP slice", Bipolar(), Bipolar(), PE, 0.86, dsp=True),
        _stage_work("xnor", Bipolar(), Bipolar()),
        _ternary("ternary_bipolar", "ternary weights, bipolar inputs", Bipolar(), 1.30),
        _stage_work("ternary_bipolar", Bipolar(), TERNARY),
        _ternary("ternary_ternary", "ternary weights and inputs", TERNARY, 2.0),
        _stage_work("ternary_ternary", TERNARY, TERNARY),
        *(_integers(width, rows, "lut") for width, rows in ((2, 4), (4, 2), (8, 1))),
        *(_integers(width, 4, "dsp") for width in (4, 8)),
    )


def _ternary(name: str, title: str, x: Encoding, target: float) -> Work:
    title = f"{title}, with accumulators and control"
    return _array(f"{name}_with_control_16x64", title, x, TERNARY, PE, target, lambda: _plain(x, TERNARY, PE))


def _integers(width: int, rows: int, multiplier: str) -> Work:
    """Rows of integers; few where they are wide: a product costs the same in each."""
    encoding, slices = Integer(width, True), multiplier == "dsp"
    name = f"int{width}_{'in_dsp_' if slices else ''}with_control_{rows}x{SIMD}"
    title = f"int{width} x int{width} in {'DSP slices' if slices else 'LUTs'}, with accumulators and control"
    # Yosys takes minutes for many products, more for wide ones: plain contenders of those stand beside smaller works.
    plain = None if slices or width >= WIDE else partial(_plain, encoding, encoding, rows)
    return _array(name, title, encoding, encoding, rows, None, plain, multiplier=multiplier)


def _array(
    name: str,
    title: str,
    x: Encoding,
    w: Encoding,
    rows: int,
    target: float | None,
    plain: Maker | None = None,
    *,
    dsp: bool = False,
    multiplier: str = "auto",
) -> Work:
    """``dsp``: accumulators in slices; ``multiplier``: what multiplies."""
    form = lane_form(x, w, SIMD, apart=True, multiplier=multiplier, rows=rows)
    bits = max(BITS, (WORDS * form.y_max).bit_length())
    products = rows * SIMD
    makers: dict[str, Maker] = {"hwq": lambda: _own(form, rows, bits, dsp)}
    if plain:
        makers["behavioural"] = plain
    return Work(
        name,
        f"{title}, {rows} x {SIMD}",
        "registered",
        {"x": Port(x, SIMD), "w": Port(w, products), "valid": Port(BIT, 1)},
        {"total": Port(Integer(bits, False), rows), "done": Port(BIT, 1)},
        lambda values: {"total": _raw_totals(form, rows, values), "done": _done(values)},
        makers,
        products=products,
        target=target and target * products,
        note=SHARE if form.apart else "",
    )


def _own(form: LaneForm, rows: int, bits: int, dsp: bool) -> Circuit:
    made = own(lambda: (array_netlist(form, rows, bits, WORDS, dsp=dsp), array_latency(form, bits, dsp=dsp)), weights_share(form))
    assert made.netlist is not None
    slices = 0 if dsp else sites_of(made.netlist).dsp
    return replace(made, notes={**made.notes, "macs_per_dsp": rows * SIMD / slices}) if slices else made


def _raw_totals(form: LaneForm, rows: int, values: Values) -> Ints:
    """What our rows accumulate: sums without the weights' share."""
    w = values["w"].reshape(*values["w"].shape[:2], rows, SIMD)
    raw = ((w * values["x"][:, :, None, :]).sum(axis=3) - form.share(form.w.encode(w))) // form.step
    return _totals(raw, values["valid"])


def _counted(valid: Ints) -> Ints:
    """The words of the vector before each cycle's."""
    before = valid[:, :, 0].cumsum(axis=0) - valid[:, :, 0]
    return before % WORDS


def _totals(sums: Ints, valid: Ints) -> Ints:
    """Sums of the words so far, restarted with every vector; they stay where ``valid`` is low."""
    first = _counted(valid) == 0
    total, found = np.zeros_like(sums[0]), []
    for cycle, there in enumerate(valid[:, :, 0] == 1):
        before = np.where(first[cycle][:, None], 0, total)
        total = np.where(there[:, None], before + sums[cycle], total)
        found.append(total)
    return np.stack(found)


def _done(values: Values) -> Ints:
    """Whether the word of this cycle is a vector's last."""
    return values["valid"] * (_counted(values["valid"]) == WORDS - 1)[:, :, None]


def _plain_xnor() -> Circuit:
    return behavioural.binary_array(PE, SIMD, WORDS, BITS)


def _plain(x: Encoding, w: Encoding, rows: int) -> Circuit:
    """Signed products, as they are: nothing of a sum is elsewhere."""
    bits = sum_bits(x, w, WORDS * SIMD)
    made = signed_array(rows, SIMD, WORDS, x.bits, w.bits, sum_bits(x, w, SIMD), bits, ternary=w == TERNARY)

    def coded(port: str, integers: Ints, values: Values) -> Ints:
        if port == "done":
            return integers
        weights = values["w"].reshape(*values["w"].shape[:2], rows, SIMD)
        return _totals((weights * values["x"][:, :, None, :]).sum(axis=3), values["valid"])

    return replace(made, outputs={"total": Port(Integer(bits, True), rows), "done": Port(BIT, 1)}, coded=coded)


def _stage_work(name: str, x: Encoding, w: Encoding) -> Work:
    """The layer as it stands in a design: its unit with the weights, its reader and its stream buffers; nothing of its own is checked."""
    ports = {"x": Port(x, SIMD)}
    title = f"the whole stage of a design, weights in LUTs and stream buffers included, {PE} x {SIMD}"
    makers = {"hwq": lambda: _stage(x, w)}
    return Work(f"{name}_with_feed_16x64", title, "registered", ports, {}, lambda values: {}, makers, products=PE * SIMD, note=FEED)


def _stage(x: Encoding, w: Encoding) -> Row:
    network, plan = lane_layer(x, w)
    with tempfile.TemporaryDirectory(prefix="hwq-bench-") as name:
        started = time.process_time()
        folder = write_design(network, plan, Path(name) / "layer")
        seconds = time.process_time() - started
        before = seconds_of_children()
        cells = synthesize_folder(folder)
    found = cells.layers["fc"]
    names = {
        "luts": "lut_physical",
        "cells": "lut_cells",
        "carry": "carry",
        "dsp": "dsp",
        "ff": "ff",
        "lutram": "lutram",
        "bram36": "bram36",
    }
    counts = {row: found.counts[count] for count, row in names.items()}
    sites = counts["lut_physical"] + counts["lutram"]
    feed = sum(module.counts["luts"] for name, module in cells.modules.items() if name.startswith(f"{folder.top}_rom_"))
    timing = {"seconds": round(seconds, 2), "synthesis_seconds": round(seconds_of_children() - before, 1)}
    shares = {"per_product": round(sites / (PE * SIMD), 4), "feed_luts": feed, "feed_per_product": round(feed / (PE * SIMD), 4)}
    return {**counts, "depth": found.depth, **shares, **timing, "flow": flow(False)}

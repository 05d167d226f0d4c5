"""Lanes with accumulators and fold control, products in DSP slices, and floats: further works of the circuit benchmark."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from hwq.fabric.lane_array import array_latency, array_netlist
from hwq.fabric.lane_form import LaneForm, lane_form
from hwq.numerics.encoding import Bipolar, Encoding, Integer
from hwq.report import bench_hw_behavioural as behavioural
from hwq.report.bench_cycles import write_design
from hwq.report.bench_hw_flow import Circuit, Port, Row, Values, Work, seconds_of_children
from hwq.report.bench_hw_own import own, weights_share
from hwq.report.bench_lanes import lane_layer
from hwq.target.stage_synthesis import synthesize_folder

__all__ = ["SHARE", "array_works"]

BIT, TERNARY = Integer(1, False), Integer(2, True, narrow=True)
PE, SIMD, WORDS, BITS = 16, 64, 13, 12  # the first layer of the TFC networks: 784 inputs in 13 words
SHARE = "what the weights alone bring to a sum is in the constants of the channels (thresholds, offsets), as in designs"
FEED = "feed: LUTs that hold 52 words of weights for 16 x 64 products, a LUT6 for 64 bits; in block RAM they take none"
Maker = Callable[[], Circuit]


def array_works() -> tuple[Work, ...]:
    """Rows with accumulators and the control of their folds."""
    xnor, mixed, ternary = (
        lane_form(x, w, SIMD, apart=True) for x, w in ((Bipolar(), Bipolar()), (Bipolar(), TERNARY), (TERNARY, TERNARY))
    )
    finn = (
        ("FINN SFC-max, whole design", 4.4 * PE * SIMD, "anchors: FINN 2017, LUTs a product and cycle"),
        ("FINN LFC-max, whole design", 3.65 * PE * SIMD, "anchors: FINN 2017, LUTs a product and cycle"),
    )
    return (
        replace(_array("xnor_with_control_16x64", "XNOR rows with accumulators and fold control", xnor, 0.95, _plain_xnor), quoted=finn),
        _array("xnor_with_dsp_accumulators_16x64", "the same, accumulators four to a DSP slice", xnor, 0.86, None, dsp=True),
        _stage_work("xnor", Bipolar(), Bipolar()),
        _array("ternary_bipolar_with_control_16x64", "ternary weights, bipolar inputs, with accumulators", mixed, 1.30, None),
        _stage_work("ternary_bipolar", Bipolar(), TERNARY),
        _array("ternary_ternary_with_control_16x64", "ternary weights and inputs, with accumulators", ternary, 2.0, None),
        _stage_work("ternary_ternary", TERNARY, TERNARY),
    )


def _array(name: str, title: str, form: LaneForm, target: float, plain: Maker | None, dsp: bool = False) -> Work:
    makers: dict[str, Maker] = {"hwq": lambda: _own(form, dsp)}
    if plain:
        makers["behavioural"] = plain
    return Work(
        name,
        f"{title}, {PE} x {SIMD}",
        "registered",
        {"x": Port(form.x, SIMD), "w": Port(form.w, PE * SIMD), "valid": Port(BIT, 1)},
        {"total": Port(Integer(BITS, False), PE), "done": Port(BIT, 1)},
        lambda values: _expected(form, values),
        makers,
        products=PE * SIMD,
        target=target * PE * SIMD,
        note=SHARE if form.apart else "",
    )


def _own(form: LaneForm, dsp: bool) -> Circuit:
    return own(lambda: (array_netlist(form, PE, BITS, WORDS, dsp=dsp), array_latency(form, BITS, dsp=dsp)), weights_share(form))


def _expected(form: LaneForm, values: Values) -> Values:
    """Raw sums of the words so far, restarted with every vector; they stay where ``valid`` is low."""
    x, w, valid = values["x"], values["w"], values["valid"][:, :, 0]
    weights = w.reshape(*w.shape[:2], PE, SIMD)
    raw = ((weights * x[:, :, None, :]).sum(axis=3) - form.share(form.w.encode(weights))) // form.step
    count, total = np.zeros(x.shape[1], np.int64), np.zeros((x.shape[1], PE), np.int64)
    totals, done = [], []
    for cycle in range(len(x)):
        taken = valid[cycle] == 1
        before = np.where(count == 0, 0, 1)[:, None] * total
        total = np.where(taken[:, None], before + raw[cycle], total)
        done.append(taken & (count == WORDS - 1))
        count = np.where(taken, (count + 1) % WORDS, count)
        totals.append(total)
    return {"total": np.stack(totals) % (1 << BITS), "done": np.stack(done).astype(np.int64)[:, :, None]}


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
    return {**counts, "depth": found.depth, **shares, **timing}


def _plain_xnor() -> Circuit:
    return behavioural.binary_array(PE, SIMD, WORDS, BITS)

"""Lanes with accumulators and fold control, products in DSP slices, and floats: further works of the circuit benchmark."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hwq.fabric.lane_array import array_latency, array_netlist
from hwq.fabric.lane_form import LaneForm, lane_form
from hwq.numerics.encoding import Bipolar, Integer
from hwq.report import bench_hw_behavioural as behavioural
from hwq.report.bench_hw_flow import Circuit, Port, Values, Work
from hwq.report.bench_hw_own import own

__all__ = ["array_works"]

BIT, TERNARY = Integer(1, False), Integer(2, True, narrow=True)
PE, SIMD, WORDS, BITS = 16, 64, 13, 12  # the first layer of the TFC networks: 784 inputs in 13 words
Maker = Callable[[], Circuit]


def array_works() -> tuple[Work, ...]:
    """Rows with accumulators and the control of their folds."""
    xnor, mixed, ternary = (lane_form(x, w, SIMD) for x, w in ((Bipolar(), Bipolar()), (Bipolar(), TERNARY), (TERNARY, TERNARY)))
    finn = (
        ("FINN SFC-max, whole design", 4.4 * PE * SIMD, "anchors: FINN 2017, LUTs a product and cycle"),
        ("FINN LFC-max, whole design", 3.65 * PE * SIMD, "anchors: FINN 2017, LUTs a product and cycle"),
    )
    return (
        replace(_array("xnor_with_control_16x64", "XNOR rows with accumulators and fold control", xnor, 0.95, _plain_xnor), quoted=finn),
        _array("xnor_with_dsp_accumulators_16x64", "the same, accumulators four to a DSP slice", xnor, 0.86, None, dsp=True),
        _array("ternary_bipolar_with_control_16x64", "ternary weights, bipolar inputs, with accumulators", mixed, 1.30, None),
        _array("ternary_ternary_with_control_16x64", "ternary weights and inputs, with accumulators", ternary, 2.0, None),
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
    )


def _own(form: LaneForm, dsp: bool) -> Circuit:
    return own(lambda: (array_netlist(form, PE, BITS, WORDS, dsp=dsp), array_latency(form, BITS, dsp=dsp)))


def _expected(form: LaneForm, values: Values) -> Values:
    """Raw sums of the words so far, restarted with every vector; they stay where ``valid`` is low."""
    x, w, valid = values["x"], values["w"], values["valid"][:, :, 0]
    weights = w.reshape(*w.shape[:2], PE, SIMD)
    raw = ((weights * x[:, :, None, :]).sum(axis=3) - form.low * form.n) // form.step
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


def _plain_xnor() -> Circuit:
    return behavioural.binary_array(PE, SIMD, WORDS, BITS)

"""Arrays of lanes: accumulators in LUTs and in DSP slices against numpy, folds and bubbles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.fabric.lane_array import DSP_LATENCY, array_latency, array_netlist, dsp_accumulator_netlist
from hwq.fabric.lane_form import lane_form
from hwq.fabric.simulate import Simulator
from hwq.fabric.sites import sites_of
from hwq.numerics.encoding import parse_encoding
from tests.fabric.lanes.stimuli import integers, packed, raw_sums, words

STIMULI = 16


def form_of(x, w, n, tallied=False):
    return lane_form(parse_encoding(x), parse_encoding(w), n, tallied)


def fields(value, bits, count):
    """A word taken apart, (stimuli, count)."""
    return np.array([[int(v) >> bits * k & ((1 << bits) - 1) for k in range(count)] for v in value])


@settings(max_examples=20)
@given(st.sampled_from([12, 24, 48]), st.integers(1, 9), st.integers(0, 99))
def test_slices_accumulate_restart_and_hold(bits, rows, seed):
    rng = np.random.default_rng(seed)
    simulator, total = Simulator(dsp_accumulator_netlist(rows, bits), STIMULI), np.zeros((STIMULI, rows), object)
    expected, got = [], []
    for t in range(9 + DSP_LATENCY):
        a, b = (rng.integers(0, 1 << bits, (STIMULI, rows)) for _ in range(2))
        valid, first = (rng.random(STIMULI) < p for p in (0.7, 0.3))
        valid[:], first[:] = (True, True) if t == 0 else (valid, first)
        sums = np.where(first[:, None], 0, total) + a.astype(object) + b.astype(object)
        total = np.where(valid[:, None], sums % (1 << bits), total)
        expected.append(total)
        inputs = {"a": packed(a, bits), "b": packed(b, bits), "valid": valid.astype(int), "first": first.astype(int)}
        got.append(fields(simulator.cycle(inputs)["total"], bits, rows))
    for t in range(9):
        np.testing.assert_array_equal(got[t + DSP_LATENCY], expected[t].astype(np.int64))


@pytest.mark.parametrize("dsp", [False, True])
@pytest.mark.parametrize("fold", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(("x", "w", "tallied"), [("BIPOLAR", "BIPOLAR", False), ("TERNARY", "TERNARY", True), ("UINT2", "BIPOLAR", True)])
def test_done_marks_the_sums_of_whole_vectors(x, w, tallied, fold, dsp):
    form, rows, bits, cycles = form_of(x, w, 7, tallied), 3, 12, 16
    latency = array_latency(form, bits, dsp)
    simulator, rng = Simulator(array_netlist(form, rows, bits, fold, dsp), STIMULI), np.random.default_rng(fold)
    sums, seen, expected, got = np.zeros((STIMULI, rows), np.int64), np.zeros(STIMULI, int), [], []
    for _ in range(cycles):
        xs, ws = integers(rng, form.x, (STIMULI, form.n)), integers(rng, form.w, (STIMULI, rows, form.n))
        valid = rng.random(STIMULI) < 0.8
        sums = np.where(valid[:, None], np.where(seen[:, None] % fold, sums, 0) + raw_sums(form, xs[:, None], ws), sums)
        seen = seen + valid
        expected.append((valid & (seen % fold == 0), sums))
        word = packed(words(form, ws), form.word_bits)
        got.append(simulator.cycle({"x": packed(form.x.encode(xs), form.x.bits), "w": word, "valid": valid.astype(int)}))
    for (done, total), out in zip(expected, got[latency:], strict=False):
        np.testing.assert_array_equal(out["done"], done)
        np.testing.assert_array_equal(fields(out["total"], bits, rows)[done], total[done])


@pytest.mark.parametrize(("dsp", "most"), [(False, 0.95), (True, 0.78)])
def test_sites_a_product_of_16_rows_of_64(dsp, most):
    sites = sites_of(array_netlist(form_of("BIPOLAR", "BIPOLAR", 64), 16, 12, 13, dsp))
    assert sites.luts <= most * 1024
    assert sites.dsp == 4 * dsp


def test_accumulators_in_slices_take_no_lut():
    sites = sites_of(dsp_accumulator_netlist(8, 12))
    assert (sites.luts, sites.dsp) == (0, 2)

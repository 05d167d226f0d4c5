"""Lanes and rows as netlists against numpy's dot products, cycle by cycle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.fabric.lane_form import lane_form
from hwq.fabric.lane_netlist import has_netlist, lane_latency, lane_netlist, row_latency, row_netlist, rows_latency, rows_netlist
from hwq.fabric.levels import depth
from hwq.fabric.simulate import Simulator
from hwq.fabric.sites import sites_of
from hwq.fabric.weight_code import Bases, Levels, Powers
from hwq.numerics.encoding import parse_encoding
from tests.fabric.lanes.stimuli import integers, packed, raw_sums, words

PAIRS = [
    ("BIPOLAR", "BIPOLAR"),
    ("BIPOLAR", "TERNARY"),
    ("TERNARY", "BIPOLAR"),
    ("TERNARY", "TERNARY"),
    ("UINT2", "BIPOLAR"),
    ("INT4", "BIPOLAR"),
    ("UINT8", "BIPOLAR"),
    ("INT3_NARROW", "BIPOLAR"),
    ("BIPOLAR", "INT4"),
    ("BINARY", "BINARY"),
    ("UINT2", "TERNARY"),
    ("INT2", "INT2"),
    ("UINT2", "UINT2"),
    ("UINT4", "INT4"),
    ("INT3", "INT3"),
    ("TERNARY", "INT4"),
    ("INT4", "INT4"),
    ("INT8", "INT8"),
    ("UINT8", "INT4"),
]
STIMULI = 24


CODES = [Powers(3, True, True), Powers(4, False, False), Bases((1, 2, 5)), Bases((2, 5, 7)), Levels((-7, -3, 0, 6)), Levels((1, 2))]
CODED = [(x, w) for x in ("BIPOLAR", "TERNARY", "UINT2", "INT4") for w in CODES]
CODED += [("UINT8", Powers(5, True, True)), ("UINT8", Levels((-7, 0, 2, 50)))]


def form_of(pair, n, apart=False):
    x, w = (parse_encoding(e) if isinstance(e, str) else e for e in pair)
    return lane_form(x, w, n, apart or not isinstance(pair[1], str))


def operands(form, seed):
    rng = np.random.default_rng(seed)
    return integers(rng, form.x, (STIMULI, form.n)), integers(rng, form.w, (STIMULI, form.n))


def stream(form, netlist, cycles, seed, **control):
    """Raw sums that numpy expects, and outputs, cycle by cycle."""
    simulator, expected, got = Simulator(netlist, STIMULI), [], []
    for t in range(cycles):
        x, w = operands(form, 1000 * seed + t)
        expected.append(raw_sums(form, x, w))
        more = {name: values[t] for name, values in control.items()}
        got.append(simulator.cycle({"x": packed(form.x.encode(x), form.x.bits), "w": words(form, w), **more}))
    return expected, got


@settings(max_examples=30)
@given(st.sampled_from(PAIRS + CODED), st.integers(1, 40), st.booleans(), st.integers(0, 99))
def test_a_lane_gives_the_dot_product_of_every_cycle(pair, n, apart, seed):
    form = form_of(pair, n, apart)
    latency = lane_latency(form)
    expected, got = stream(form, lane_netlist(form), latency + 3, seed)
    for t in range(3):
        np.testing.assert_array_equal(got[t + latency]["y"], expected[t])


@settings(max_examples=20)
@given(st.sampled_from(PAIRS + CODED), st.integers(1, 24), st.booleans(), st.integers(0, 99))
def test_two_rows_are_the_dot_product_modulo_their_width(pair, n, apart, seed):
    form = form_of(pair, n, apart)
    latency = rows_latency(form, 24)
    expected, got = stream(form, rows_netlist(form, 24), latency + 2, seed)
    for t in range(2):
        np.testing.assert_array_equal((got[t + latency]["a"] + got[t + latency]["b"]) % (1 << 24), expected[t])


def accumulated(sums, valid, first, bits):
    """The accumulator's rule, word by word."""
    total, found = np.zeros(STIMULI, np.int64), []
    for y, there, opens in zip(sums, valid, first, strict=True):
        total = np.where(there, (np.where(opens, 0, total) + y) % (1 << bits), total)
        found.append(total)
    return found


@settings(max_examples=30)
@given(st.sampled_from(PAIRS + CODED), st.integers(1, 24), st.booleans(), st.booleans(), st.integers(0, 99))
def test_a_row_accumulates_restarts_and_holds(pair, n, apart, late, seed):
    form = form_of(pair, n, apart)
    bits, cycles = form.y_bits + 1 + seed % 4, 14
    latency = row_latency(form, bits)
    rng = np.random.default_rng(seed)
    valid, first = rng.random((cycles, STIMULI)) < 0.7, rng.random((cycles, STIMULI)) < 0.3
    valid[0] = first[0] = True
    delay = latency - 1 if late else 0
    before = np.zeros((delay, STIMULI), int)
    control = {name: np.concatenate([before, v.astype(int)])[:cycles] for name, v in (("valid", valid), ("first", first))}
    expected, got = stream(form, row_netlist(form, bits, late=late), cycles, seed, **control)
    for t, total in enumerate(accumulated(expected, valid, first, bits)[: cycles - latency]):
        np.testing.assert_array_equal(got[t + latency]["total"], total)


SHARING = [
    ("INT4", "INT4"),
    ("UINT4", "INT4"),
    ("INT8", "INT8"),
    ("UINT8", "UINT8"),
    ("UINT8", "INT4"),
    ("INT2", "UINT3"),
    ("INT5", "INT5"),
    ("TERNARY", "TERNARY"),
    ("BINARY", "INT4_NARROW"),
    ("TERNARY", "INT3_NARROW"),
]


def stream_rows(form, netlist, present, cycles, seed, **control):
    """As :func:`stream`, of several rows with the same activations: sums (stimuli, rows)."""
    rng, simulator, expected, got = np.random.default_rng(seed), Simulator(netlist, STIMULI), [], []
    for t in range(cycles):
        x, w = integers(rng, form.x, (STIMULI, form.n)), integers(rng, form.w, (STIMULI, present, form.n))
        expected.append(raw_sums(form, x[:, None], w))
        more = {name: values[t] for name, values in control.items()}
        word = packed(words(form, w), form.word_bits)
        got.append(simulator.cycle({"x": packed(form.x.encode(x), form.x.bits), "w": word, **more}))
    return expected, got


def in_rows(value, bits, rows):
    return np.array([[int(v) >> bits * k & ((1 << bits) - 1) for k in range(rows)] for v in value])


@settings(max_examples=12)
@given(st.sampled_from(SHARING), st.integers(1, 10), st.integers(2, 16), st.data())
def test_rows_that_share_slices_give_their_dot_products_in_one_cycle(pair, n, rows, data):
    form = lane_form(*(parse_encoding(e) for e in pair), n, multiplier="dsp", rows=rows)
    present, latency = data.draw(st.integers(1, form.rows)), lane_latency(form)
    expected, got = stream_rows(form, lane_netlist(form, present), present, latency + 3, n + rows)
    for t in range(3):
        np.testing.assert_array_equal(in_rows(got[t + latency]["y"], form.y_bits, present), expected[t])


@settings(max_examples=12)
@given(st.sampled_from(SHARING), st.integers(1, 10), st.integers(2, 16), st.data())
def test_rows_that_share_slices_accumulate_restart_and_hold(pair, n, rows, data):
    form = lane_form(*(parse_encoding(e) for e in pair), n, multiplier="dsp", rows=rows)
    present, bits = data.draw(st.integers(1, form.rows)), form.y_bits + 2
    latency, cycles, rng = row_latency(form, bits), 20, np.random.default_rng(n)
    valid, first = rng.random((cycles, STIMULI)) < 0.7, rng.random((cycles, STIMULI)) < 0.4
    valid[0] = first[0] = True
    before = np.zeros((latency - 1, STIMULI), int)
    control = {name: np.concatenate([before, v.astype(int)])[:cycles] for name, v in (("valid", valid), ("first", first))}
    expected, got = stream_rows(form, row_netlist(form, bits, present, late=True), present, cycles, n + rows, **control)
    for row in range(present):
        totals = accumulated([sums[:, row] for sums in expected], valid, first, bits)
        for t in range(cycles - latency):
            np.testing.assert_array_equal(in_rows(got[t + latency]["total"], bits, present)[:, row], totals[t])


def test_a_first_word_that_is_not_there_restarts_nothing():
    form = form_of(("BIPOLAR", "BIPOLAR"), 5)
    latency = row_latency(form, 6)
    valid, first = np.array([1, 0, 1])[:, None] * np.ones(STIMULI, int), np.array([1, 1, 0])[:, None] * np.ones(STIMULI, int)
    idle = np.zeros((latency, STIMULI), int)
    expected, got = stream(form, row_netlist(form, 6), 3 + latency, 1, valid=[*valid, *idle], first=[*first, *idle])
    np.testing.assert_array_equal(got[2 + latency]["total"], expected[0] + expected[2])


@pytest.mark.parametrize("pair", PAIRS + CODED[::3])
def test_the_largest_and_the_smallest_sum(pair):
    form = form_of(pair, 9)
    latency = lane_latency(form)
    corners = [(a, b) for a in (form.x.lo, form.x.hi) for b in (form.w.lo, form.w.hi)]
    x, w = (np.repeat([[c[side]] for c in corners], form.n, axis=1) for side in range(2))
    simulator = Simulator(lane_netlist(form), len(corners))
    inputs = {"x": packed(form.x.encode(x), form.x.bits), "w": words(form, w)}
    for _ in range(latency):
        simulator.cycle(inputs)
    np.testing.assert_array_equal(simulator.cycle(inputs)["y"], raw_sums(form, x, w))


@pytest.mark.parametrize("pair", PAIRS)
def test_a_lane_is_shallow(pair):
    form = form_of(pair, 16)
    assert depth(lane_netlist(form)) <= 6
    assert depth(row_netlist(form, form.y_bits + 4)) <= 6


@pytest.mark.parametrize(
    ("pair", "apart", "lane", "row"),
    [
        (("BIPOLAR", "BIPOLAR"), False, 53, 60),
        (("BIPOLAR", "TERNARY"), False, 87, 95),
        (("BIPOLAR", "TERNARY"), True, 53, 60),
        (("TERNARY", "TERNARY"), False, 122, 128),
        (("TERNARY", "TERNARY"), True, 102, 109),
        (("UINT2", "TERNARY"), True, 102, 109),
    ],
)
def test_sites_of_64_products(pair, apart, lane, row):
    form = form_of(pair, 64, apart)
    assert sites_of(lane_netlist(form)).luts <= lane
    assert sites_of(row_netlist(form, 12 if form.y_bits == 7 else 13)).luts <= row


def test_integers_longer_than_a_slice_takes_have_no_circuit():
    assert not has_netlist(form_of(("FIXED<30,3>", "FIXED<30,3>"), 4))


def test_sums_of_unlike_bases_arrive_together():
    form = lane_form(parse_encoding("BIPOLAR"), Bases((1, 2, 4, 5)), 16, True)
    latency = lane_latency(form)
    expected, got = stream(form, lane_netlist(form), latency + 2, 3)
    for t in range(2):
        np.testing.assert_array_equal(got[t + latency]["y"], expected[t])


def test_tables_of_more_bits_than_a_lut_has_pins():
    form = lane_form(parse_encoding("UINT8"), Levels((-7, 0, 2, 50)), 3, True)
    latency = lane_latency(form)
    expected, got = stream(form, lane_netlist(form), latency + 1, 4)
    np.testing.assert_array_equal(got[latency]["y"], expected[0])

"""The lane: raw sums of every pair of encodings, every cycle, at the promised depth."""

from __future__ import annotations

import numpy as np
import pytest

from hwq.fabric.lane_form import lane_form
from hwq.fabric.portable_heap import counter_schedule, heap_levels
from hwq.gateware.lane import Lane
from hwq.numerics.encoding import Bipolar, Integer, parse_encoding
from hwq.plan.latency import lane_cycles
from tests.gateware.stream import pack, simulate

PAIRS = [
    ("BIPOLAR", "BIPOLAR"),
    ("TERNARY", "TERNARY"),
    ("TERNARY", "BIPOLAR"),
    ("BIPOLAR", "TERNARY"),
    ("UINT2", "INT2"),
    ("BIPOLAR", "INT4"),
    ("UINT4", "BIPOLAR"),
    ("INT3", "UINT3"),
    ("UINT8", "BIPOLAR"),
    ("INT8", "BIPOLAR"),
    ("BIPOLAR", "INT6"),
    ("UINT8", "INT8"),
    ("INT5", "INT4_NARROW"),
    ("UINT8", "TERNARY"),
    ("UINT7", "UINT5"),
    ("FIXED<8,3>", "INT4"),
]


@pytest.mark.parametrize("n", [1, 2, 3, 7, 16])
@pytest.mark.parametrize(("activation", "weight"), PAIRS)
def test_sum_of_products_every_cycle_after_constant_latency(activation, weight, n):
    x_encoding, w_encoding = parse_encoding(activation), parse_encoding(weight)
    form = lane_form(x_encoding, w_encoding, n)
    rng = np.random.default_rng(n)
    x = rng.choice(np.arange(x_encoding.lo, x_encoding.hi + 1, x_encoding.step), (40, n))
    w = rng.choice(np.arange(w_encoding.lo, w_encoding.hi + 1, w_encoding.step), (40, n))
    for frame, (a, b) in enumerate([("lo", "lo"), ("lo", "hi"), ("hi", "lo"), ("hi", "hi")]):
        x[frame], w[frame] = getattr(x_encoding, a), getattr(w_encoding, b)
    got = stream_through(form, x_encoding.encode(x), w_encoding.encode(w))
    np.testing.assert_array_equal(form.step * got + form.low * n, (x * w).sum(1))


def stream_through(form, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    dut, got, latency = Lane(form), [], lane_cycles(form)

    async def bench(ctx):
        for t in range(len(x) + latency):
            if t < len(x):
                ctx.set(dut.x, pack(x[t], form.x.bits))
                ctx.set(dut.w, pack(w[t], form.w.bits))
            if t >= latency:
                got.append(ctx.get(dut.y))
            await ctx.tick()

    simulate(dut, bench)
    return np.array(got)


@pytest.mark.parametrize("n", [1, 5, 64, 784, 10_000])
def test_xnor_popcount_needs_no_constant_but_the_number_of_products(n):
    form = lane_form(Bipolar(), Bipolar(), n)
    assert (form.step, form.low, form.y_max) == (2, -1, n)


@pytest.mark.parametrize(("activation", "weight"), PAIRS)
def test_columns_that_do_not_exist_add_nothing(activation, weight):
    form = lane_form(parse_encoding(activation), parse_encoding(weight), 3)
    raw = form.raw(0, form.pad_weight)
    assert form.step * 3 * raw + form.offset(3, 3) == 0


@pytest.mark.parametrize("heights", [(1,), (4,), (5,), (6, 6), (22, 21), (262, 261), (0, 64, 1), (3000,)])
def test_counters_preserve_the_sum_and_end_in_four_rows(heights):
    levels, left = counter_schedule(heights)
    assert max(left) <= 4
    # Every counter takes the place of six bits of weight one by three bits of weight one, two and four: never fewer.
    assert sum(h << c for c, h in enumerate(left)) >= sum(h << c for c, h in enumerate(heights))
    assert heap_levels(heights) == len(levels) + (max(left) - 1).bit_length()


def test_unsigned_products_have_no_offset():
    assert lane_form(Integer(8, False), Integer(4, False), 5).low == 0

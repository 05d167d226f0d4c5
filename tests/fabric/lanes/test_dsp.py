"""Lanes of DSP slices against numpy's dot products."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hwq.fabric.lanes.dsp import DspLanes
from hwq.fabric.netlist import Dsp, Flop, Lut
from hwq.fabric.packing import Packing, lane_packing, packing
from hwq.fabric.simulate import Simulator, evaluate
from hwq.numerics.encoding import Encoding, parse_encoding


def words(codes: NDArray, bits: int) -> NDArray:
    """Codes (stimuli, ...) as one number a stimulus, the first code least."""
    flat = codes.reshape(len(codes), -1)
    return np.array([sum(int(c) << (k * bits) for k, c in enumerate(row)) for row in flat], dtype=object)


def integers(rng: np.random.Generator, encoding: Encoding, shape: tuple[int, ...]) -> NDArray:
    """Random integers, the extremes often: they are what overflows."""
    anywhere = rng.integers(encoding.lo, encoding.hi + 1, shape)
    extreme = rng.choice([encoding.lo, encoding.hi], shape)
    constant = np.broadcast_to(rng.choice([encoding.lo, encoding.hi], (shape[0],) + (1,) * (len(shape) - 1)), shape)
    kind = rng.integers(0, 3, (shape[0],) + (1,) * (len(shape) - 1))
    return np.where(kind == 0, anywhere, np.where(kind == 1, extreme, constant))


def of(x: str, w: str, rows: int, pixels: int) -> Packing:
    made = packing(parse_encoding(x), parse_encoding(w), rows, pixels)
    assert made is not None
    return made


def check(lanes: DspLanes, seed: int, count: int = 100) -> None:
    rng = np.random.default_rng(seed)
    p = lanes.packing
    x = integers(rng, p.x, (count, lanes.pixels, lanes.n))
    w = integers(rng, p.w, (count, lanes.rows, lanes.n))
    netlist = lanes.netlist()
    got = evaluate(netlist, {"x": words(p.x.encode(x), p.x.bits), "w": words(p.w.encode(w), p.w.bits)}, lanes.latency)
    assert len(got) == lanes.rows * lanes.pixels
    for i in range(lanes.rows):
        for j in range(lanes.pixels):
            name = "y" if len(got) == 1 else f"y{i}_{j}"
            np.testing.assert_array_equal(got[name].astype(np.int64), np.einsum("sk,sk->s", x[:, j], w[:, i]) - lanes.n * lanes.low)


@pytest.mark.parametrize(
    ("x", "w", "rows", "pixels", "n"),
    [
        ("INT4", "INT4", 2, 2, 17),
        ("INT4", "INT4", 2, 2, 18),
        ("INT4", "INT4", 4, 1, 5),
        ("UINT4", "INT4", 2, 2, 20),
        ("INT8", "INT8", 2, 1, 8),
        ("INT8", "INT8", 2, 1, 13),
        ("INT8", "INT8_NARROW", 2, 1, 16),
        ("UINT8", "UINT8", 2, 1, 5),
        ("INT2", "UINT3", 3, 2, 9),
    ],
)
def test_rows_and_pixels_share_slices(x: str, w: str, rows: int, pixels: int, n: int) -> None:
    check(DspLanes(of(x, w, rows, pixels), n, longest=20), seed=n)


@pytest.mark.parametrize(
    ("x", "w", "n"), [("INT4", "INT4", 1), ("INT4", "INT4", 11), ("UINT4", "INT4", 36), ("INT8", "INT8", 5), ("INT9", "UINT16", 3)]
)
def test_a_lane_of_one_row(x: str, w: str, n: int) -> None:
    made = lane_packing(parse_encoding(x), parse_encoding(w))
    assert made is not None
    check(DspLanes(made, n), seed=n)


@pytest.mark.parametrize(
    ("x", "w", "rows", "pixels", "n", "longest"),
    [
        ("INT8", "INT8", 2, 1, 16, 16),
        ("INT8", "INT8", 2, 1, 40, 16),
        ("UINT8", "INT8", 2, 1, 24, 16),
        ("INT8", "INT8_NARROW", 2, 1, 33, 40),
        ("INT4", "INT4", 2, 2, 35, 40),
        ("UINT4", "INT4_NARROW", 3, 1, 19, 40),
        ("INT4", "INT4", 4, 1, 6, 16),
        ("UINT4", "INT4", 4, 1, 7, 4),
        ("UINT8", "INT4", 3, 1, 5, 4),
    ],
)
def test_cascades_beyond_their_fields_take_the_carries_back(x: str, w: str, rows: int, pixels: int, n: int, longest: int) -> None:
    lanes = DspLanes(of(x, w, rows, pixels), n, longest, carries=True)
    assert max(lanes.cascades) > lanes.packing.depth
    check(lanes, seed=n, count=300)


@pytest.mark.parametrize(("activation", "low"), [("INT4", -56), ("UINT4", -120)])
def test_every_quadruple_of_int4_weights_times_every_activation_of_4_bits(activation: str, low: int) -> None:
    lanes = DspLanes(of(activation, "INT4", 4, 1), 1)
    codes = np.arange(1 << 16)
    for x in range(16):
        got = evaluate(lanes.netlist(), {"x": np.full(len(codes), x), "w": codes}, lanes.latency)
        for row in range(4):
            w = (codes >> 4 * row & 15 ^ 8) - 8
            np.testing.assert_array_equal(got[f"y{row}_0"], w * ((x ^ 8) - 8 if activation == "INT4" else x) - low)


@pytest.mark.slow
def test_every_pair_of_int8_weights_times_every_int8_activation() -> None:
    lanes = DspLanes(of("INT8", "INT8", 2, 1), 1)
    codes = np.arange(1 << 16)
    for x in range(256):
        got = evaluate(lanes.netlist(), {"x": np.full(len(codes), x), "w": codes}, lanes.latency)
        for row in range(2):
            w = (codes >> 8 * row & 255 ^ 128) - 128
            np.testing.assert_array_equal(got[f"y{row}_0"], w * ((x ^ 128) - 128) + 16256)


@pytest.mark.parametrize(
    ("x", "w", "rows", "pixels", "n"),
    [("INT4", "INT4", 2, 2, 6), ("INT2", "INT4", 3, 2, 8), ("INT8", "INT8", 2, 1, 16), ("UINT4", "INT4", 2, 2, 16)],
)
def test_all_results_of_a_cycle_come_in_one_cycle(x: str, w: str, rows: int, pixels: int, n: int) -> None:
    lanes = DspLanes(of(x, w, rows, pixels), n)
    rng = np.random.default_rng(7)
    xs, ws = (integers(rng, parse_encoding(e), (12, vectors, n)) for e, vectors in ((x, pixels), (w, rows)))
    codes = [words(e.encode(v), e.bits) for e, v in ((lanes.packing.x, xs), (lanes.packing.w, ws))]
    simulator = Simulator(lanes.netlist(), 1)
    got = []
    for t in range(12 + lanes.latency):
        at = slice(min(t, 11), min(t, 11) + 1)
        got.append(simulator.cycle({"x": codes[0][at], "w": codes[1][at]}))
    for i in range(rows):
        for j in range(pixels):
            expected = np.einsum("tk,tk->t", xs[:, j], ws[:, i]) - n * lanes.low
            assert [int(y[f"y{i}_{j}"][0]) for y in got[lanes.latency :]] == expected.tolist()


def test_cost_is_slices_and_hardly_a_lut() -> None:
    def cost(lanes: DspLanes) -> tuple[int, int]:
        cells = lanes.netlist().cells
        return sum(isinstance(c, Dsp) for c in cells), sum(isinstance(c, Lut) for c in cells)

    assert cost(DspLanes(of("UINT4", "INT4", 2, 2), 9)) == (9, 0)
    assert cost(DspLanes(of("INT8", "INT8", 2, 1), 8)) == (8, 0)
    assert cost(DspLanes(of("INT4", "INT4", 3, 1), 16)) == (16, 0)
    assert all(isinstance(f, Flop) and f.enable == 1 and f.reset == 0 for f in DspLanes(of("INT8", "INT8", 2, 1), 8).netlist().flops)


@pytest.mark.parametrize(("x", "w", "rows", "pixels"), [("UINT7", "INT4", 1, 2), ("UINT4", "INT4", 4, 1)])
def test_fields_that_hold_no_product_are_not_built_without_carries(x: str, w: str, rows: int, pixels: int) -> None:
    made = of(x, w, rows, pixels)
    assert made.depth == 0
    with pytest.raises(ValueError, match=f"products of {x} and {w} .* need carries"):
        DspLanes(made, 5, carries=False)
    check(DspLanes(made, 5), seed=1)

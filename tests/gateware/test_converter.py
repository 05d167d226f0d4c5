"""Width converter: every element in its place, every beat in the cycle of its law, for any two shapes of words."""

from __future__ import annotations

from math import lcm

import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Mux, Signal
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.gateware.converter import ConverterStage
from hwq.plan.blocks import blocks_between
from hwq.plan.units import Converter, Edge
from tests.gateware.laws import converter_law
from tests.gateware.prover import by_hand, proven
from tests.gateware.stream import image_words, pipe, trace
from tests.gateware.test_proofs import always

RATES = [(1.0, 1.0), (0.6, 1.0), (1.0, 0.4), (0.7, 0.7), (0.2, 0.9)]


def converter(source: Edge, target: Edge, depth: int = 2) -> ConverterStage:
    return ConverterStage(Converter("c", ("i",), ("o",), depth, *blocks_between(source, target)), source, target)


def words_on(edge: Edge, codes: np.ndarray, rng: np.random.Generator | None = None) -> list[int]:
    """Words of (frames, elements) codes; with ``rng``, lanes that carry nothing hold anything."""
    frames = codes.reshape(len(codes), edge.height, edge.width, edge.channels)
    words = image_words(frames, edge.elements, edge.bits, edge.pixels)
    if rng is None:
        return words
    used = image_words(np.full_like(frames, (1 << edge.bits) - 1), edge.elements, edge.bits, edge.pixels)
    garbage = [int.from_bytes(rng.bytes(edge.word_bits // 8 + 1), "little") & ((1 << edge.word_bits) - 1) for _ in words]
    return [w | (g & ~u) for w, u, g in zip(words, used, garbage, strict=True)]


def check(source: Edge, target: Edge, depth: int, frames: int, idle: float, stall: float) -> None:
    rng = np.random.default_rng(source.elements)
    codes = rng.integers(0, 1 << source.bits, (frames, source.positions * source.channels))
    dut = converter(source, target, depth)
    unit = dut.unit
    expected = words_on(target, codes)
    from_trace, to_trace = trace(rng, idle), trace(rng, stall)
    put, got = pipe(dut, words_on(source, codes, rng), len(expected), source=from_trace, sink=to_trace)
    assert [hex(w) for w in got.words] == [hex(w) for w in expected]
    blocks = [(unit.words_in, unit.words_out)] * (unit.blocks - 1) + [(unit.last_in, unit.last_out)]
    assert (put.cycles, got.cycles) == converter_law(blocks * frames, depth, from_trace, to_trace)


@pytest.mark.parametrize(("idle", "stall"), RATES)
@pytest.mark.parametrize(
    ("channels", "bits", "elements_in", "elements_out", "depth"),
    [
        (24, 1, 8, 12, 2),
        (24, 1, 12, 8, 2),
        (10, 2, 3, 4, 1),
        (16, 1, 16, 3, 2),
        (9, 4, 2, 9, 3),
        (7, 1, 7, 7, 2),
        (5, 3, 8, 2, 2),
        (20, 1, 1, 6, 2),
    ],
)
def test_channels_of_a_pixel(channels, bits, elements_in, elements_out, depth, idle, stall):
    check(Edge("i", elements_in, bits, channels), Edge("o", elements_out, bits, channels), depth, 9, idle, stall)


@st.composite
def images(draw: st.DrawFn) -> tuple[Edge, Edge]:
    """An image in words of two shapes, V and E."""
    a, b = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    channels, bits = draw(st.integers(1, 7)), draw(st.integers(1, 3))
    shape = channels, draw(st.integers(1, 2)), lcm(a, b) * draw(st.integers(1, 2))
    return (
        Edge("i", draw(st.integers(1, channels)), bits, *shape, pixels=a),
        Edge("o", draw(st.integers(1, channels)), bits, *shape, pixels=b),
    )


@st.composite
def reframings(draw: st.DrawFn) -> tuple[Edge, Edge]:
    """An image in contiguous words, and the same elements as a flat stream, either way."""
    channels, pixels, bits = draw(st.integers(1, 6)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    height, width = draw(st.integers(1, 3)), pixels * draw(st.integers(1, 3))
    parts = [e for e in range(1, channels + 1) if channels % e == 0 and (e == channels or pixels == 1)]
    image = Edge("i", draw(st.sampled_from(parts)), bits, channels, height, width, pixels)
    flat = Edge("f", draw(st.integers(1, 17)), bits, channels * height * width)
    return (image, flat) if draw(st.booleans()) else (flat, image)


@settings(max_examples=20)
@given(st.one_of(images(), reframings()), st.integers(1, 3), st.sampled_from(RATES))
def test_images_and_flat_streams(edges, depth, rates):
    check(*edges, depth, 3, *rates)


def test_pixels_of_three_bytes_from_a_bus_of_eight():
    bus, image = Edge("i", 8, 8, 5 * 5 * 3), Edge("o", 3, 8, 3, 5, 5)
    assert blocks_between(bus, image) == (4, 24, 3, 8, 1, 1)
    check(bus, image, 2, 4, 1.0, 1.0)
    check(image, bus, 2, 4, 0.9, 0.8)


@pytest.mark.parametrize(("elements_in", "elements_out"), [(4, 10), (10, 4), (6, 6)])
def test_interval_is_the_longer_side(elements_in, elements_out):
    dut = converter(Edge("i", elements_in, 1, 30), Edge("o", elements_out, 1, 30))
    words_in, words_out = dut.unit.words_in, dut.unit.words_out
    _, got = pipe(dut, [0] * words_in * 6, words_out * 6)
    ends = got.cycles[words_out - 1 :: words_out]
    assert set(np.diff(ends)[1:]) == {max(words_in, words_out)}


@pytest.mark.parametrize("bug", [False, True])
def test_every_element_leaves_once_and_in_order(bug):
    """Blocks of six elements, each of which is its own number: two words of three in, three of two out."""
    dut = converter(Edge("i", 3, 4, 6), Edge("o", 2, 4, 6))
    assert (dut.unit.words_in, dut.unit.words_out) == (2, 3)
    m = Module()
    m.submodules.dut = by_hand(dut)
    valid, ready, came, left = Signal(), Signal(), Signal(4), Signal(4)
    numbers = Cat(*((came + k)[:4] for k in range(3)))
    m.d.comb += [dut.i.valid.eq(valid), dut.i.payload.as_value().eq(numbers), dut.o.ready.eq(ready)]
    m.d.sync += [came.eq(came + Mux(valid & dut.i.ready, 3, 0)), left.eq(left + Mux(dut.egress.take, 2, 0))]
    word_in, word_out = dut.count_in.value, dut.count_out.value
    always(m, (word_in < 2) & (word_out < 3) & (~dut.full | (word_in == 0)) & (dut.busy | (word_out == 0)))
    within = Mux(word_in == 1, 3, 0) + Mux(dut.full, 6, 0) + Mux(dut.busy, 6 - 2 * word_out, 0)
    always(m, (left + within + (1 if bug else 0))[:4] == came)
    for k in range(6):
        collected, held = dut.collected[4 * k : 4 * k + 4], dut.held[4 * k : 4 * k + 4]
        always(m, ~(dut.full | ((word_in == 1) & (k > 2))) | (collected == (came - 6 + k)[:4]))
        always(m, ~(dut.busy & (word_out + k // 2 < 3)) | (held == (left + k)[:4]))
    always(m, (dut.egress.w_en == dut.egress.take) & (~dut.egress.take | dut.egress.grant))
    always(m, ~dut.egress.take | (dut.egress.w_data == Cat(left, (left + 1)[:4])))
    assert proven(m, {"valid": valid, "ready": ready}) != bug

"""The Reader: the taps of every window in order, in the cycles of the law, for any window, fold, V and stall."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Assert, Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.gateware.egress import Egress
from hwq.gateware.fifo import forward
from hwq.gateware.pipeline import delay, valid_chain
from hwq.gateware.reader import Reader, lowest_fill
from hwq.network.ops import Window
from hwq.plan.banks import BankLayout
from hwq.plan.geometry import Geometry
from hwq.plan.latency import READ_LATENCY
from tests.gateware.images import image_words
from tests.gateware.laws import window_law
from tests.gateware.prover import by_hand, proven
from tests.gateware.stream import Sink, Source, pack, refusal, run, trace


class Taps(wiring.Component):
    """A Reader before an Egress: every firing gives a word, the pixels read and above them which of them are real."""

    def __init__(self, reader: Reader, depth: int) -> None:
        self.reader, self.depth = reader, depth
        width = reader.width + reader.geometry.pixels
        super().__init__({"i": In(stream.Signature(reader.width)), "o": Out(stream.Signature(width))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.reader = reader = self.reader
        m.submodules.egress = egress = Egress(len(self.o.payload), self.depth)
        m.d.comb += [
            reader.i.valid.eq(self.i.valid),
            reader.i.payload.eq(self.i.payload),
            self.i.ready.eq(reader.i.ready),
            reader.fire.eq(reader.available & egress.grant),
            egress.take.eq(reader.fire),
            egress.w_en.eq(valid_chain(m, reader.fire, READ_LATENCY, "read")),
            egress.w_data.eq(Cat(reader.data, delay(m, reader.real, READ_LATENCY, "real"))),
        ]
        forward(m, egress.o, self.o)
        return m


def taps_of(x: np.ndarray, g: Geometry, bits: int, elements: int) -> list[int]:
    """The words a Reader gives for images (frames, height, width, channels), straight from the definition of a window."""
    frames, height, width, _ = x.shape
    (kh, kw), (sy, sx), (dy, dx), (top, left, _, _) = g.window.kernel, g.window.stride, g.window.dilation, g.window.padding
    words = g.words // g.blocks
    found = []
    for f, oh, og, block, _, a, b, word in np.ndindex(frames, g.out_height, g.out_groups, g.blocks, g.passes, kh, kw, words):
        y, xs = oh * sy - top + a * dy, [(og * g.pixels + v) * sx - left + b * dx for v in range(g.pixels)]
        real = [0 <= y < height and 0 <= c < width for c in xs]
        first = (block * words + word) * elements
        pixels = [x[f, y, c, first : first + elements] if ok else np.zeros(elements, int) for c, ok in zip(xs, real, strict=True)]
        found.append(pack(np.concatenate(pixels), bits) | pack(real, 1) << (g.pixels * elements * bits))
    return found


def check(
    g: Geometry, buffer: int, *, depth: int = 4, idle: float = 1.0, stall: float = 1.0, frames: int = 2, memory: str = "lutram"
) -> None:
    """Bits, and the cycle of every word in and out."""
    rng = np.random.default_rng(buffer)
    bits, elements = 2, 2
    x = rng.integers(0, 1 << bits, (frames, g.height, g.width, g.words * elements))
    source, sink = trace(rng, idle), trace(rng, stall)
    law_in, law_out = window_law(
        (g.height, g.width, g.words), g.window, frames, buffer, depth, READ_LATENCY, source, sink,
        pixels=g.pixels, blocks=g.blocks, passes=g.passes, is_every_firing=True,
    )  # fmt: skip
    dut = Taps(Reader(g.pixels * elements * bits, g, buffer, memory), depth)
    put, got = Source(dut.i, image_words(x, bits, elements, g.pixels), source), Sink(dut.o, sink)
    # The next frame's first taps may lie in the padding and come without input.
    run(dut, [put], [got], lambda: len(got.record.words) >= len(law_out), extra=1)
    assert got.record.words == taps_of(x, g, bits, elements)
    assert (put.record.cycles, got.record.cycles) == (law_in[: len(put.record.cycles)], law_out)


CASES = {
    "3x3 same": Geometry(5, 6, 2, Window((3, 3), padding=(1, 1, 1, 1))),
    "3x3 valid": Geometry(5, 5, 1, Window((3, 3))),
    "stride 2": Geometry(6, 5, 2, Window((3, 3), (2, 2), (1, 1, 1, 1))),
    "stride over kernel": Geometry(7, 7, 1, Window((1, 1), (3, 3))),
    "asymmetric": Geometry(4, 5, 2, Window((2, 3), (1, 2), (1, 0, 0, 2))),
    "dilated": Geometry(6, 6, 1, Window((2, 3), (1, 1), (0, 2, 1, 2), (3, 2))),
    "re-read": Geometry(4, 4, 2, Window((2, 2), (2, 2)), passes=3),
    "blocks": Geometry(4, 4, 4, Window((3, 3), padding=(1, 1, 1, 1)), blocks=4),
    "groups": Geometry(4, 3, 4, Window((2, 2), padding=(1, 1, 0, 0)), blocks=2, passes=2),
    "one dimension": Geometry(1, 9, 2, Window((1, 5), (1, 2), (0, 2, 0, 2))),
    "whole image": Geometry(3, 3, 2, Window((3, 3)), passes=2),
    "1x1": Geometry(3, 4, 3, Window((1, 1)), passes=2),
    "1x1 stride 2": Geometry(4, 4, 1, Window((1, 1), (2, 2))),
    "V = 2": Geometry(4, 6, 2, Window((3, 3), padding=(1, 1, 1, 1)), pixels=2),
    "V = 2, stride 2": Geometry(5, 8, 2, Window((3, 3), (2, 2), (1, 1, 1, 1)), pixels=2),
    "V = 2, stride 3": Geometry(4, 12, 1, Window((2, 2), (3, 3)), pixels=2),
    "V = 4, 5x5, re-read": Geometry(5, 8, 1, Window((5, 5), padding=(2, 2, 2, 2)), pixels=4, passes=2),
    "V = 3": Geometry(3, 6, 2, Window((3, 3), padding=(1, 1, 1, 1)), pixels=3),
    "V = 2, 1x1 stride 2": Geometry(4, 8, 1, Window((1, 1), (2, 2)), pixels=2),
    "V = 4, stride 2, ragged banks": Geometry(3, 12, 1, Window((2, 5), (1, 2), (0, 0, 0, 7)), pixels=4),
    "V = 2, wide padding": Geometry(3, 4, 1, Window((1, 7), (1, 1), (0, 3, 0, 3)), pixels=2),
    "windows in the padding": Geometry(1, 4, 2, Window((2, 1), (1, 2), (2, 0, 0, 0))),
    "V = 2, blocks": Geometry(3, 4, 2, Window((2, 2), padding=(1, 1, 0, 0)), pixels=2, blocks=2),
}


@pytest.mark.parametrize("extra", [0, 3])
@pytest.mark.parametrize("name", CASES)
def test_taps_of_every_window_in_the_cycles_of_the_law(name, extra):
    g = CASES[name]
    check(g, g.least_buffer + extra, idle=1.0 if extra else 0.7, stall=1.0 if extra else 0.6)


@pytest.mark.parametrize("memory", ["block", "ultra"])
def test_memory_kind_changes_nothing(memory):
    g = CASES["3x3 same"]
    check(g, g.least_buffer + 1, memory=memory)


def test_ring_of_whole_pieces_of_memory():
    for width, depth in ((20, 128), (45, 192)):
        g = Geometry(3, width, 2, Window((3, 3), padding=(1, 1, 1, 1)))
        assert BankLayout(g, g.least_buffer, "lutram").depth == depth
        check(g, g.least_buffer)


@st.composite
def geometries(draw) -> tuple[Geometry, int]:
    pixels = draw(st.sampled_from([1, 1, 2, 3]))
    kernel, dilation = (draw(st.integers(1, 3)), draw(st.integers(1, 4))), (draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    padding = tuple(draw(st.integers(0, k)) for k in (*kernel, *kernel))
    height, groups = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    width = groups * pixels * draw(st.integers(1, 2))
    blocks, words = draw(st.sampled_from([(1, 1), (1, 2), (2, 2), (3, 3), (2, 4), (1, 3)]))
    g = Geometry(height, width, words, Window(kernel, stride, padding, dilation), pixels, blocks, draw(st.integers(1, 2)))
    return g, draw(st.integers(0, 4))


def is_possible(g: Geometry) -> bool:
    try:
        return g.moves_forward and g.out_width % g.pixels == 0 and g.firings < 250
    except ValueError:
        return False


@pytest.mark.slow
@settings(max_examples=150, deadline=None, derandomize=True)
@given(geometries().filter(lambda case: is_possible(case[0])), st.sampled_from([1.0, 0.5]), st.sampled_from([1.0, 0.5]), st.integers(1, 5))
def test_any_geometry(case, idle, stall, depth):
    g, extra = case
    check(g, g.least_buffer + extra, idle=idle, stall=stall, depth=depth)


def ring_proof(g: Geometry, *, bug: str = "") -> tuple[Module, dict[str, Signal]]:
    """Registers of a Reader that is fed and fired as one pleases."""
    m = Module()
    dut = Reader(2, g, g.least_buffer + 1)
    m.submodules.reader = by_hand(dut)
    valid, want = Signal(), Signal()
    m.d.comb += [dut.i.valid.eq(valid), dut.fire.eq(want & (dut.available if bug != "fires early" else 1))]
    place = {name: counter.value for name, counter in dut.nest.counters.items()}
    strides = {loop.name: loop.strides[0] for loop in dut.nest.loops if loop.name in ("word", "kw", "kh", "block")}
    offset = sum((place[name] * stride for name, stride in strides.items()), Const(0, 1))
    fill = dut.excess + dut.buffer + (dut.fire if bug == "counts wrong" else 0)
    ring = len(dut.tail)
    for condition in (
        # The count of words never leaves its register: no word is overwritten before its window is done.
        dut.excess <= 0,
        fill >= lowest_fill(g),
        dut.buffer <= 1 << ring,
        # What makes the induction close: where a register stands follows from the others.
        dut.debt + fill == offset,
        (dut.head - dut.tail)[:ring] == dut.debt[:ring],
        *(counter.value < loop.count for loop, counter in zip(dut.nest.loops, dut.nest.counters.values(), strict=False)),
    ):
        m.d.comb += Assert(condition)
    return m, {"valid": valid, "want": want}


@pytest.mark.parametrize(
    "g",
    [
        Geometry(3, 3, 1, Window((2, 2))),
        Geometry(4, 4, 2, Window((2, 2), (2, 2)), passes=2),
        Geometry(1, 1, 3, Window((1, 1)), passes=3),
        Geometry(2, 5, 1, Window((1, 1), (1, 2))),
        Geometry(3, 3, 2, Window((2, 2)), blocks=2),
    ],
    ids=["window", "stride, re-read", "dense", "skips", "blocks"],
)
def test_no_word_is_overwritten_before_its_window_is_done(g):
    assert proven(*ring_proof(g), steps=4)


@pytest.mark.parametrize("bug", ["fires early", "counts wrong"])
def test_ring_proof_can_fail(bug):
    assert not proven(*ring_proof(Geometry(3, 3, 1, Window((2, 2))), bug=bug), steps=4)


def test_buffer_must_hold_a_window():
    g = Geometry(4, 4, 3, Window((2, 2)))
    assert refusal(lambda: Reader(4, g, 17)) == "the buffer must hold a window: buffer=17, at least 18"
    assert "must divide" in refusal(lambda: Reader(4, Geometry(4, 5, 1, Window((1, 1)), 2), 9))

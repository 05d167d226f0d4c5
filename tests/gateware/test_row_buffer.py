"""The row buffer: columns of windows and which taps are real, from the definition; flow control of what stands on it, proven."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.fabric.unroll import layer
from hwq.gateware.egress import Egress
from hwq.gateware.fifo import forward
from hwq.gateware.parts import rtlil_module
from hwq.gateware.pipeline import delay, valid_chain
from hwq.gateware.row_buffer import RowBuffer
from hwq.network.ops import Window
from hwq.plan.latency import READ_LATENCY
from hwq.plan.slide import Slide
from tests.gateware.cases import chain, dense
from tests.gateware.images import convolution, image_chain, image_words
from tests.gateware.plain_layer import plain_layer
from tests.gateware.prover import by_hand, proven, unreached
from tests.gateware.stream import pack, pipe, refusal, trace
from tests.gateware.test_proofs import always
from tests.gateware.test_unrolled import build


class Windows(wiring.Component):
    """A row buffer before an Egress: every completed window gives its last column, and which rows and columns of it are real."""

    def __init__(self, rows: RowBuffer, depth: int) -> None:
        self.rows, self.depth = rows, depth
        width = len(rows.data) + len(rows.rows) + len(rows.columns)
        super().__init__({"i": In(stream.Signature(rows.width)), "o": Out(stream.Signature(width))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.rows = rows = self.rows
        m.submodules.egress = egress = Egress(len(self.o.payload), self.depth)
        real = delay(m, Cat(rows.rows, rows.columns), READ_LATENCY, "real")
        m.d.comb += [
            rows.i.valid.eq(self.i.valid),
            rows.i.payload.eq(self.i.payload),
            self.i.ready.eq(rows.i.ready),
            rows.fire.eq(rows.available & (~rows.completes | egress.grant)),
            egress.take.eq(rows.fire & rows.completes),
            egress.w_en.eq(valid_chain(m, egress.take, READ_LATENCY, "read")),
            egress.w_data.eq(Cat(rows.data, real)),
        ]
        forward(m, egress.o, self.o)
        return m


def expected(x: np.ndarray, g: Slide, bits: int) -> list[tuple[list[int | None], int, int]]:
    """For every window the words of its last column (None where that lies outside), and its real rows and columns as bits."""
    (kh, kw), (sy, sx), (dy, dx), (top, left, _, _) = g.window.kernel, g.window.stride, g.window.dilation, g.window.padding
    found = []
    for f, oh, ow in np.ndindex(len(x), g.out_height, g.out_width):
        ys, xs = [oh * sy - top + k * dy for k in range(kh)], [ow * sx - left + k * dx for k in range(kw)]
        last = xs[-1] if 0 <= xs[-1] < g.width else None
        # The last word of a pixel.
        words = [pack(x[f, y, last][-1:], bits) if last is not None and 0 <= y < g.height else None for y in ys]
        real = [pack([0 <= y < g.height for y in ys], 1), pack([0 <= c < g.width for c in xs], 1)]
        found.append((words, *real))
    return found


@st.composite
def slides(draw: st.DrawFn) -> Slide:
    h, w, words = draw(st.integers(1, 5)), draw(st.integers(1, 6)), draw(st.integers(1, 3))
    kernel = (draw(st.integers(1, min(3, h))), draw(st.integers(1, min(4, w))))
    dilation = tuple(draw(st.integers(1, 2)) if (k - 1) * 2 < n else 1 for k, n in zip(kernel, (h, w), strict=True))
    reach = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    before = [draw(st.integers(0, r)) for r in reach]
    after = [draw(st.integers(0, r - b)) for r, b in zip(reach, before, strict=True)]
    window = Window(kernel, (draw(st.integers(1, 3)), draw(st.integers(1, 3))), (before[0], before[1], after[0], after[1]), dilation)
    g = Slide(h, w, words, window)
    assert g.moves_forward
    return g


RATES = st.sampled_from([(1.0, 1.0), (0.6, 0.5), (1.0, 0.3), (0.3, 1.0)])


@settings(max_examples=25)
@given(slides(), st.integers(0, 9), st.integers(1, 5), RATES)
def test_every_window_brings_its_column_and_says_what_is_real(g, extra, depth, rates):
    check(g, extra, depth, rates)


@pytest.mark.slow
@settings(max_examples=300)
@given(slides(), st.integers(0, 9), st.integers(1, 5), RATES)
def test_many_windows_do(g, extra, depth, rates):
    check(g, extra, depth, rates)


def check(g: Slide, extra: int, depth: int, rates: tuple[float, float]) -> None:
    rng = np.random.default_rng(extra)
    bits = 3
    x = rng.integers(0, 1 << bits, (3, g.height, g.width, g.words))
    wanted = expected(x, g, bits)
    dut = Windows(RowBuffer(bits, g, g.least_buffer + extra), depth)
    _, got = pipe(dut, image_words(x, bits, 1), len(wanted), source=trace(rng, rates[0]), sink=trace(rng, rates[1]))
    kh, kw = g.window.kernel
    for word, (column, rows, columns) in zip(got.words, wanted, strict=True):
        assert word >> (kh * bits) & ((1 << kh) - 1) == rows
        assert word >> (kh * bits + kh) & ((1 << kw) - 1) == columns
        for k, value in enumerate(column):
            assert value is None or word >> (k * bits) & 7 == value


def test_a_buffer_that_holds_no_column_is_refused():
    g = Slide(4, 4, 1, Window((3, 3), padding=(1, 1, 1, 1)))
    assert refusal(lambda: RowBuffer(1, g, 8)) == "the buffer must hold a column: buffer=8, at least 9"


def conv_stage():
    op = convolution(np.random.default_rng(0), 2, 1, Window((3, 3), padding=(1, 1, 1, 1)), "BIPOLAR")
    return build(image_chain("BIPOLAR", (3, 4, 1), op), 1, depth=2)


def dense_stage():
    return build(chain("BIPOLAR", 4, dense(np.random.default_rng(0), 4, 2, "BIPOLAR")), 2, depth=2)


@pytest.fixture
def plain_circuits(monkeypatch):
    monkeypatch.setattr(layer, "unrolled_layer", plain_layer)


@pytest.mark.usefixtures("plain_circuits")
@pytest.mark.parametrize("error", [0, 1])
@pytest.mark.parametrize("made", [conv_stage, dense_stage])
def test_writes_exactly_latency_cycles_after_it_took_a_credit(made, error):
    m = Module()
    dut = made()
    m.submodules.dut = by_hand(dut)
    valid, word, ready = Signal(), Signal(len(dut.i.payload.as_value())), Signal()
    m.d.comb += [dut.i.valid.eq(valid), dut.i.payload.as_value().eq(word), dut.o.ready.eq(ready)]
    then = dut.egress.take
    for k in range(dut.unit.latency + error):
        later = Signal(name=f"then_{k}")
        m.d.sync += later.eq(then)
        then = later
    always(m, dut.egress.w_en == then)
    always(m, ~dut.egress.take | dut.egress.grant)
    assert proven(m, {"valid": valid, "word": word, "ready": ready}, steps=dut.unit.latency + 4) == (error == 0)


@pytest.mark.usefixtures("plain_circuits")
@pytest.mark.parametrize("made", [conv_stage, dense_stage])
def test_no_ready_follows_its_valid_and_no_valid_a_ready(made):
    pairs = [("i__valid", "i__ready"), ("o__ready", "o__valid"), ("o__ready", "i__ready")]
    assert unreached(rtlil_module(made(), "top"), pairs)

"""Reader: the input buffer of a stage. It slides a window over the image, pads on the fly, re-reads for every neuron fold."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import and_

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.nest import Counter, Nest
from hwq.gateware.ring import by_tap, place_banks, place_ring, ring_address
from hwq.plan.banks import BankLayout
from hwq.plan.geometry import Geometry
from hwq.plan.loops import BASE, SLOT, WORD, ReaderLoops, X, Y, fused

__all__ = ["Counter", "Reader", "lowest_fill"]


class Reader(wiring.Component):
    """Buffers words of an image and presents them in the order of :class:`hwq.plan.geometry.Geometry`, one a firing.

    Law: word m of the stream may enter while ``m < base + buffer``; a firing may read a word from the cycle after it was
    written; the base moves when the last firing of a window group is done. A firing waits for the word of its rightmost tap
    inside the image; taps outside give zeros and wait for nothing.

    Timing: ``fire`` in cycle t reads, ``data`` holds the pixels in cycle t + 2 (:data:`hwq.plan.latency.READ_LATENCY`).
    Cost: a simple dual-port memory (V > 1: banks and multiplexers behind them), counters, and adders of constants.

    Parameters
    ----------
    width
        Bits of a word of V pixels.
    buffer, memory
        Words; ``lutram``, ``block`` or ``ultra``.

    Members
    -------
    i : In(stream)
        Words in; ``ready`` is a flip-flop.
    available : Out(1)
        What the next firing reads is there.
    fire : In(1)
        Read now; only while ``available``.
    first, last, done : Out(1)
        The firing is the first, the last of its pass; the last of the last pass of its block.
    fold, block : Out
        Pass and block of the firing.
    real : Out(V)
        Which of the V pixels of the firing lie in the image.
    data : Out(unsigned(width))
        Pixels read two cycles ago, pixel 0 in the low bits; zero where they were not ``real``.
    """

    def __init__(self, width: int, geometry: Geometry, buffer: int, memory: str = "lutram") -> None:
        g = self.geometry = geometry
        if buffer < g.least_buffer:
            raise ValueError(f"the buffer must hold a window: buffer={buffer}, at least {g.least_buffer}")
        if any(size % g.pixels for size in (g.width, g.out_width, width)) or g.words % g.blocks:
            raise ValueError(f"pixels={g.pixels} must divide {g.width}, {g.out_width} and {width}; blocks={g.blocks} {g.words} words")
        self.width, self.buffer = width, buffer
        self.layout = BankLayout(g, buffer, memory)
        self.loops = ReaderLoops(self.layout)
        super().__init__(
            {
                "i": In(stream.Signature(unsigned(width))),
                "available": Out(1),
                "fire": In(1),
                "first": Out(1),
                "last": Out(1),
                "done": Out(1),
                "fold": Out(range(max(g.passes, 2))),
                "block": Out(range(max(g.blocks, 2))),
                "real": Out(g.pixels),
                "data": Out(unsigned(width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        taps, turns, outer = fused(self.loops.taps), fused(self.loops.turns), fused(self.loops.outer)
        self.nest = Nest(m, self.fire, [*taps, *turns, *outer])
        counters = self.nest.counters
        fold, block = counters.get("fold"), counters.get("block")
        m.d.comb += [
            self.last.eq(_all(counters[loop.name].last for loop in taps)),
            self.first.eq(self._first(m) if taps else 1),
            self.done.eq(self.last & (fold.last if fold else 1)),
            self.fold.eq(fold.value if fold else 0),
            self.block.eq(block.value if block else 0),
        ]
        written = Signal()
        m.d.comb += written.eq(self.i.valid & self.i.ready)
        self.tap = counters["kw"].value if "kw" in counters else None
        self.word_move = self.nest.move(m, self.fire, WORD, "word_move", offset=-1)
        self._room(m, written, self.fire & self.done & (block.last if block else 1))
        real = self._real(m)
        self._arrival(m, written)
        self._memory(m, written, real)
        return m

    def _first(self, m: Module) -> Signal:
        first = Signal(init=1, name="begins")
        with m.If(self.fire):
            m.d.sync += first.eq(self.last)
        return first

    # -- what is there

    def _real(self, m: Module) -> list[Value]:
        g = self.geometry
        row = self._within(m, Y, "y", 1)[0]
        self.inside = self._within(m, X, "x", g.pixels)
        real: list[Value] = [row & column for column in self.inside] if self.loops.leaves(Y) else self.inside
        m.d.comb += self.real.eq(Cat(*real))
        return real

    def _within(self, m: Module, quantity: int, name: str, windows: int) -> list[Value]:
        """For each of the windows side by side whether its tap lies within the image in a direction."""
        low, high, size = self.loops.span(quantity)
        if not self.loops.leaves(quantity):
            return [Const(1, 1)] * windows
        stride = self.geometry.window.stride[quantity - Y]
        place = Signal(range(low, high + 1), name=name, init=low)
        m.d.sync += place.eq(place + self.nest.move(m, self.fire, quantity, f"{name}_move"))
        inside = []
        for offset in range(0, windows * stride, stride):
            above = place >= -offset if low + offset < 0 else Const(1, 1)
            below = place < size - offset if high - (windows - 1) * stride + offset >= size else Const(1, 1)
            inside.append(above & below)
        return inside

    def _room(self, m: Module, written: Value, moves: Value) -> None:
        # Words held, counted from the base, less the buffer: negative while there is room.
        g = self.geometry
        lowest = lowest_fill(g)
        # Not negative at first where whole windows lie in the padding.
        first = -g.base(0, 0, 0) - self.buffer
        excess = Signal(range(lowest - self.buffer, max(first, 0) + 1), name="excess", init=first)
        move = self.nest.move(m, moves, BASE, "base_move", sign=-1)
        self.excess = excess
        m.d.comb += self.i.ready.eq(excess[-1])
        m.d.sync += excess.eq(_sum(excess, move, written))
        self.is_empty = excess == -self.buffer if lowest == 0 else excess <= -self.buffer

    def _arrival(self, m: Module, written: Value) -> None:
        # The number of the word that is read less that of words written: negative once it is there.
        g, layout = self.geometry, self.layout
        first = layout.column(0, g.pixels - 1) - g.window.padding[0] * g.columns
        if not self.nest.counters and first == 0:
            # Every firing reads the word of the base.
            m.d.comb += self.available.eq(~self.is_empty)
            return
        columns = self._columns_before()
        there = {}
        for before in sorted({0, *(d for row in columns for d in row)}):
            start = (first - before) * g.words
            low = min(-self.buffer, g.base(0, 0, 0)) - before * g.words
            bounds = range(low, g.least_buffer - lowest_fill(g) + 1)
            debt = Signal(bounds, name=f"debt_{before}", init=start)
            m.d.sync += debt.eq(_sum(debt, self.word_move, ~written))
            there[before] = debt[-1]
            self.debt = debt
        # Of the lanes inside the image the last one counts.
        lanes = range(g.pixels - len(columns), g.pixels)
        choices = [by_tap(m, self.tap, [there[d] for d in row], f"there_{v}") for v, row in zip(lanes, columns, strict=True)]
        arrived = choices[0]
        for v, choice in zip(lanes[1:], choices[1:], strict=True):
            arrived = Mux(self.inside[v], choice, arrived)
        is_padded = self.loops.leaves(X) or self.loops.leaves(Y)
        if not is_padded:
            m.d.comb += self.available.eq(arrived)
            return
        # Nothing fires before the first word of all is there: when a circuit came out of reset makes no difference.
        started = Signal()
        m.d.sync += started.eq(started | self.i.valid)
        m.d.comb += self.available.eq(started & (arrived | ~self.real.any()))

    def _columns_before(self) -> list[list[int]]:
        """How many columns of words the tap of a window lies before that of the last window: for each horizontal tap, of each lane that
        can be the last one inside the image."""
        g = self.geometry
        _, high, size = self.loops.span(X)
        lanes = range(0 if high >= size else g.pixels - 1, g.pixels)
        taps = range(g.window.kernel[1])
        return [[self.layout.column(k, g.pixels - 1) - self.layout.column(k, v) for k in taps] for v in lanes]

    # -- memory

    def _memory(self, m: Module, written: Value, real: list[Value]) -> None:
        layout = self.layout
        if self.geometry.pixels == 1:
            self.head = self._head(m, 0)
            data, self.tail = place_ring(m, layout, self.head, written, self.i.payload, real[0])
            m.d.comb += self.data.eq(data)
            return
        taps, pixels = range(self.geometry.window.kernel[1]), range(self.geometry.pixels)
        ahead = sorted({layout.slot(k, v) - layout.first_slot(k) for k in taps for v in pixels})
        heads = {d: self._head(m, d) for d in ahead}
        m.d.comb += self.data.eq(place_banks(m, layout, heads, self.tap, written, self.i.payload, real))

    def _head(self, m: Module, ahead: int) -> Signal:
        """Slot that is read, ``ahead`` columns right of the leftmost one of the tap."""
        g, layout = self.geometry, self.layout
        depth = layout.depth
        start = (layout.first_slot(0) + ahead) * g.words - g.window.padding[0] * layout.row
        if g.pixels == 1 and self.nest.counters and not depth & (depth - 1):
            # The same moves as those of the word, modulo a power of two.
            head = Signal(range(depth), name="head", init=start % depth)
            m.d.sync += head.eq(_sum(head, self.word_move, Const(1, 1)))
            return head
        move = self.nest.move(m, self.fire, SLOT, f"slot_move_{ahead}", modulus=depth)
        return ring_address(m, move, start, depth, f"head_{ahead}")


def lowest_fill(g: Geometry) -> int:
    """Least number of words written less the base of the window group, over all states: negative where the base runs ahead."""
    w = g.window
    y = _farthest(g.out_height, w.kernel[0], w.stride[0], w.padding[0], w.dilation[0], g.height)
    x = _farthest(g.out_width, w.kernel[1], w.stride[1], w.padding[1], w.dilation[1], g.width)
    groups = np.array([max(x[k : k + g.pixels]) for k in range(0, g.out_width, g.pixels)])
    needs = np.where((y[:, None] >= 0) & (groups >= 0), y[:, None] * g.row + groups // g.pixels * g.words + g.words, 0)
    bases = np.array([[g.base(0, oh, og) for og in range(g.out_groups)] for oh in range(g.out_height)])
    written = np.maximum.accumulate(np.concatenate([needs.ravel(), (needs + g.frame * (needs > 0)).ravel()]))
    after = np.concatenate([bases.ravel()[1:], (bases + g.frame).ravel(), [g.base(2, 0, 0)]])
    return int(min((written - after).min(), -g.base(0, 0, 0)))


def _farthest(windows: int, kernel: int, stride: int, before: int, dilation: int, size: int) -> np.ndarray:
    """Last tap inside the image of each window, -1 where there is none."""
    place = np.arange(windows)[:, None] * stride - before + np.arange(kernel) * dilation
    return np.where((place >= 0) & (place < size), place, -1).max(1)


def _all(bits: Iterable[Value]) -> Value:
    return reduce(and_, bits, Const(1, 1))


def _sum(a: Signal, b: Value, carry: Value) -> Value:
    """``a + b + carry`` in one carry chain."""
    shape = b.shape()
    wide = Cat(carry, b)
    return (Cat(Const(1, 1), a).as_signed() + (wide.as_signed() if shape.signed else wide))[1:]

"""Random dataflows, built from descriptors directly: every kind of unit, any sizes, forks and joins, ragged words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from hwq.network.ops import Window
from hwq.plan.blocks import blocks_between
from hwq.plan.dataflow import Dataflow
from hwq.plan.geometry import Geometry, ceil_div
from hwq.plan.moving_units import ArgMaxUnit, ConcatUnit, PadUnit, SplitUnit
from hwq.plan.units import (
    AxiIn,
    AxiOut,
    Converter,
    Depthwise,
    Edge,
    Elementwise,
    Fifo,
    Fork,
    Join,
    Mvu,
    Unit,
    UpsampleUnit,
)

# The token simulator never looks at what a stage computes.
NOTHING: Any = None
POINT = Window((1, 1))


class Builder:
    def __init__(self) -> None:
        self.units: list[Unit] = []
        self.edges: dict[str, Edge] = {}

    def edge(self, elements: int, channels: int, height: int = 1, width: int = 1, pixels: int = 1) -> Edge:
        e = Edge(f"e{len(self.edges)}", elements, 1, channels, height, width, pixels)
        self.edges[e.name] = e
        return e

    def like(self, e: Edge, **changes: int) -> Edge:
        twin = replace(e, name=f"e{len(self.edges)}", **changes)
        self.edges[twin.name] = twin
        return twin

    def name(self, kind: str) -> str:
        return f"{kind}{len(self.units)}"

    def source(self, channels: int, elements: int, depth: int = 2, height: int = 1, width: int = 1, pixels: int = 1) -> Edge:
        o = self.edge(elements, channels, height, width, pixels)
        name = self.name("in")
        self.units.append(AxiIn(name, (), (o.name,), name, 8, 1, depth))
        return o

    def sink(self, i: Edge, depth: int = 2) -> None:
        name = self.name("out")
        self.units.append(AxiOut(name, (i.name,), (), name, 8, 1, depth))

    def convert(self, i: Edge, elements: int, depth: int, pixels: int = 1) -> Edge:
        o = self.like(i, elements=elements, pixels=pixels)
        self.units.append(Converter(self.name("converter"), (i.name,), (o.name,), depth, *blocks_between(i, o)))
        return o

    def flatten(self, i: Edge, elements: int, depth: int) -> Edge:
        """In words of ``elements`` of the whole image: the last block of a frame may be shorter."""
        o = self.edge(elements, i.positions * i.channels)
        self.units.append(Converter(self.name("converter"), (i.name,), (o.name,), depth, *blocks_between(i, o)))
        return o

    def fifo(self, i: Edge, depth: int, memory: str = "lutram") -> Edge:
        o = self.like(i)
        self.units.append(Fifo(self.name("fifo"), (i.name,), (o.name,), depth, memory))
        return o

    def elementwise(self, i: Edge, depth: int, latency: int) -> Edge:
        o = self.like(i)
        self.units.append(Elementwise(self.name("elementwise"), (i.name,), (o.name,), NOTHING, NOTHING, i.channels, depth, latency))
        return o

    def argmax(self, i: Edge, depth: int, latency: int) -> Edge:
        o = self.like(i, elements=1, channels=1)
        words = i.words_per_pixel
        self.units.append(ArgMaxUnit(self.name("argmax"), (i.name,), (o.name,), NOTHING, NOTHING, i.channels, words, depth, latency))
        return o

    def mvu(self, i: Edge, mh: int, pe: int, buffer: int, depth: int, latency: int, window: Window = POINT, groups: int = 1) -> Edge:
        """``buffer`` words beyond the least."""
        passes = ceil_div(mh, pe)
        geometry = Geometry(i.height, i.width, i.words_per_pixel, window, i.pixels, groups, passes)
        o = self.edge(pe, pe * passes * groups, geometry.out_height, geometry.out_width, i.pixels)
        name, least = self.name("mvu"), geometry.least_buffer
        unit = Mvu(name, (i.name,), (o.name,), NOTHING, NOTHING, geometry, least + buffer, depth, latency, i.channels, mh)
        self.units.append(unit)
        return o

    def depthwise(self, i: Edge, window: Window, buffer: int, depth: int, latency: int) -> Edge:
        words = i.words_per_pixel
        geometry = Geometry(i.height, i.width, words, window, i.pixels, words)
        o = self.like(i, height=geometry.out_height, width=geometry.out_width)
        name, least = self.name("depthwise"), geometry.least_buffer
        self.units.append(Depthwise(name, (i.name,), (o.name,), NOTHING, NOTHING, geometry, least + buffer, depth, latency, 1))
        return o

    def join(self, inputs: list[Edge], depth: int, latency: int) -> Edge:
        o = self.like(inputs[0])
        names = tuple(i.name for i in inputs)
        self.units.append(Join(self.name("join"), names, (o.name,), NOTHING, NOTHING, o.channels, depth, latency))
        return o

    def concat(self, inputs: list[Edge], depth: int) -> Edge:
        """Serial where any input has several words a pixel."""
        words = tuple(i.words_per_pixel for i in inputs)
        is_wide = max(words) == 1
        elements = max(i.elements for i in inputs)
        channels = sum(words) * elements
        o = self.like(inputs[0], channels=channels, elements=channels if is_wide else elements)
        names = tuple(i.name for i in inputs)
        self.units.append(ConcatUnit(self.name("concat"), names, (o.name,), NOTHING, NOTHING, words, is_wide, depth))
        return o

    def split(self, i: Edge, words: tuple[int, ...], drops: set[int], depth: int, is_wide: bool = False) -> list[Edge]:
        outs: list[Edge] = []
        kept = []
        for k, n in enumerate(words):
            kept.append(-1 if k in drops else len(outs))
            if k not in drops:
                outs.append(self.like(i, channels=n * i.elements))
        names = tuple(o.name for o in outs)
        self.units.append(SplitUnit(self.name("split"), (i.name,), names, NOTHING, NOTHING, words, tuple(kept), is_wide, depth))
        return outs

    def upsample(self, i: Edge, factor: tuple[int, int], buffer: int, depth: int, latency: int) -> Edge:
        """``buffer`` words beyond the least."""
        o = self.like(i, height=i.height * factor[0], width=i.width * factor[1])
        words = i.words_per_pixel
        least = i.width * words if factor[0] > 1 else words
        sizes = (i.height, i.width, words, factor, least + buffer, depth, latency)
        self.units.append(UpsampleUnit(self.name("upsample"), (i.name,), (o.name,), NOTHING, NOTHING, *sizes))
        return o

    def pad(self, i: Edge, padding: tuple[int, int, int, int], depth: int) -> Edge:
        top, left, bottom, right = padding
        o = self.like(i, height=i.height + top + bottom, width=i.width + left + right)
        sizes = (i.height, i.width, i.words_per_pixel, padding, depth)
        self.units.append(PadUnit(self.name("pad"), (i.name,), (o.name,), NOTHING, NOTHING, *sizes))
        return o

    def fork(self, i: Edge, branches: int) -> list[Edge]:
        outs = [self.like(i) for _ in range(branches)]
        self.units.append(Fork(self.name("fork"), (i.name,), tuple(o.name for o in outs)))
        return outs

    def dataflow(self) -> Dataflow:
        return Dataflow(tuple(self.units), self.edges)


SMALL, SIDE, DEPTH, LATENCY, EXTRA = st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.integers(0, 6), st.integers(0, 9)
CHAIN = ["mvu", "window", "window", "depthwise", "convert", "fifo", "deep", "elementwise", "argmax", "flatten", "upsample", "pad"]
KEEPING = ["same", "fifo", "deep", "elementwise", "there and back"]


@st.composite
def windows(draw: st.DrawFn, e: Edge) -> Window:
    """A window that fits the image; never more padding than its reach."""
    kernel, dilation = (draw(SMALL), draw(SMALL)), (draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    reach = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    top, bottom = (draw(st.integers(0, reach[0])) for _ in range(2))
    left, right = (draw(st.integers(0, reach[1])) for _ in range(2))
    if e.height + top + bottom <= reach[0]:
        top = bottom = reach[0]
    if e.width + left + right <= reach[1]:
        left = right = reach[1]
    window = Window(kernel, (draw(SMALL), draw(SMALL)), (top, left, bottom, right), dilation)
    # Windows that see nothing but padding would run without any input.
    assume(window.valid_rows(e.height).any() and window.valid_columns(e.width).any())
    # Nor is more padding than the window can hold built.
    assume(Geometry(e.height, e.width, e.words_per_pixel, window, e.pixels).moves_forward)
    return window


def same_window(draw: st.DrawFn) -> Window:
    """A window whose output has the size of its input."""
    kernel = (draw(st.sampled_from([1, 3])), draw(st.sampled_from([1, 3])))
    dilation = (draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    y, x = (d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True))
    return Window(kernel, (1, 1), (y, x, y, x), dilation)


def keep_shape(draw: st.DrawFn, b: Builder, e: Edge) -> Edge:
    """Something that leaves the words of a frame as they are."""
    kind = draw(st.sampled_from(KEEPING))
    if kind == "same":
        window, words = same_window(draw), e.words_per_pixel
        if draw(st.booleans()):
            return b.depthwise(e, window, draw(EXTRA), draw(DEPTH), draw(LATENCY))
        return replace(b.mvu(e, words, 1, draw(EXTRA), draw(DEPTH), draw(LATENCY), window), channels=e.channels, elements=e.elements)
    if kind == "there and back" and e.width % e.pixels == 0:
        there = b.convert(e, draw(st.integers(1, e.channels)), draw(DEPTH), e.pixels)
        return b.convert(there, e.elements, draw(DEPTH), e.pixels)
    if kind == "elementwise":
        return b.elementwise(e, draw(DEPTH), draw(LATENCY))
    return b.fifo(e, draw(st.integers(1, 12)), "block" if kind == "deep" else "lutram")


def link(draw: st.DrawFn, b: Builder, e: Edge) -> Edge:
    """One unit behind another."""
    kind = draw(st.sampled_from(CHAIN))
    if kind == "mvu":
        mh = draw(st.integers(1, 6))
        return b.mvu(e, mh, draw(st.integers(1, mh)), draw(EXTRA), draw(DEPTH), draw(LATENCY))
    if kind == "window":
        words = e.words_per_pixel
        groups = draw(st.sampled_from([g for g in range(1, words + 1) if words % g == 0]))
        return b.mvu(e, draw(SMALL), 1, draw(EXTRA), draw(DEPTH), draw(LATENCY), draw(windows(e)), groups)
    if kind == "depthwise":
        return b.depthwise(e, draw(windows(e)), draw(EXTRA), draw(DEPTH), draw(LATENCY))
    if kind == "convert":
        pixels = draw(
            st.sampled_from([v for v in (1, 2, 3) if e.width % v == 0 and e.width % e.pixels == 0])
            if e.width % e.pixels == 0
            else st.just(0)
        )
        return (
            b.convert(e, draw(st.integers(1, e.channels)), draw(DEPTH), pixels) if pixels and e.width % _lcm(pixels, e.pixels) == 0 else e
        )
    if kind == "flatten" and e.pixels == 1 and e.elements in (1, e.channels):
        return b.flatten(e, draw(st.integers(1, e.positions * e.channels)), draw(DEPTH))
    if kind == "upsample" and e.pixels == 1 and e.words < 40:
        return b.upsample(e, (draw(SMALL), draw(SMALL)), draw(EXTRA), draw(DEPTH), draw(LATENCY))
    if kind == "pad" and e.pixels == 1:
        top, left, bottom, right = (draw(st.integers(0, 2)) for _ in range(4))
        return b.pad(e, (top, left, bottom, right), draw(DEPTH))
    if kind == "argmax":
        return b.argmax(e, draw(DEPTH), draw(LATENCY))
    return keep_shape(draw, b, e)


def _lcm(a: int, b: int) -> int:
    return a * b if {a, b} == {2, 3} else max(a, b)


def together(draw: st.DrawFn, b: Builder, e: Edge, is_queued: bool) -> Edge:
    """Branches that meet again: a residual, an inception, a split and its parts in a row."""
    kind = draw(st.sampled_from(["add", "add", "concat", "split"]))
    if kind == "split" and e.words_per_pixel > 1:
        first = draw(st.integers(1, e.words_per_pixel - 1))
        branches = b.split(e, (first, e.words_per_pixel - first), set(), draw(DEPTH))
    elif kind == "split":
        branches = b.split(e, (1, 1), draw(st.sampled_from([set(), {0}, {1}])), draw(DEPTH), is_wide=True)
    else:
        branches = fork(draw, b, e, is_queued)
    ends = []
    for branch in branches:
        for _ in range(draw(st.integers(0, 2))):
            branch = keep_shape(draw, b, branch)
        if kind == "concat" and draw(st.booleans()):
            branch = b.mvu(branch, draw(SMALL), 1, draw(EXTRA), draw(DEPTH), draw(LATENCY))
        ends.append(branch)
    if kind == "add":
        return b.join(ends, draw(DEPTH), draw(LATENCY))
    return b.concat(ends, draw(DEPTH)) if len(ends) > 1 else ends[0]


def fork(draw: st.DrawFn, b: Builder, e: Edge, is_queued: bool) -> list[Edge]:
    branches = b.fork(e, draw(st.integers(2, 3)))
    return [b.fifo(branch, draw(DEPTH)) for branch in branches] if is_queued else branches


@st.composite
def dataflows(draw: st.DrawFn, *, is_queued: bool = False) -> Dataflow:
    """One or two inputs, a few units a branch, branches that meet again and others that do not. May deadlock.

    ``is_queued``: with a FIFO behind every branch of a fork; without, branches hold each other up whatever the depths are.
    """
    b = Builder()
    forks = 0
    for _ in range(draw(st.integers(1, 2))):
        channels, height, width = draw(SIDE), draw(SIDE), draw(SIDE)
        pixels = draw(st.sampled_from([v for v in (1, 1, 2, 3) if width % v == 0]))
        shape = (draw(st.integers(1, channels)), draw(SMALL), height, width, pixels)
        waiting = [b.source(channels, *shape)]
        if draw(st.integers(0, 5)) == 0:
            waiting = [b.join([*waiting, b.source(channels, *shape)], draw(DEPTH), draw(LATENCY))]
        while waiting:
            e = waiting.pop()
            for _ in range(draw(st.integers(0, 3))):
                e = together(draw, b, e, is_queued) if draw(st.integers(0, 3)) == 0 else link(draw, b, e)
            if forks < 2 and draw(st.booleans()):
                forks += 1
                waiting += fork(draw, b, e, is_queued)
            else:
                b.sink(e, draw(SMALL))
    return b.dataflow()


def traces(ports: list[str]) -> st.SearchStrategy[dict[str, list[bool]]]:
    """Stall traces for some of ``ports``, each with at least one cycle that lets a beat through."""
    trace = st.lists(st.booleans(), min_size=1, max_size=24).filter(any)
    return st.dictionaries(st.sampled_from(ports), trace, max_size=len(ports))

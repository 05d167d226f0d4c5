"""Random dataflows, built from descriptors directly: every kind of unit, any sizes, forks, ragged words."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from hwq.network.ops import Window
from hwq.plan.dataflow import (
    ArgMaxUnit,
    AxiIn,
    AxiOut,
    Converter,
    Dataflow,
    Edge,
    Elementwise,
    Fifo,
    Fork,
    Mvu,
    Unit,
    blocks_between,
    ceil_div,
)
from hwq.plan.geometry import Geometry

# The token simulator never looks at what a stage computes.
NOTHING: Any = None


class Builder:
    def __init__(self) -> None:
        self.units: list[Unit] = []
        self.edges: dict[str, Edge] = {}

    def edge(self, elements: int, channels: int) -> Edge:
        e = Edge(f"e{len(self.edges)}", elements, 1, channels)
        self.edges[e.name] = e
        return e

    def name(self, kind: str) -> str:
        return f"{kind}{len(self.units)}"

    def source(self, channels: int, elements: int, depth: int = 2) -> Edge:
        o = self.edge(elements, channels)
        name = self.name("in")
        self.units.append(AxiIn(name, (), (o.name,), name, 8, 1, depth))
        return o

    def sink(self, i: Edge, depth: int = 2) -> None:
        name = self.name("out")
        self.units.append(AxiOut(name, (i.name,), (), name, 8, 1, depth))

    def convert(self, i: Edge, elements: int, depth: int) -> Edge:
        o = self.edge(elements, i.channels)
        self.units.append(Converter(self.name("converter"), (i.name,), (o.name,), depth, *blocks_between(i, o)))
        return o

    def fifo(self, i: Edge, depth: int) -> Edge:
        o = self.edge(i.elements, i.channels)
        self.units.append(Fifo(self.name("fifo"), (i.name,), (o.name,), depth))
        return o

    def elementwise(self, i: Edge, depth: int, latency: int) -> Edge:
        o = self.edge(i.elements, i.channels)
        self.units.append(Elementwise(self.name("elementwise"), (i.name,), (o.name,), NOTHING, NOTHING, i.channels, depth, latency))
        return o

    def argmax(self, i: Edge, depth: int, latency: int) -> Edge:
        o = self.edge(1, 1)
        self.units.append(ArgMaxUnit(self.name("argmax"), (i.name,), (o.name,), NOTHING, NOTHING, i.channels, i.words, depth, latency))
        return o

    def mvu(self, i: Edge, mh: int, pe: int, buffer: int, depth: int, latency: int) -> Edge:
        o = self.edge(pe, mh)
        name, nf = self.name("mvu"), ceil_div(mh, pe)
        geometry = Geometry(1, 1, i.words, Window((1, 1)), passes=nf)
        self.units.append(
            Mvu(
                name,
                (i.name,),
                (o.name,),
                NOTHING,
                NOTHING,
                Geometry(1, 1, i.words, Window((1, 1)), passes=nf),
                i.words + buffer,
                depth,
                latency,
                i.channels,
                mh,
            )
        )
        return o

    def fork(self, i: Edge, branches: int) -> list[Edge]:
        outs = [self.edge(i.elements, i.channels) for _ in range(branches)]
        self.units.append(Fork(self.name("fork"), (i.name,), tuple(o.name for o in outs)))
        return outs

    def dataflow(self) -> Dataflow:
        return Dataflow(tuple(self.units), self.edges)


@st.composite
def dataflows(draw: st.DrawFn) -> Dataflow:
    """One or two inputs, up to four units a branch, forks into two or three branches."""
    b = Builder()
    size, depth, latency = st.integers(1, 9), st.integers(1, 5), st.integers(0, 6)
    forks = 0
    for _ in range(draw(st.integers(1, 2))):
        channels = draw(size)
        waiting = [b.source(channels, draw(st.integers(1, channels)), draw(st.integers(1, 3)))]
        while waiting:
            e = waiting.pop()
            for _ in range(draw(st.integers(0, 3))):
                kind = draw(st.sampled_from(["mvu", "mvu", "convert", "fifo", "elementwise", "argmax"]))
                if kind == "mvu":
                    mh = draw(size)
                    e = b.mvu(e, mh, draw(st.integers(1, mh)), draw(st.integers(0, 9)), draw(depth), draw(latency))
                elif kind == "convert":
                    e = b.convert(e, draw(st.integers(1, e.channels)), draw(depth))
                elif kind == "fifo":
                    e = b.fifo(e, draw(depth))
                elif kind == "elementwise":
                    e = b.elementwise(e, draw(depth), draw(latency))
                else:
                    e = b.argmax(e, draw(depth), draw(latency))
            if forks < 2 and draw(st.booleans()):
                forks += 1
                waiting += b.fork(e, draw(st.integers(2, 3)))
            else:
                b.sink(e, draw(st.integers(1, 3)))
    return b.dataflow()


def traces(ports: list[str]) -> st.SearchStrategy[dict[str, list[bool]]]:
    """Stall traces for some of ``ports``, each with at least one cycle that lets a beat through."""
    trace = st.lists(st.booleans(), min_size=1, max_size=24).filter(any)
    return st.dictionaries(st.sampled_from(ports), trace, max_size=len(ports))

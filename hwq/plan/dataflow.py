"""Network x Plan -> dataflow: every stream component of the design with all its sizes, and the edges between them.

This is the one place that decides which components exist. The token simulator and the gateware both build from it,
one engine or component per descriptor (units.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hwq.errors import InputError
from hwq.network.graph import Network
from hwq.network.ops import Conv, Pad, Pool, Split, TopK, Upsample
from hwq.plan.blocks import blocks_between, frame_of, is_contiguous, is_flat
from hwq.plan.geometry import Geometry, ceil_div
from hwq.plan.latency import (
    argmax_latency,
    depthwise_latency,
    elementwise_latency,
    join_latency,
    mvu_latency,
    pool_latency,
    topk_latency,
    upsample_latency,
)
from hwq.plan.plan import Plan, StagePlan
from hwq.plan.slide import Slide
from hwq.plan.stages import Stage, stages_of
from hwq.plan.units import (
    ArgMaxUnit,
    AxiIn,
    AxiOut,
    ConcatUnit,
    Converter,
    Depthwise,
    Edge,
    Elementwise,
    Fifo,
    Fork,
    Join,
    Mvu,
    PadUnit,
    PoolUnit,
    SplitUnit,
    TopKUnit,
    Unit,
    UnrolledConv,
    UnrolledDense,
    UpsampleUnit,
    memory_kind,
    pitch_of,
)
from hwq.plan.unrolled import form_of, unrolled_latency

__all__ = ["Dataflow", "dataflow_of"]

# Stages with a buffer of their own on the input: no FIFO needed between a fork and them.
BUFFERED = ("mvu", "depthwise", "pool", "upsample")


@dataclass(frozen=True)
class Dataflow:
    """All components in topological order and all edges by name."""

    units: tuple[Unit, ...]
    edges: dict[str, Edge] = field(default_factory=dict)

    def producer(self, edge: str) -> Unit:
        """The unit that writes ``edge``."""
        return next(u for u in self.units if edge in u.outputs)

    def consumer(self, edge: str) -> Unit:
        """The unit that reads ``edge``."""
        return next(u for u in self.units if edge in u.inputs)


class _Builder:
    def __init__(self, network: Network, plan: Plan) -> None:
        self.network, self.plan = network, plan
        self.units: list[Unit] = []
        self.edges: dict[str, Edge] = {}
        self.fifos = {f.name: f for f in plan.fifos}
        self.buses = {s.name: s.bus_bits for s in plan.streams}
        self.waiting: dict[str, list[str]] = {}  # tensor -> edges not yet read, one a reader
        self.stages = stages_of(network)
        # A layer may be called "fc.converter": components of our own make way for it.
        self.names = {s.name for s in self.stages}

    def build(self) -> Dataflow:
        for i in self.network.inputs:
            t = self.network.tensors[i.name]
            pitch, bus = pitch_of(t.encoding.bits), self.buses[i.name]
            h, w, c = t.shape
            edge = Edge(f"{i.name}.axi", bus // pitch, t.encoding.bits, h * w * c)
            self.add(AxiIn(self.name(f"{i.name}.axi_in"), (), (edge.name,), i.name, bus, pitch), edge)
            self.publish(i.name, edge)
        for stage in self.stages:
            made = self.add_stage(stage)
            for target, edge in made.items():
                self.publish(target, edge)
        for name in self.network.outputs:
            t = self.network.tensors[name]
            pitch, bus = pitch_of(t.encoding.bits), self.buses[name]
            h, w, c = t.shape
            port = self.name(f"{name}.axi_out")
            edge = self.read(name, port, Edge(f"{port}.in", bus // pitch, t.encoding.bits, h * w * c))
            self.add(AxiOut(port, (edge.name,), (), name, bus, pitch))
        return Dataflow(tuple(self.units), self.edges)

    def name(self, wanted: str) -> str:
        """``wanted``, changed where a stage or another component has that name."""
        while wanted in self.names:
            wanted += "~"
        self.names.add(wanted)
        return wanted

    def add(self, unit: Unit, *edges: Edge) -> None:
        self.units.append(unit)
        self.edges.update({e.name: e for e in edges})

    # -- between stages

    def publish(self, tensor: str, edge: Edge) -> None:
        """Make ``edge`` readable by every reader of ``tensor``: a fork when there are several."""
        readers = self.readers(tensor)
        if not readers:
            raise InputError("NETWORK-UNUSED", "nothing reads this tensor", where=tensor, hint="Remove it, or make it an output")
        if len(readers) == 1:
            self.waiting[tensor] = [edge.name]
            return
        branches = [replace(edge, name=f"{tensor}.branch{k}") for k in range(len(readers))]
        self.add(Fork(self.name(f"{tensor}.fork"), (edge.name,), tuple(b.name for b in branches)), *branches)
        self.waiting[tensor] = [
            b.name if is_buffered else self.fifo(f"{b.name}.fifo", b, b).name for b, is_buffered in zip(branches, readers, strict=True)
        ]

    def readers(self, tensor: str) -> list[bool]:
        """Whether each of those that read ``tensor`` has a buffer of its own, in the order in which they are built; graph outputs last."""
        found = [self.is_buffered(stage) for stage in self.stages for source in stage.sources if source == tensor]
        return found + [False] * self.network.outputs.count(tensor)

    def is_buffered(self, stage: Stage) -> bool:
        """Whether ``stage`` has a buffer on its input."""
        op = stage.node.op
        gathers = isinstance(op, Conv) and self.plan.stage(stage.name).style == "unrolled" and self.slide(stage).is_gathered
        return stage.kind in BUFFERED and not gathers

    def fifo(self, name: str, source: Edge, shape: Edge) -> Edge:
        """A FIFO behind ``source``; its words are read as those of ``shape``."""
        name = self.name(name)
        behind = replace(shape, name=name)
        plan = self.fifos.get(name)
        depth = plan.depth if plan else 2
        self.add(Fifo(name, (source.name,), (name,), depth, memory_kind(plan.memory if plan else "auto", depth)), behind)
        return behind

    def read(self, tensor: str, reader: str, wanted: Edge) -> Edge:
        """An edge of ``tensor`` in words as ``wanted``, through converters when the writer's words differ."""
        edge = self.edges[self.waiting[tensor].pop(0)]
        return self.converted(edge, reader, wanted)

    def converted(self, edge: Edge, reader: str, wanted: Edge) -> Edge:
        flat = is_flat(edge) or is_flat(wanted)
        if flat and frame_of(edge) == frame_of(wanted):
            # One pixel on both sides: the reader adds or drops lanes that carry nothing where a word holds all channels.
            if edge.elements == wanted.elements or edge.channels <= min(edge.elements, wanted.elements):
                return edge
            return self.converter(edge, reader, wanted)
        if not flat:
            same = (edge.elements, edge.pixels) == (wanted.elements, wanted.pixels)
            return edge if same else self.converter(edge, reader, wanted)
        if is_contiguous(edge) and is_contiguous(wanted):
            if edge.lanes == wanted.lanes and edge.words == wanted.words:
                return self.fifo(f"{reader}.reframe", edge, wanted)
            return self.converter(edge, reader, wanted)
        # Through words of whole pixels, which both sides can meet.
        image = wanted if is_flat(edge) else edge
        whole = replace(image, name=f"{reader}.pixels", elements=image.channels)
        return self.converted(self.converted(edge, f"{reader}.pixels", whole), reader, wanted)

    def converter(self, edge: Edge, reader: str, wanted: Edge) -> Edge:
        name = self.name(f"{reader}.converter")
        out = replace(wanted, name=f"{name}.out")
        plan = self.fifos.get(name)
        self.add(Converter(name, (edge.name,), (out.name,), plan.depth if plan else 2, *blocks_between(edge, wanted)), out)
        return out

    # -- stages

    def add_stage(self, stage: Stage) -> dict[str, Edge]:
        """Add the stage; the edge of every target that is kept."""
        p = self.plan.stage(stage.name)
        if stage.kind == "split":
            return self.split(stage, p)
        if p.style == "unrolled":
            return {stage.target: self.unrolled(stage, p)}
        build: dict[str, Callable[[Stage, StagePlan], Edge]] = {
            "mvu": self.mvu,
            "depthwise": self.depthwise,
            "pool": self.pool,
            "elementwise": self.elementwise,
            "add": self.join,
            "mul": self.join,
            "concat": self.concat,
            "upsample": self.upsample,
            "pad": self.pad,
            "flatten": self.flatten,
            "argmax": self.argmax,
            "topk": self.topk,
        }
        return {stage.target: build[stage.kind](stage, p)}

    def edge(self, name: str, tensor: str, elements: int, pixels: int = 1) -> Edge:
        """An edge for ``tensor`` in words of ``pixels`` x ``elements``."""
        t = self.network.tensors[tensor]
        h, w, c = t.shape
        return Edge(name, elements, t.encoding.bits, c, h, w, pixels)

    def input(self, stage: Stage, elements: int, pixels: int = 1, place: int = 0) -> Edge:
        """The edge on which ``stage`` reads its input ``place``."""
        port = stage.name if place == 0 else f"{stage.name}.{place}"
        return self.read(stage.sources[place], port, self.edge(f"{port}.in", stage.sources[place], elements, pixels))

    def output(self, stage: Stage, elements: int, pixels: int = 1) -> Edge:
        return self.edge(f"{stage.name}.out", stage.target, elements, pixels)

    def mvu(self, stage: Stage, p: StagePlan) -> Edge:
        op = stage.node.op
        assert isinstance(op, Conv)
        i, o = self.input(stage, p.simd, p.pixels), self.output(stage, p.pe, p.pixels)
        words = op.groups * ceil_div(op.weights.shape[3], p.simd)
        passes = ceil_div(op.mh // op.groups, p.pe)
        h, w, _ = self.network.tensors[stage.source].shape
        g = self.checked(stage, Geometry(h, w, words, op.window, p.pixels, op.groups, passes))
        latency = mvu_latency(self.network, stage, p, g)
        self.add(Mvu(stage.name, (i.name,), (o.name,), stage, p, g, p.buffer, p.depth, latency, op.mw, op.mh), o)
        return o

    def slide(self, stage: Stage) -> Slide:
        """The geometry of an unrolled contraction."""
        op, p = stage.node.op, self.plan.stage(stage.name)
        assert isinstance(op, Conv)
        h, w, c = self.network.tensors[stage.source].shape
        return Slide(h, w, ceil_div(c, p.simd) if stage.kind == "mvu" else 1, op.window)

    def unrolled(self, stage: Stage, p: StagePlan) -> Edge:
        op = stage.node.op
        assert isinstance(op, Conv)
        channels = self.network.tensors[stage.source].shape[2]
        i, o = self.input(stage, p.simd if stage.kind == "mvu" else channels), self.output(stage, op.mh)
        g = self.slide(stage)
        self.checked(stage, g)
        latency = unrolled_latency(form_of(self.network, stage), g.is_gathered, dict(self.plan.circuits).get(stage.name))
        if g.is_gathered:
            self.add(UnrolledDense(stage.name, (i.name,), (o.name,), stage, p, g.words, p.depth, latency), o)
        else:
            self.add(UnrolledConv(stage.name, (i.name,), (o.name,), stage, p, g, p.buffer, p.depth, latency), o)
        return o

    def checked(self, stage: Stage, g: Geometry) -> Geometry:
        if not g.moves_forward:
            raise InputError("OP-PADDING", f"padding of {g.window.padding} is more than its window can hold", where=stage.name)
        return g

    def depthwise(self, stage: Stage, p: StagePlan) -> Edge:
        op = stage.node.op
        assert isinstance(op, Conv)
        multiplier = op.mh // op.groups
        lanes = p.pe // multiplier
        i, o = self.input(stage, lanes, p.pixels), self.output(stage, p.pe, p.pixels)
        h, w, c = self.network.tensors[stage.source].shape
        words = ceil_div(c, lanes)
        g = self.checked(stage, Geometry(h, w, words, op.window, p.pixels, words))
        latency = depthwise_latency(self.network, stage, p, g)
        self.add(Depthwise(stage.name, (i.name,), (o.name,), stage, p, g, p.buffer, p.depth, latency, multiplier), o)
        return o

    def pool(self, stage: Stage, p: StagePlan) -> Edge:
        op = stage.node.op
        assert isinstance(op, Pool)
        i, o = self.input(stage, p.pe, p.pixels), self.output(stage, p.pe, p.pixels)
        h, w, c = self.network.tensors[stage.source].shape
        words = ceil_div(c, p.pe)
        g = self.checked(stage, Geometry(h, w, words, op.window, p.pixels, words))
        latency = pool_latency(self.network, stage, p, g)
        self.add(PoolUnit(stage.name, (i.name,), (o.name,), stage, p, g, p.buffer, p.depth, latency), o)
        return o

    def elementwise(self, stage: Stage, p: StagePlan) -> Edge:
        i, o = self.input(stage, p.pe, p.pixels), self.output(stage, p.pe, p.pixels)
        latency = elementwise_latency(self.network, stage, p)
        self.add(Elementwise(stage.name, (i.name,), (o.name,), stage, p, o.channels, p.depth, latency), o)
        return o

    def join(self, stage: Stage, p: StagePlan) -> Edge:
        inputs = [self.input(stage, p.pe, p.pixels, k) for k in range(len(stage.sources))]
        o = self.output(stage, p.pe, p.pixels)
        latency = join_latency(self.network, stage, p)
        self.add(Join(stage.name, tuple(i.name for i in inputs), (o.name,), stage, p, o.channels, p.depth, latency), o)
        return o

    def concat(self, stage: Stage, p: StagePlan) -> Edge:
        sizes = [self.network.tensors[s].shape[2] for s in stage.sources]
        is_wide = p.pe == sum(sizes)
        inputs = [self.input(stage, size if is_wide else p.pe, p.pixels, k) for k, size in enumerate(sizes)]
        o = self.output(stage, p.pe, p.pixels)
        words = tuple(1 if is_wide else size // p.pe for size in sizes)
        self.add(ConcatUnit(stage.name, tuple(i.name for i in inputs), (o.name,), stage, p, words, is_wide, p.depth), o)
        return o

    def split(self, stage: Stage, p: StagePlan) -> dict[str, Edge]:
        op = stage.node.op
        assert isinstance(op, Split)
        is_wide = p.pe == sum(op.sizes)
        i = self.input(stage, p.pe, p.pixels)
        made: dict[str, Edge] = {}
        kept = []
        for k, (target, size) in enumerate(zip(stage.targets, op.sizes, strict=True)):
            kept.append(len(made) if target else -1)
            if target:
                made[target] = self.edge(f"{stage.name}.out{k}", target, size if is_wide else p.pe, p.pixels)
        words = tuple(1 if is_wide else size // p.pe for size in op.sizes)
        names = tuple(e.name for e in made.values())
        self.add(SplitUnit(stage.name, (i.name,), names, stage, p, words, tuple(kept), is_wide, p.depth), *made.values())
        return made

    def upsample(self, stage: Stage, p: StagePlan) -> Edge:
        op = stage.node.op
        assert isinstance(op, Upsample)
        i, o = self.input(stage, p.pe), self.output(stage, p.pe)
        latency = upsample_latency(self.network, stage, p)
        unit = UpsampleUnit(
            stage.name, (i.name,), (o.name,), stage, p, i.height, i.width, o.words_per_pixel, op.factor, p.buffer, p.depth, latency
        )
        self.add(unit, o)
        return o

    def pad(self, stage: Stage, p: StagePlan) -> Edge:
        op = stage.node.op
        assert isinstance(op, Pad)
        h, w, _ = self.network.tensors[stage.source].shape
        i, o = self.input(stage, p.pe), self.output(stage, p.pe)
        self.add(PadUnit(stage.name, (i.name,), (o.name,), stage, p, h, w, o.words_per_pixel, op.padding, p.depth), o)
        return o

    def flatten(self, stage: Stage, p: StagePlan) -> Edge:
        # No component of its own: a converter, or a FIFO that renames the words.
        wanted = self.edge(f"{stage.name}.in", stage.target, p.pe)
        return self.read(stage.source, stage.name, wanted)

    def argmax(self, stage: Stage, p: StagePlan) -> Edge:
        i, o = self.input(stage, p.pe), self.output(stage, 1)
        latency = argmax_latency(self.network, stage, p)
        c = self.network.tensors[stage.source].shape[2]
        self.add(ArgMaxUnit(stage.name, (i.name,), (o.name,), stage, p, c, ceil_div(c, p.pe), p.depth, latency), o)
        return o

    def topk(self, stage: Stage, p: StagePlan) -> Edge:
        op = stage.node.op
        assert isinstance(op, TopK)
        i, o = self.input(stage, p.pe), self.output(stage, op.k)
        latency = topk_latency(self.network, stage, p)
        c = self.network.tensors[stage.source].shape[2]
        self.add(TopKUnit(stage.name, (i.name,), (o.name,), stage, p, c, ceil_div(c, p.pe), op.k, p.depth, latency), o)
        return o


def dataflow_of(network: Network, plan: Plan) -> Dataflow:
    """The components and edges that ``plan`` asks for; raises :class:`InputError` when a stage cannot be built."""
    return _Builder(network, plan).build()

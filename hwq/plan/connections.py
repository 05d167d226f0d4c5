"""What joins the stages of a dataflow: names, forks, FIFOs, width converters, and the edges on which every stage reads and writes."""

from __future__ import annotations

from dataclasses import replace

from hwq.errors import InputError
from hwq.network.graph import Network
from hwq.network.ops import Conv
from hwq.plan.blocks import blocks_between, frame_of, is_contiguous, is_flat
from hwq.plan.geometry import ceil_div
from hwq.plan.plan import Plan
from hwq.plan.slide import Slide
from hwq.plan.stages import Stage, stages_of
from hwq.plan.units import Converter, Edge, Fifo, Fork, Unit, memory_kind

__all__ = ["BUFFERED", "Connections"]

# Stages with a buffer of their own on the input: no FIFO needed between a fork and them.
BUFFERED = ("mvu", "depthwise", "pool", "upsample")


class Connections:
    """Components and edges of a dataflow under construction, front to back; every tensor is read as often as it was published for."""

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

    def name(self, wanted: str) -> str:
        """``wanted``, changed where a stage or another component has that name."""
        while wanted in self.names:
            wanted += "~"
        self.names.add(wanted)
        return wanted

    def add(self, unit: Unit, *edges: Edge) -> None:
        self.units.append(unit)
        self.edges.update({e.name: e for e in edges})

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

    def slide(self, stage: Stage) -> Slide:
        """The geometry of an unrolled contraction."""
        op, p = stage.node.op, self.plan.stage(stage.name)
        assert isinstance(op, Conv)
        h, w, c = self.network.tensors[stage.source].shape
        return Slide(h, w, ceil_div(c, p.simd) if stage.kind == "mvu" else 1, op.window)

    # -- edges of a stage

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

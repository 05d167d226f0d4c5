"""Network x Plan -> dataflow: every stream component of the design with all its sizes, and the edges between them.

This is the one place that decides which components exist. The token simulator and the gateware both build from it,
one engine or component per descriptor (units.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hwq.errors import InputError
from hwq.network.graph import Network
from hwq.network.ops import Conv, Pad, Pool, Split, TopK, Upsample
from hwq.plan.connections import Connections
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
from hwq.plan.moving_units import ArgMaxUnit, ConcatUnit, PadUnit, SplitUnit, TopKUnit
from hwq.plan.plan import Plan, StagePlan
from hwq.plan.stages import Stage
from hwq.plan.units import (
    AxiIn,
    AxiOut,
    Depthwise,
    Edge,
    Elementwise,
    Join,
    Mvu,
    PoolUnit,
    Unit,
    UnrolledConv,
    UnrolledDense,
    UpsampleUnit,
    pitch_of,
)
from hwq.plan.unrolled import form_of, unrolled_latency

__all__ = ["Dataflow", "dataflow_of"]


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


class _Builder(Connections):
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

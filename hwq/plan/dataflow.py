"""Network x Plan -> dataflow: every stream component of the design with all its sizes, and the edges between them.

This is the one place that decides which components exist. The token simulator and the gateware both build from it,
one engine or component per descriptor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hwq.errors import InputError
from hwq.network.graph import Network, TensorInfo
from hwq.network.ops import Conv
from hwq.plan.latency import argmax_latency, elementwise_latency, mvu_latency
from hwq.plan.plan import Plan, StagePlan
from hwq.plan.stages import Stage, stages_of

__all__ = [
    "ArgMaxUnit",
    "AxiIn",
    "AxiOut",
    "Converter",
    "Dataflow",
    "Edge",
    "Elementwise",
    "Fifo",
    "Fork",
    "Mvu",
    "Unit",
    "dataflow_of",
    "pitch_of",
]


def ceil_div(a: int, b: int) -> int:
    """Smallest integer not below ``a / b``."""
    return -(-a // b)


def pitch_of(bits: int) -> int:
    """Bits an element occupies on an AXI stream: the power of two at or above its width."""
    return 1 << (bits - 1).bit_length() if bits > 1 else 1


@dataclass(frozen=True)
class Edge:
    """A stream between two components.

    A word carries ``pixels`` x ``elements`` codes of ``bits`` bits, channel innermost, element 0 in the low bits,
    unused lanes zero. A frame is ``positions`` pixels of ``channels`` channels in raster order.
    """

    name: str
    elements: int
    bits: int
    channels: int
    positions: int = 1
    pixels: int = 1

    @property
    def words_per_pixel(self) -> int:
        """Words that carry the channels of one pixel (or of V pixels)."""
        return ceil_div(self.channels, self.elements)

    @property
    def words(self) -> int:
        """Words a frame."""
        return ceil_div(self.positions, self.pixels) * self.words_per_pixel

    @property
    def width(self) -> int:
        """Bits a word."""
        return self.pixels * self.elements * self.bits


@dataclass(frozen=True)
class Unit:
    """A stream component: its name (unique), the edges it reads and writes (by name)."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class AxiIn(Unit):
    """AXI4-Stream ingress of graph input ``tensor``: a FIFO of ``depth`` words behind the framing check. One word a beat."""

    tensor: str
    bus_bits: int
    pitch: int
    depth: int = 2


@dataclass(frozen=True)
class AxiOut(Unit):
    """AXI4-Stream egress of graph output ``tensor``: a FIFO of ``depth`` words, packing, tlast, tuser."""

    tensor: str
    bus_bits: int
    pitch: int
    depth: int = 2


@dataclass(frozen=True)
class Converter(Unit):
    """Width converter, any ratio; its block is one pixel of ``channels`` elements: ``u`` words in, ``d`` words out."""

    channels: int
    bits: int
    elements_in: int
    elements_out: int
    depth: int

    @property
    def words_in(self) -> int:
        """Words read a block, u."""
        return ceil_div(self.channels, self.elements_in)

    @property
    def words_out(self) -> int:
        """Words written a block, d."""
        return ceil_div(self.channels, self.elements_out)


@dataclass(frozen=True)
class Fifo(Unit):
    """A plain FIFO of ``depth`` words."""

    depth: int


@dataclass(frozen=True)
class Fork(Unit):
    """Eager fork: one word to every output, each taken when its reader is ready; no storage."""


@dataclass(frozen=True)
class Mvu(Unit):
    """Reader, matrix-vector datapath and Egress of one contraction, with the staircase behind it when there is one.

    ``sf`` words make a vector, re-read ``nf`` times; the firing at the end of each pass produces a word of ``pe`` codes.
    ``latency`` is L: cycles from the completing firing to the Egress write.
    """

    stage: Stage
    plan: StagePlan
    mw: int
    mh: int
    sf: int
    nf: int
    vectors: int
    buffer: int
    depth: int
    latency: int


@dataclass(frozen=True)
class Elementwise(Unit):
    """A staircase of its own (threshold or requantize), one word in, one word out, ``latency`` cycles to the Egress."""

    stage: Stage
    plan: StagePlan
    channels: int
    depth: int
    latency: int


@dataclass(frozen=True)
class ArgMaxUnit(Unit):
    """Reads ``words`` words a pixel, writes one word with the index; the last firing produces."""

    stage: Stage
    plan: StagePlan
    channels: int
    words: int
    depth: int
    latency: int


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
        self.depths = {f.name: f.depth for f in plan.fifos}
        self.buses = {s.name: s.bus_bits for s in plan.streams}
        self.waiting: dict[str, list[str]] = {}  # tensor -> edges not yet read, one a reader
        # A layer may be called "fc.converter": components of our own make way for it.
        self.names = {s.name for s in stages_of(network)}

    def build(self) -> Dataflow:
        for i in self.network.inputs:
            t = self.network.tensors[i.name]
            pitch = pitch_of(t.encoding.bits)
            bus = self.buses[i.name]
            h, w, c = t.shape
            edge = Edge(f"{i.name}.axi", bus // pitch, t.encoding.bits, h * w * c)
            self.add(AxiIn(self.name(f"{i.name}.axi_in"), (), (edge.name,), i.name, bus, pitch), edge)
            self.publish(i.name, edge)
        for stage in stages_of(self.network):
            self.add_stage(stage)
        for name in self.network.outputs:
            t = self.network.tensors[name]
            pitch = pitch_of(t.encoding.bits)
            bus = self.buses[name]
            port = self.name(f"{name}.axi_out")
            edge = self.read(name, port, bus // pitch)
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

    def publish(self, tensor: str, edge: Edge) -> None:
        """Make ``edge`` readable by every reader of ``tensor``: a fork when there are several."""
        readers = len(self.network.consumers(tensor)) + self.network.outputs.count(tensor)
        if readers == 0:
            raise InputError("NETWORK-UNUSED", "nothing reads this tensor", where=tensor, hint="Remove it, or make it an output")
        if readers == 1:
            self.waiting[tensor] = [edge.name]
            return
        branches = [
            Edge(f"{tensor}.branch{k}", edge.elements, edge.bits, edge.channels, edge.positions, edge.pixels) for k in range(readers)
        ]
        self.add(Fork(self.name(f"{tensor}.fork"), (edge.name,), tuple(b.name for b in branches)), *branches)
        buffered = []
        for b in branches:
            name = self.name(f"{b.name}.fifo")
            behind = Edge(name, b.elements, b.bits, b.channels, b.positions, b.pixels)
            self.add(Fifo(name, (b.name,), (behind.name,), self.depths.get(name, 2)), behind)
            buffered.append(behind.name)
        self.waiting[tensor] = buffered

    def read(self, tensor: str, reader: str, elements: int) -> Edge:
        """An edge of ``tensor`` in words of ``elements``, through a converter when the writer's words differ."""
        edge = self.edges[self.waiting[tensor].pop(0)]
        if edge.elements == elements or (edge.channels <= min(elements, edge.elements) and edge.positions == 1):
            # Equal, or one word a frame on both sides: the reader adds or drops lanes that carry nothing.
            return edge
        name = self.name(f"{reader}.converter")
        out = Edge(f"{reader}.in", elements, edge.bits, edge.channels, edge.positions)
        self.add(
            Converter(name, (edge.name,), (out.name,), edge.channels, edge.bits, edge.elements, elements, self.depths.get(name, 2)), out
        )
        return out

    def add_stage(self, stage: Stage) -> None:
        p = self.plan.stage(stage.name)
        source, target = self.network.tensors[stage.source], self.network.tensors[stage.target]
        if source.shape[:2] != (1, 1):
            raise InputError("OP-IMAGE", f"this layer reads an image of shape {source.shape}; only vectors are built yet", where=stage.name)
        build: dict[str, Callable[[Stage, StagePlan, TensorInfo, TensorInfo], Edge]] = {
            "mvu": self.mvu,
            "elementwise": self.elementwise,
            "argmax": self.argmax,
        }
        self.publish(stage.target, build[stage.kind](stage, p, source, target))

    def mvu(self, stage: Stage, p: StagePlan, source: TensorInfo, target: TensorInfo) -> Edge:
        op = stage.node.op
        assert isinstance(op, Conv)
        if not op.is_dense:
            raise InputError("OP-CONV", "convolutions are not built yet, only fully connected layers", where=stage.name)
        i = self.read(stage.source, stage.name, p.simd)
        sf, nf = ceil_div(op.mw, p.simd), ceil_div(op.mh, p.pe)
        o = Edge(f"{stage.name}.out", p.pe, target.encoding.bits, op.mh)
        latency = mvu_latency(self.network, stage, p)
        unit = Mvu(stage.name, (i.name,), (o.name,), stage, p, op.mw, op.mh, sf, nf, 1, p.buffer, p.depth, latency)
        self.add(unit, o)
        return o

    def elementwise(self, stage: Stage, p: StagePlan, source: TensorInfo, target: TensorInfo) -> Edge:
        i = self.read(stage.source, stage.name, p.pe)
        h, w, c = target.shape
        o = Edge(f"{stage.name}.out", p.pe, target.encoding.bits, c, h * w)
        latency = elementwise_latency(self.network, stage, p)
        self.add(Elementwise(stage.name, (i.name,), (o.name,), stage, p, c, p.depth, latency), o)
        return o

    def argmax(self, stage: Stage, p: StagePlan, source: TensorInfo, target: TensorInfo) -> Edge:
        i = self.read(stage.source, stage.name, p.pe)
        h, w, c = source.shape
        o = Edge(f"{stage.name}.out", 1, target.encoding.bits, 1, h * w)
        latency = argmax_latency(self.network, stage, p)
        self.add(ArgMaxUnit(stage.name, (i.name,), (o.name,), stage, p, c, ceil_div(c, p.pe), p.depth, latency), o)
        return o


def dataflow_of(network: Network, plan: Plan) -> Dataflow:
    """The components and edges that ``plan`` asks for; raises :class:`InputError` when a stage cannot be built."""
    return _Builder(network, plan).build()

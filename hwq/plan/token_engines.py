"""Dataflow -> channels, buffers and engines of the token simulator."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from hwq.plan import token_tables as tt
from hwq.plan.dataflow import Dataflow
from hwq.plan.geometry import Geometry, ceil_div
from hwq.plan.latency import READ_LATENCY
from hwq.plan.moving_units import ArgMaxUnit, ConcatUnit, PadUnit, SplitUnit, TopKUnit
from hwq.plan.slide import Slide
from hwq.plan.units import (
    FIFO_EGRESS,
    AxiIn,
    AxiOut,
    Converter,
    Elementwise,
    Fifo,
    Fork,
    Join,
    Unit,
    UnrolledDense,
    UpsampleUnit,
    WindowUnit,
)

__all__ = ["Channel", "Engine", "Engines", "buffer_name", "engines_of"]


def buffer_name(unit: str) -> str:
    """Name of the channel that is the input buffer of ``unit``; no layer is called so."""
    return f"{unit} (buffer)"


@dataclass(frozen=True)
class Channel:
    """A FIFO of the dataflow, called after its unit; the input buffer of a unit as :func:`buffer_name` says.

    ``words`` a frame, of ``width`` bits; ``minimum`` is the least depth that can work at all. ``first`` is the limit of a buffer
    beyond its depth when nothing has been read; ``fixed_limit`` where it does not depend on the depth.
    """

    name: str
    depth: int
    latency: int
    words: int
    width: int = 1
    minimum: int = 1
    unit: str = ""
    is_buffer: bool = False
    first: int = 0
    fixed_limit: int | None = None
    limits: int = 0  # raised in a frame at most; 0: one a word
    row: int = 0  # words of a row of the image in a Reader
    follows: str = ""  # the channel whose depth is this one's too: the first output of a split

    def space(self, depth: int) -> int:
        """Limits that may wait to be read."""
        return self.limits * (depth // self.words + 3) if self.limits else depth + 2


@dataclass(frozen=True)
class Engine:
    """An engine of the token simulator: channels by position, constants of its kind, and the words it writes in a frame."""

    kind: int
    unit: str
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    buffer: int = -1
    a: int = 1
    constants: tuple[int, ...] = ()
    port: str = ""

    @property
    def ends(self) -> tuple[int, ...]:
        """All its channels."""
        return (*self.inputs, *self.outputs, *((self.buffer,) if self.buffer >= 0 else ()))


@dataclass
class Engines:
    """Channels and engines of ``dataflow``."""

    dataflow: Dataflow
    channels: list[Channel] = field(default_factory=list)
    engines: list[Engine] = field(default_factory=list)
    of_edge: dict[str, int] = field(default_factory=dict)

    def channel(self, channel: Channel) -> int:
        self.channels.append(channel)
        return len(self.channels) - 1

    def engine(self, kind: int, unit: Unit, inputs: tuple[int, ...], outputs: tuple[int, ...], **more: object) -> None:
        self.engines.append(Engine(kind, unit.name, inputs, outputs, **more))  # type: ignore[arg-type]

    def inputs(self, unit: Unit) -> tuple[int, ...]:
        return tuple(self.of_edge[e] for e in unit.inputs)

    def output(self, unit: Unit, depth: int, latency: int, place: int = 0, name: str = "") -> int:
        """The Egress of ``unit`` on its output ``place``."""
        edge = self.dataflow.edges[unit.outputs[place]]
        follows = unit.name if isinstance(unit, SplitUnit) and place else ""
        made = Channel(name or unit.name, depth, latency, edge.words, edge.word_bits, unit=unit.name, follows=follows)
        self.of_edge[edge.name] = self.channel(made)
        return self.of_edge[edge.name]

    def buffer(self, unit: Unit, depth: int, minimum: int, name: str = "", **more: int) -> int:
        """The input buffer of ``unit`` and the engine that writes it."""
        edge = self.dataflow.edges[unit.inputs[0]]
        name = name or buffer_name(unit.name)
        made = Channel(name, depth, 0, edge.words, edge.word_bits, minimum, unit.name, True, **more)  # type: ignore[arg-type]
        place = self.channel(made)
        self.engine(tt.WRITE, unit, self.inputs(unit), (), buffer=place)
        return place

    # -- units

    def add(self, unit: Unit) -> None:
        match unit:
            case AxiIn():
                edge = self.dataflow.edges[unit.outputs[0]]
                self.engine(tt.SOURCE, unit, (), (self.output(unit, unit.depth, 0),), a=edge.words, port=unit.tensor)
            case AxiOut():
                self.egress(unit)
            case Fifo():
                self.fifo(unit)
            case Elementwise():
                self.engine(tt.STREAM, unit, self.inputs(unit), (self.output(unit, unit.depth, unit.latency),))
            case ArgMaxUnit() | TopKUnit() | UnrolledDense():
                self.engine(tt.STREAM, unit, self.inputs(unit), (self.output(unit, unit.depth, unit.latency),), a=unit.words)
            case Converter():
                self.converter(unit)
            case WindowUnit():
                self.window(unit)
            case UpsampleUnit():
                self.upsample(unit)
            case PadUnit():
                out = self.output(unit, unit.depth, unit.latency)
                self.engine(tt.PAD, unit, self.inputs(unit), (out,), constants=(unit.height, unit.width, unit.words, *unit.padding))
            case Join():
                self.join(unit, unit.depth, unit.latency)
            case ConcatUnit():
                self.concat(unit)
            case SplitUnit():
                self.split(unit)
            case Fork():
                outs = tuple(self.output(unit, 1, -1, k, name) for k, name in enumerate(unit.outputs))
                self.engine(tt.FORK, unit, self.inputs(unit), outs, a=len(outs))
            case _:
                raise TypeError(f"no token engine for {type(unit).__name__}")

    def egress(self, unit: AxiOut) -> None:
        edge = self.dataflow.edges[unit.inputs[0]]
        fifo = self.channel(Channel(unit.name, unit.depth, 0, edge.words, edge.word_bits, unit=unit.name))
        self.engine(tt.STREAM, unit, self.inputs(unit), (fifo,))
        self.engine(tt.SINK, unit, (fifo,), (), a=edge.words, port=unit.tensor)

    def fifo(self, unit: Fifo) -> None:
        if unit.memory == "lutram":
            self.engine(tt.STREAM, unit, self.inputs(unit), (self.output(unit, unit.depth, 0),))
            return
        store = self.buffer(unit, unit.depth, 1, unit.name)
        out = self.output(unit, FIFO_EGRESS, READ_LATENCY, name=f"{unit.name} (egress)")
        self.engine(tt.REPEAT, unit, (), (out,), buffer=store, constants=(1, 1, 1, 1))

    def converter(self, unit: Converter) -> None:
        first = unit.words_in if unit.blocks > 1 else unit.last_in
        block = self.buffer(unit, unit.words_in, unit.words_in, fixed_limit=first)
        out = self.output(unit, unit.depth, 0)
        sizes = (unit.blocks, unit.words_in, unit.words_out, unit.last_in, unit.last_out)
        self.engine(tt.SHIFT, unit, (), (out,), buffer=block, constants=sizes)

    def window(self, unit: WindowUnit) -> None:
        g = unit.geometry
        # A limit every firing, or every group of windows.
        limits = 0 if isinstance(g, Slide) else g.out_height * g.out_groups
        buffer = self.buffer(unit, unit.buffer, g.least_buffer, first=g.base(0, 0, 0), limits=limits, row=g.row)
        out = self.output(unit, unit.depth, unit.latency)
        if isinstance(g, Slide):
            self.engine(tt.SLIDE, unit, (), (out,), buffer=buffer, constants=_slide_table(g))
        else:
            self.engine(tt.READ, unit, (), (out,), buffer=buffer, constants=_window_table(g))

    def upsample(self, unit: UpsampleUnit) -> None:
        rows, pixels = unit.factor
        least = unit.columns * unit.words if rows > 1 else unit.words if pixels > 1 else 1
        buffer = self.buffer(unit, unit.buffer, least)
        out = self.output(unit, unit.depth, unit.latency)
        self.engine(tt.REPEAT, unit, (), (out,), buffer=buffer, constants=(unit.columns, unit.words, rows, pixels))

    def join(self, unit: Unit, depth: int, latency: int) -> None:
        inputs, out = self.inputs(unit), self.output(unit, depth, latency)
        self.engine(tt.JOIN, unit, inputs, (out,), a=len(inputs), constants=inputs)

    def concat(self, unit: ConcatUnit) -> None:
        if unit.is_wide:
            self.join(unit, unit.depth, unit.latency)
            return
        inputs, out = self.inputs(unit), self.output(unit, unit.depth, unit.latency)
        turns = tuple(n for pair in zip(inputs, unit.words, strict=True) for n in pair)
        self.engine(tt.CONCAT, unit, inputs, (out,), a=len(inputs), constants=turns)

    def split(self, unit: SplitUnit) -> None:
        # The depth is that of every output; the first carries the unit's name.
        names = [unit.name if k == 0 else f"{unit.name} ({k})" for k in range(len(unit.outputs))]
        outs = tuple(self.output(unit, unit.depth, unit.latency, k, name) for k, name in enumerate(names))
        if unit.is_wide:
            self.engine(tt.ALL, unit, self.inputs(unit), outs, a=len(outs))
            return
        turns = tuple(n for place, words in zip(unit.kept, unit.words, strict=True) for n in (outs[place] if place >= 0 else -1, words))
        self.engine(tt.SPLIT, unit, self.inputs(unit), outs, a=len(unit.words), constants=turns)


def engines_of(dataflow: Dataflow) -> Engines:
    """Channels and engines of all units, in their order."""
    made = Engines(dataflow)
    for unit in dataflow.units:
        made.add(unit)
    return made


@lru_cache(maxsize=256)
def _window_table(g: Geometry) -> tuple[int, ...]:
    """Constants of a READ engine, in the order of token_buffers.py."""
    (kh, kw), (sy, sx), (dy, _) = g.window.kernel, g.window.stride, g.window.dilation
    top, left, _, _ = g.window.padding
    head = (kh, kw, g.sf, g.words // g.blocks, g.blocks, g.passes, g.out_height, g.out_groups, g.frame, g.row, g.words)
    columns = _tap_columns(g)
    tail = (sy, sx, top, ceil_div(left, g.pixels), dy, g.height)
    return (*head, *tail, *columns.max(axis=1).tolist(), *columns.reshape(-1).tolist())


@lru_cache(maxsize=256)
def _slide_table(g: Slide) -> tuple[int, ...]:
    """Constants of a SLIDE engine, in the order of token_buffers.py."""
    head = (g.width, g.words, g.out_height, g.row, g.frame, g.window.stride[0], g.window.padding[0], g.last_columns)
    return (*head, *g.lowest, *map(int, g.completes))


def _tap_columns(g: Geometry) -> np.ndarray:
    """Column of words with the rightmost real pixel of every group's V taps, (groups, kw); -1 where all lie in the padding."""
    (_, kw), (_, sx), (_, dx) = g.window.kernel, g.window.stride, g.window.dilation
    x = np.arange(g.out_groups * g.pixels).reshape(-1, 1, g.pixels) * sx - g.window.padding[1] + np.arange(kw)[:, None] * dx
    real = np.where((x >= 0) & (x < g.width), x, -1)
    return real.max(axis=2) // g.pixels

"""The Network: a graph of integer operations with one exact meaning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

import numpy as np
from threadpoolctl import threadpool_limits

from hwq.errors import InputError
from hwq.network.ops import Integers, Op, Shape
from hwq.network.ops.contraction import CORES
from hwq.numerics.encoding import Encoding
from hwq.numerics.interval import Interval

__all__ = ["Network", "NetworkInput", "Node", "TensorInfo"]

# Frames that the golden model takes at once, and elements of its largest tensor then: what caches hold.
MOST_FRAMES = 1024
CACHED = 1 << 20
# Elements of one tensor, and its channels, of which much is kept one by one: beyond, a file is broken or means harm.
MOST_ELEMENTS = 1 << 28
MOST_CHANNELS = 1 << 24


@dataclass(frozen=True)
class NetworkInput:
    """A graph input: its name, shape (H, W, C) and encoding; ``reach`` are the integers that come, None: all of the encoding."""

    name: str
    shape: Shape
    encoding: Encoding
    reach: Interval | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Node:
    """One op of the graph. ``name`` is the user's own name of the layer, unique in the Network; an output "" is dropped."""

    name: str
    op: Op
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class TensorInfo:
    """What is known of a tensor without running it."""

    name: str
    shape: Shape
    encoding: Encoding
    interval: Interval
    producer: Node | None


@dataclass(frozen=True, eq=False, repr=False)
class Network:
    """A graph of integer ops, nodes in topological order; no batch dimension.

    Raises :class:`InputError` when a name is used twice, an input is missing, a shape does not fit or is out of all bounds, and
    when an output is named twice or unknown. An input may be an output; no hardware is made of that (:mod:`hwq.plan.rules`).
    """

    name: str
    inputs: tuple[NetworkInput, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        for place, output in enumerate(self.outputs):
            if output not in self.tensors:
                raise InputError("NETWORK-OUTPUT", f"output {output!r} is computed by no node", where=self.name)
            if output in self.outputs[:place]:
                raise InputError("NETWORK-OUTPUT", f"output {output!r} is named twice", where=self.name, hint="Name it once")

    def __repr__(self) -> str:
        return f"Network({self.name!r}, layers: {len(self.nodes)}, inputs: {len(self.inputs)}, outputs: {len(self.outputs)})"

    @cached_property
    def tensors(self) -> Mapping[str, TensorInfo]:
        """Every tensor by name: shape, encoding, reachable integers, producer."""
        known: dict[str, TensorInfo] = {}
        for i in self.inputs:
            if i.name in known:
                raise InputError("NETWORK-NAME", "two inputs have this name", where=i.name)
            _bounded(i.name, i.shape)
            c = i.shape[2]
            reach = i.reach or Interval(np.full(c, i.encoding.lo), np.full(c, i.encoding.hi), i.encoding.step)
            known[i.name] = TensorInfo(i.name, i.shape, i.encoding, reach, None)
        names: set[str] = set()
        for node in self.nodes:
            if node.name in names:
                raise InputError("NETWORK-NAME", "two layers have this name", where=node.name)
            names.add(node.name)
            xs = _in_order(node, known)
            shapes = tuple(x.shape for x in xs)
            try:
                made = node.op.shapes(shapes)
                if len(made) != len(node.outputs):
                    raise ValueError(f"{len(node.outputs)} outputs, the op makes {len(made)}")
            except ValueError as error:
                raise InputError("NETWORK-SHAPE", str(error), where=node.name) from None
            for shape in made:
                _bounded(node.name, shape)
            intervals = node.op.intervals(tuple(x.interval for x in xs), shapes)
            encodings = node.op.encodings(intervals, tuple(x.encoding for x in xs))
            for target, shape, encoding, interval in zip(node.outputs, made, encodings, intervals, strict=True):
                if target:
                    known[target] = TensorInfo(target, shape, encoding, interval, node)
        return known

    def node(self, name: str) -> Node:
        """The node of this name; raises ``KeyError``."""
        return {n.name: n for n in self.nodes}[name]

    def consumers(self, tensor: str) -> tuple[Node, ...]:
        """Nodes that read ``tensor``, in order."""
        return tuple(n for n in self.nodes if tensor in n.inputs)

    def run(self, inputs: Mapping[str, Integers], *, keep: Iterable[str] | None = None) -> dict[str, Integers]:
        """The golden model: integers of the outputs (or of the tensors in ``keep``) for integer inputs (N, H, W, C).

        Frames go through a few at a time, so that intermediates stay in cache and memory is bounded, on all cores.
        """
        wanted = tuple(self.outputs if keep is None else keep)
        total = len(next(iter(inputs.values())))
        batch = max(1, min(MOST_FRAMES, CACHED // max(prod(t.shape) for t in self.tensors.values())))
        starts = range(0, max(total, 1), batch)

        def part(start: int) -> dict[str, Integers]:
            return self._run({name: x[start : start + batch] for name, x in inputs.items()}, wanted)

        if len(starts) == 1:
            return part(0)
        # One core a part: libraries that start threads of their own only get in each other's way.
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(CORES.get(), initializer=CORES.set, initargs=(1,)) as pool:
            parts = list(pool.map(part, starts))
        return {name: np.concatenate([p[name] for p in parts]) for name in wanted}

    def _run(self, live: dict[str, Integers], wanted: tuple[str, ...]) -> dict[str, Integers]:
        kept = {name: live[name] for name in wanted if name in live}
        for position, node in enumerate(self.nodes):
            made = dict(zip(node.outputs, node.op.run(*(live[name] for name in node.inputs)), strict=True))
            live |= made
            kept |= {name: y for name, y in made.items() if name in wanted}
            for name in [n for n in live if self._last_use.get(n, -1) <= position]:
                del live[name]
        return kept

    @cached_property
    def _last_use(self) -> Mapping[str, int]:
        return {name: position for position, node in enumerate(self.nodes) for name in node.inputs}


def _in_order(node: Node, known: Mapping[str, TensorInfo]) -> list[TensorInfo]:
    """The tensors that ``node`` reads; raises :class:`InputError` where one is not known yet, or an output is."""
    for source in node.inputs:
        if source not in known:
            raise InputError("NETWORK-ORDER", f"tensor {source!r} is computed by no earlier node", where=node.name)
    for target in node.outputs:
        if target in known:
            raise InputError("NETWORK-ORDER", f"tensor {target!r} is computed twice", where=node.name)
    return [known[source] for source in node.inputs]


def _bounded(where: str, shape: Shape) -> None:
    """Refuse, before anything of its size is made, a tensor that no machine should be asked to hold."""
    if min(shape) < 1:
        raise InputError("NETWORK-SHAPE", f"its shape is {shape}, expected 1 or more of each", where=where)
    if prod(shape) > MOST_ELEMENTS or shape[2] > MOST_CHANNELS:
        message = f"its shape is {shape}, expected at most {MOST_ELEMENTS} elements and {MOST_CHANNELS} channels"
        raise InputError("NETWORK-SIZE", message, where=where, hint="Take a smaller image or layer")

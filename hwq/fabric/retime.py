"""Retiming of pipelines: the same circuit and rate with fewer flip-flops.

Leiserson and Saxe, "Retiming synchronous circuitry", Algorithmica 6 (1991): every cell gets a stage, a signal needed in several later
stages passes one line of flip-flops. Their linear programme takes minutes at 10 000 cells; moving one cell at a time from several
starts between as soon and as late as possible comes within some per cent of it in less than a second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hwq.fabric.cutting import cut
from hwq.fabric.netlist import FALSE, TRUE, Chain, Dsp, Lut, Netlist
from hwq.fabric.prune import prune

__all__ = ["retimed"]

Ints = NDArray[np.int64]

SWEEPS = 24
INPUTS = 0  # node of the inputs


@dataclass(frozen=True)
class _Circuit:
    """Cells without flip-flops between them.

    ``source``: maker of every signal, cell k being k + 1; ``links``: (signal, cell that reads it, whether a flip-flop must lie between),
    outputs read by the number behind all cells.
    """

    netlist: Netlist
    source: dict[int, int]
    links: tuple[tuple[int, int, int], ...]


def retimed(netlist: Netlist) -> tuple[Netlist, int]:
    """The circuit with few flip-flops and its latency: as many cycles as its longest path has connections with flip-flops.

    A connection without flip-flops stays one or gets some; one with flip-flops keeps at least one: no stage grows deeper. For free
    running pipelines of LUTs and chains (no enable, reset, feedback or slice) whose outputs have one latency, at least 1. Cells that no
    output needs are dropped.
    """
    circuit = _stripped(prune(netlist))
    if not circuit.links:
        return circuit.netlist, 1
    node = _nodes(circuit)
    graph = _graph(circuit, node)
    latency = int(graph.earliest[-1])
    best = min((_settled(graph, np.minimum(graph.earliest + wait, graph.latest)) for wait in range(latency)), key=graph.flops)
    return cut(circuit.netlist, best[node[1:-1]].tolist(), latency), latency


def _stripped(netlist: Netlist) -> _Circuit:
    root: dict[int, int] = {}  # what a flip-flop holds, a literal that is a plain signal or a constant

    def resolved(bit: int) -> int:
        return root.get(bit >> 1, bit & ~1) ^ (bit & 1)

    for flop in netlist.flops:
        assert (flop.enable, flop.reset) == (TRUE, FALSE), "a pipeline that runs freely"
        root[flop.q >> 1] = resolved(flop.d)

    source = {b >> 1: INPUTS for bits in netlist.inputs.values() for b in bits}
    links: dict[tuple[int, int, int], None] = {}
    cells: list[Lut | Chain | Dsp] = []
    for node, cell in enumerate(netlist.cells, 1):
        assert not isinstance(cell, Dsp), "slices bring their own registers"
        pins = cell.pins if isinstance(cell, Lut) else (*cell.s, *cell.di, cell.ci)
        links.update(((resolved(p) >> 1, node, int(p >> 1 in root)), None) for p in pins if resolved(p) > TRUE)
        cells.append(_rewired(cell, resolved))
        made = (cell.o6, cell.o5) if isinstance(cell, Lut) else (*cell.o, *cell.co)
        source.update((b >> 1, node) for b in made if b is not None)
    outputs = {name: tuple(map(resolved, bits)) for name, bits in netlist.outputs.items()}
    links.update(((b >> 1, len(cells) + 1, 1), None) for bits in outputs.values() for b in bits if b > TRUE)
    return _Circuit(Netlist(netlist.name, dict(netlist.inputs), outputs, cells, [], netlist.signals), source, tuple(links))


def _rewired(cell: Lut | Chain, resolved: Callable[[int], int]) -> Lut | Chain:
    if isinstance(cell, Lut):
        return replace(cell, pins=tuple(map(resolved, cell.pins)))
    return replace(cell, s=tuple(map(resolved, cell.s)), di=tuple(map(resolved, cell.di)), ci=resolved(cell.ci))


def _nodes(circuit: _Circuit) -> Ints:
    """Node of every cell (and of inputs and outputs): a chain and the LUTs at its S and DI pins, which share its sites, are one."""
    cells = circuit.netlist.cells
    parent = list(range(len(cells) + 2))

    def root(k: int) -> int:
        while parent[k] != k:
            parent[k] = k = parent[parent[k]]
        return k

    direct = {(s, r) for s, r, least in circuit.links if not least}
    for k, cell in enumerate(cells, 1):
        if isinstance(cell, Chain):
            for pin in {*cell.s, *cell.di}:
                maker = circuit.source.get(pin >> 1, INPUTS)
                if maker != INPUTS and (pin >> 1, k) in direct and isinstance(cells[maker - 1], Lut):
                    parent[root(maker)] = root(k)
    return np.unique([root(k) for k in range(len(parent))], return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True, eq=False)
class _Graph:
    """The circuit as arrays: node 0 the inputs, the last node the outputs; signals that are read, numbered anew.

    ``links`` (signal, reader, least) by signal; ``inputs`` places of links by reader; ``outputs`` signals by maker; each with where
    they start. ``earliest``, ``latest``: stage of every node as soon, as late as possible.
    """

    links: tuple[Ints, Ints, Ints]
    signal_at: Ints
    inputs: Ints
    inputs_at: Ints
    outputs: Ints
    outputs_at: Ints
    maker: Ints
    earliest: Ints
    latest: Ints

    def flops(self, stage: Ints) -> int:
        """Flip-flops with nodes in these stages."""
        last = np.maximum.reduceat(stage[self.links[1]], self.signal_at[:-1])
        return int((last - stage[self.maker]).sum())


def _graph(circuit: _Circuit, node: Ints) -> _Graph:
    links: dict[tuple[int, int], int] = {}
    for s, r, need in circuit.links:
        if node[circuit.source[s]] != node[r]:
            links[s, int(node[r])] = max(need, links.get((s, int(node[r])), 0))
    signal, reader = (np.array(column, np.int64) for column in zip(*links, strict=True))
    least = np.array(list(links.values()), np.int64)
    used, place = np.unique(signal, return_inverse=True)
    order = np.argsort(place, kind="stable")
    place, reader, least = place[order], reader[order], least[order]
    maker = node[[circuit.source[s] for s in used.tolist()]]
    nodes = int(node.max()) + 1
    earliest = _longest(maker[place], reader, least, nodes)
    latest = earliest[-1] - _longest(reader, maker[place], least, nodes)
    latest[INPUTS] = 0
    return _Graph(
        links=(place, reader, least),
        signal_at=_starts(place, len(used)),
        inputs=np.argsort(reader, kind="stable"),
        inputs_at=_starts(reader, nodes),
        outputs=np.argsort(maker, kind="stable"),
        outputs_at=_starts(maker, nodes),
        maker=maker,
        earliest=earliest,
        latest=latest,
    )


def _longest(before: Ints, after: Ints, least: Ints, nodes: int) -> Ints:
    """Length of the longest path that ends in each node."""
    found = np.zeros(nodes, np.int64)
    while True:
        longer = found.copy()
        np.maximum.at(longer, after, found[before] + least)
        if (longer == found).all():
            return found
        found = longer


def _starts(keys: Ints, count: int) -> Ints:
    return np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=count))]).astype(np.int64)


def _settled(graph: _Graph, stage: Ints) -> Ints:
    """Stages from which no single cell can move to save a flip-flop."""
    from hwq.fabric.retime_sweep import sweep

    place, reader, least = graph.links
    nodes = np.arange(1, len(stage) - 1)
    for turn in range(SWEEPS):
        order = nodes if turn % 2 else nodes[::-1].copy()
        signals, needs = place[graph.inputs], least[graph.inputs]
        rest = (graph.outputs_at, graph.outputs, graph.signal_at, reader, least, graph.maker, turn % 4 < 2)
        if not sweep(stage, order, graph.inputs_at, signals, needs, *rest) and turn % 4 == 3:
            break
    return stage

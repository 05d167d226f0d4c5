"""Orientation: falling channels are turned round by negating their integer weights, so that comparators only ever count up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hwq.network.graph import Network, Node
from hwq.network.ops import BorderAffine, Conv, Exact, Op, Requantize, Threshold
from hwq.numerics.interval import Interval

__all__ = ["orient"]

Falling = NDArray[np.bool_]


def orient(network: Network) -> Network:
    """An equal Network in which falling channels rise where they can.

    Given: ``Conv -> Threshold`` (or ``Requantize``), the accumulators read by nothing else, some channels with steps -1;
    constants of border classes may lie in between.
    Result: those channels' weights (and constants) negated, thresholds mirrored, steps +1.
    Left alone: saturating accumulators (negation does not commute with clipping) and weights whose encoding would widen.
    """
    nodes = {n.name: n for n in network.nodes}
    for node in network.nodes:
        if not isinstance(node.op, Conv) or not isinstance(node.op.accumulation, Exact):
            continue
        reader = _only_reader(network, node)
        border = reader if reader is not None and isinstance(reader.op, BorderAffine) else None
        reader = reader if border is None else _only_reader(network, border)
        if reader is None:
            continue
        turned = _turn(node, reader, network.tensors[reader.inputs[0]].interval)
        if turned is None:
            continue
        nodes[node.name], nodes[reader.name] = turned
        if border is not None:
            nodes[border.name] = _turn_border(border, node.op.weights, turned[0].op)
    return replace(network, nodes=tuple(nodes[n.name] for n in network.nodes))


def _only_reader(network: Network, node: Node) -> Node | None:
    """The one node that reads the output of ``node``; None where there are more, or the user does."""
    readers = network.consumers(node.outputs[0])
    return readers[0] if len(readers) == 1 and node.outputs[0] not in network.outputs else None


def _turn_border(border: Node, before: NDArray[np.int64], turned: Op) -> Node:
    """The constants of the border classes with the sign of the turned rows."""
    assert isinstance(border.op, BorderAffine)
    assert isinstance(turned, Conv)
    sign = np.where((turned.weights == before).all((1, 2, 3)), 1, -1)
    return replace(border, op=replace(border.op, offset=border.op.offset * sign))


def _turn(conv: Node, reader: Node, reach: Interval) -> tuple[Node, Node] | None:
    op, staircase = conv.op, reader.op
    assert isinstance(op, Conv)
    if not isinstance(staircase, Threshold | Requantize):
        return None
    falling = _falling(staircase, reach)
    falling &= ~_widens(op, falling)
    if not falling.any():
        return None
    weights = np.where(falling[:, None, None, None], -op.weights, op.weights)
    turned = _mirror_thresholds(staircase, falling, reach) if isinstance(staircase, Threshold) else _mirror_multiplier(staircase, falling)
    return replace(conv, op=replace(op, weights=weights)), replace(reader, op=turned)


def _falling(op: Threshold | Requantize, reach: Interval) -> Falling:
    if isinstance(op, Requantize):
        return np.broadcast_to(op.multiplier < 0, reach.lo.shape).copy()
    used = (op.thresholds <= reach.hi[:, None]) & (op.thresholds > reach.lo[:, None])
    return np.asarray((used & (op.steps < 0)).any(1) & ~(used & (op.steps > 0)).any(1))


def _widens(op: Conv, falling: Falling) -> Falling:
    negated = -op.weights
    return np.asarray(~op.weight_encoding.contains(negated).all((1, 2, 3)))


def _mirror_multiplier(op: Requantize, falling: Falling) -> Requantize:
    shape = falling.shape
    return replace(op, multiplier=np.where(falling, -op.multiplier, op.multiplier), offset=np.broadcast_to(op.offset, shape).copy())


def _mirror_thresholds(op: Threshold, falling: Falling, reach: Interval) -> Threshold:
    """``base - sum [x >= T] = base - K + sum [x' >= 1 - T]`` for x' = -x, thresholds moved up to reachable integers."""
    c, k = len(falling), op.count
    thresholds, steps = np.broadcast_to(op.thresholds, (c, k)), np.broadcast_to(op.steps, (c, k))
    used = thresholds <= reach.hi[:, None]
    lowest = -reach.hi[:, None]
    aligned = lowest - (lowest - (1 - thresholds)) // reach.step * reach.step
    mirrored = np.where(used, aligned, reach.step - reach.lo[:, None])
    mirrored = np.sort(mirrored, axis=1)
    base = np.broadcast_to(op.base, (c,))
    turn = falling[:, None]
    return replace(
        op,
        thresholds=np.where(turn, mirrored, thresholds),
        steps=np.where(turn, 1, steps),
        base=np.where(falling, base - used.sum(1), base),
    )

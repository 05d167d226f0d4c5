"""Mirrors: stages that only turn some channels of codes round, folded into the staircase in front or the weights behind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hwq.network.graph import Network, Node
from hwq.network.ops import Conv, Exact, Op, Requantize, Threshold
from hwq.numerics.encoding import Encoding
from hwq.numerics.rounding import Rounding

__all__ = ["fold_mirrors", "mirrored_channels"]

Flags = NDArray[np.bool_]


def fold_mirrors(network: Network) -> Network:
    """An equal Network with fewer mirrors.

    Given: ``Threshold (or Requantize) -> mirror``, nothing else reading in between. Result: the staircase falls in those channels.
    Given: ``mirror -> Conv`` on integers that lie evenly around 0, nothing else reading in between.
    Result: the weights of those input channels negated.
    """
    for name in [n.name for n in network.nodes]:
        node = network.node(name)
        flags = mirrored_channels(node.op, network.tensors[node.inputs[0]].encoding)
        if flags is not None:
            network = _folded(network, node, flags)
    return network


def mirrored_channels(op: Op, encoding: Encoding) -> Flags | None:
    """(C,) where ``op`` maps ``x`` to ``lo + hi - x`` in some channels and to ``x`` in all others; None where it does not."""
    total = encoding.lo + encoding.hi
    if isinstance(op, Requantize) and op.out == encoding and (op.shift, op.low, op.high) == (0, encoding.lo, encoding.hi):
        flags = op.multiplier < 0
        same = (np.abs(op.multiplier) == 1) & (op.offset == np.where(flags, total, 0))
        return flags if same.all() and flags.any() else None
    if not isinstance(op, Threshold) or op.out != encoding or op.count * encoding.step != encoding.hi - encoding.lo:
        return None
    flags = op.steps[:, 0] < 0
    ramp = encoding.lo + encoding.step * np.arange(1, op.count + 1)
    same = (op.thresholds == ramp).all() and (op.steps == np.where(flags, -1, 1)[:, None]).all()
    return flags if same and flags.any() and (op.base == np.where(flags, op.count, 0)).all() else None


def _folded(network: Network, mirror: Node, flags: Flags) -> Network:
    maker = network.tensors[mirror.inputs[0]].producer
    if maker is not None and _alone(network, mirror.inputs[0]):
        op = _fallen(maker.op, flags)
        if op is not None:
            return _joined(network, mirror, {maker.name: replace(maker, op=op, outputs=mirror.outputs)})
    encoding = network.tensors[mirror.inputs[0]].encoding
    readers = network.consumers(mirror.outputs[0])
    if encoding.lo + encoding.hi or not readers or mirror.outputs[0] in network.outputs:
        return network
    turned = {r.name: _negated(r, flags, mirror) for r in readers}
    if any(r is None for r in turned.values()):
        return network
    return _joined(network, mirror, {k: r for k, r in turned.items() if r is not None})


def _alone(network: Network, tensor: str) -> bool:
    return len(network.consumers(tensor)) == 1 and tensor not in network.outputs


def _joined(network: Network, gone: Node, changed: dict[str, Node]) -> Network:
    return replace(network, nodes=tuple(changed.get(n.name, n) for n in network.nodes if n is not gone))


def _fallen(op: Op, flags: Flags) -> Threshold | Requantize | None:
    """The staircase with ``lo + hi - code`` in the flagged channels."""
    c = len(flags)
    if isinstance(op, Threshold) and (op.out.hi - op.out.lo) % op.out.step == 0:
        top = (op.out.hi - op.out.lo) // op.out.step
        steps, base = np.broadcast_to(op.steps, (c, op.count)), np.broadcast_to(op.base, (c,))
        thresholds = np.broadcast_to(op.thresholds, (c, op.count)).copy()
        return replace(op, thresholds=thresholds, steps=np.where(flags[:, None], -steps, steps), base=np.where(flags, top - base, base))
    if not isinstance(op, Requantize) or op.rounding is not Rounding.FLOOR or op.low + op.high != op.out.lo + op.out.hi:
        return None
    total = (op.low + op.high) << op.shift
    multiplier, offset = np.broadcast_to(op.multiplier, (c,)), np.broadcast_to(op.offset, (c,))
    # lo + hi - floor(y / 2**s) = floor((2**s - 1 - y) / 2**s) + lo + hi
    turned = (1 << op.shift) - 1 - offset + total
    return replace(op, multiplier=np.where(flags, -multiplier, multiplier), offset=np.where(flags, turned, offset))


def _negated(reader: Node, flags: Flags, mirror: Node) -> Node | None:
    """The convolution with the weights of the flagged input channels negated."""
    op = reader.op
    if not isinstance(op, Conv) or not isinstance(op.accumulation, Exact):
        return None
    beside = np.repeat(flags.reshape(op.groups, -1), len(op.weights) // op.groups, axis=0)[:, None, None, :]
    weights = np.where(beside, -op.weights, op.weights)
    if not op.weight_encoding.contains(weights).all():
        return None
    return replace(reader, op=replace(op, weights=weights), inputs=mirror.inputs)

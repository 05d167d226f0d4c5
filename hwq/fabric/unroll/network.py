"""Whole networks unrolled: several layers in one circuit, a new input each cycle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.fabric.counters import plain
from hwq.fabric.embed import embed
from hwq.fabric.heap import Goal
from hwq.fabric.netlist import Netlist
from hwq.fabric.prune import prune
from hwq.fabric.retime import retimed
from hwq.fabric.unroll.layer import UnrolledLayer, unrolled_layer
from hwq.fabric.unroll.outputs import RowOutput
from hwq.numerics.encoding import Encoding

__all__ = ["Layer", "unrolled_network"]


@dataclass(frozen=True, eq=False)
class Layer:
    """Arguments of :func:`unrolled_layer`; ``x`` is the encoding of the codes that the layer before gives."""

    weights: NDArray[np.int64]
    x: Encoding
    outputs: tuple[RowOutput, ...]


def unrolled_network(layers: Sequence[Layer], *, registered: bool = True, goal: Goal = "luts", name: str = "network") -> UnrolledLayer:
    """The layers one behind the other: ports ``x`` of the first and ``y`` of the last.

    Rows that the next layer does not read disappear. The latency is at most the sum of the layers', for registers move across them.
    """
    netlist = Netlist(name)
    bits = netlist.input("x", layers[0].x.bits * layers[0].weights.shape[1])
    for k, layer in enumerate(layers):
        if layer.x.bits * layer.weights.shape[1] != len(bits):
            message = f"layer {k} reads {layer.weights.shape[1]} codes of {layer.x.bits} bits, {len(bits)} bits come in"
            raise InputError("UNROLL-SHAPE", message, where=name)
        made = unrolled_layer(layer.weights, layer.x, layer.outputs, registered=registered, goal=goal, name=name)
        bits = embed(netlist, made.netlist, {"x": [plain(netlist, b) for b in bits]})["y"]
    netlist.output("y", bits)
    if not registered:
        return UnrolledLayer(prune(netlist), 0)
    return UnrolledLayer(*retimed(netlist))

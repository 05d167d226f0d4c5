"""One unrolled layer: constant weights as wiring, every output each cycle (II = 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hwq.fabric.netlist import Netlist
from hwq.fabric.unroll.outputs import RowOutput
from hwq.numerics.encoding import Encoding

__all__ = ["Goal", "UnrolledLayer", "unrolled_layer"]

Goal = Literal["luts", "levels"]


@dataclass(frozen=True)
class UnrolledLayer:
    """A netlist with ports ``x`` (code of element k in bits ``k*bits .. (k+1)*bits - 1``) and ``y`` (codes of the rows, likewise).

    ``latency`` is in cycles: 0 is combinational, else ``y`` comes from flip-flops; ``x`` is not registered at the input.
    A new vector may come each cycle; the circuit runs freely (no enable, no reset).
    """

    netlist: Netlist
    latency: int


def unrolled_layer(
    weights: NDArray[np.int64],
    x: Encoding,
    outputs: Sequence[RowOutput],
    *,
    registered: bool = True,
    goal: Goal = "luts",
    name: str = "layer",
) -> UnrolledLayer:
    """The layer ``y[r] = outputs[r](sum over c of weights[r, c] * x[c])``, ``weights`` int (rows, columns), as LUTs and carry chains.

    Parameters
    ----------
    weights
        Constant integers; a convolution gives one column for each element of a window.
    x
        Encoding of every input element.
    outputs
        One for each row.
    registered
        Pipelined after every few levels, or combinational.
    goal
        Fewest LUTs, or fewest logic levels.
    """
    raise NotImplementedError

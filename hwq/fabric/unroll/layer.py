"""One unrolled layer: constant weights as wiring, every output each cycle (II = 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.fabric.ages import check_pipeline
from hwq.fabric.heap import Goal
from hwq.fabric.netlist import Netlist
from hwq.fabric.unroll.binary import binary_layer, binary_matrix
from hwq.fabric.unroll.general import general_layer
from hwq.fabric.unroll.outputs import RowOutput
from hwq.numerics.encoding import Bipolar, Encoding

__all__ = ["Goal", "UnrolledLayer", "unrolled_layer"]


@dataclass(frozen=True)
class UnrolledLayer:
    """A netlist with ports ``x`` (code of element k in bits ``k*bits .. (k+1)*bits - 1``) and ``y`` (codes of the rows, likewise).

    ``latency`` is in cycles: 0 is combinational, else ``y`` comes from flip-flops; ``x`` is not registered at the input.
    A new vector may come each cycle; the circuit runs freely (no enable, no reset).
    """

    netlist: Netlist
    latency: int

    def __post_init__(self) -> None:
        check_pipeline(self.netlist, self.latency)


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
        Fewest LUTs, fewest logic levels, or (``slices``) fewest CLBs: 5 to 20 % more LUTs for 5 to 29 % fewer CLBs where CARRY8 bound
        them, flip-flops included, and about a cycle more (:mod:`hwq.fabric.carry_balance`); as fewest LUTs where combinational.
    """
    found = np.asarray(weights, np.int64)
    _check(found, outputs, name)
    binary = binary_matrix(found) if isinstance(x, Bipolar) else None
    if binary:
        return UnrolledLayer(*binary_layer(binary, outputs, registered=registered, goal=goal, name=name))
    return UnrolledLayer(*general_layer(found, x, outputs, registered=registered, goal=goal, name=name))


def _check(weights: NDArray[np.int64], outputs: Sequence[RowOutput], name: str) -> None:
    if weights.ndim != 2 or 0 in weights.shape:
        raise InputError("UNROLL-SHAPE", f"weights of shape {weights.shape} were given, (rows, columns) was expected", where=name)
    if len(outputs) != len(weights):
        raise InputError("UNROLL-OUTPUTS", f"{len(outputs)} outputs were given for {len(weights)} rows of weights", where=name)

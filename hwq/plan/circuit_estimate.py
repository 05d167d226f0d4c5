"""What the circuit of an unrolled layer will come to, before it is made: a price to plan with, from counts alone.

The calibrated counts (:func:`hwq.plan.contraction_pieces.unrolled_circuit`) grow with the products; what rows share grows faster. On
sampled layers, of 64 to 784 columns and of 8 to 128 rows, sites per product and bit fall by the shares below.
"""

from __future__ import annotations

from dataclasses import replace
from math import log2

from hwq.plan.contraction_pieces import unrolled_circuit
from hwq.plan.pieces import Piece, piece_cost
from hwq.plan.summary import StageSummary

__all__ = ["expected_circuit"]

LEAST_SHARE = 0.4


def expected_circuit(s: StageSummary) -> Piece:
    """The circuit of ``s`` as a piece of known cost: within a fifth of what is made of most layers, half above it where weights repeat."""
    cost = piece_cost(unrolled_circuit(s))
    if s.x_bipolar and s.w_bipolar:
        # Sums of one bit: the more columns there are, the more of them several rows add alike. Registers stay.
        return Piece("circuit", fixed=replace(cost, lut=cost.lut * _share(0.12, s.mw / 64)))
    share = _share(0.1, s.mh / s.groups / 8)
    return Piece("circuit", fixed=replace(cost, lut=cost.lut * share, ff=cost.ff * share))


def _share(fall: float, size: float) -> float:
    """1 at size 1, less by ``fall`` with every doubling."""
    return max(LEAST_SHARE, 1 - fall * max(0.0, log2(size)))

"""What the planner may know of a stage: sizes, encodings and counts, never the weights themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwq.network.graph import Network
from hwq.network.ops import Conv, Op, Requantize, Saturating, Threshold
from hwq.numerics.encoding import Bipolar, smallest_integer
from hwq.plan.stages import Stage

__all__ = ["StageSummary", "summary_of"]


@dataclass(frozen=True)
class StageSummary:
    """Counts of one stage.

    Parameters
    ----------
    kind
        ``mvu``, ``elementwise`` or ``argmax``.
    mw, mh
        Matrix width and height; channels (both) for the other kinds.
    x_bits, w_bits, acc_bits, out_bits
        Widths of input code, weight code, accumulator (or input integer) and output code.
    x_bipolar, w_bipolar
        Whether codes stand for -1 and +1.
    nonzero
        Share of weights that are not zero.
    chunk
        Products between two saturations, 0 where accumulation is exact.
    thresholds
        Thresholds a channel; 0 without a staircase.
    multiplier_bits
        Width of the requantizer's multiplier; 0 without one.
    """

    name: str
    kind: str
    mw: int
    mh: int
    x_bits: int
    w_bits: int
    acc_bits: int
    out_bits: int
    x_bipolar: bool = False
    w_bipolar: bool = False
    nonzero: float = 1.0
    chunk: int = 0
    thresholds: int = 0
    multiplier_bits: int = 0

    @property
    def weight_bits(self) -> int:
        """Bits of all weights."""
        return self.mw * self.mh * self.w_bits if self.kind == "mvu" else 0


def summary_of(network: Network, stage: Stage) -> StageSummary:
    """Counts of ``stage``, from its op, its staircase and the exact intervals of its tensors."""
    source, target = network.tensors[stage.source], network.tensors[stage.target]
    op = stage.node.op
    staircase = stage.activation.op if stage.activation else op
    thresholds, multiplier_bits = _staircase(staircase)
    x = source.encoding
    if not isinstance(op, Conv):
        c = source.shape[2]
        return StageSummary(
            stage.name,
            stage.kind,
            c,
            c,
            x.bits,
            0,
            x.bits,
            target.encoding.bits,
            thresholds=thresholds,
            multiplier_bits=multiplier_bits,
        )
    acc = network.tensors[stage.node.outputs[0]].interval
    sat = op.accumulation if isinstance(op.accumulation, Saturating) else None
    return StageSummary(
        stage.name,
        stage.kind,
        op.mw,
        op.mh,
        x.bits,
        op.weight_encoding.bits,
        sat.bits if sat else smallest_integer(*acc.bounds).bits,
        target.encoding.bits,
        isinstance(x, Bipolar),
        isinstance(op.weight_encoding, Bipolar),
        float(np.count_nonzero(op.weights)) / max(1, op.weights.size),
        sat.chunk if sat else 0,
        thresholds,
        multiplier_bits,
    )


def _staircase(op: Op) -> tuple[int, int]:
    if isinstance(op, Threshold):
        return op.count, 0
    if isinstance(op, Requantize):
        return 0, max(int(abs(int(m))).bit_length() for m in op.multiplier) + 1
    return 0, 0

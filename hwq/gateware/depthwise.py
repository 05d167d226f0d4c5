"""Depthwise convolution: every processing element has a channel of its own and goes through its taps."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Module, Value

from hwq.fabric.weight_code import WeightCode
from hwq.gateware.mvu import ContractionStage, packed_words
from hwq.gateware.parts import Parts
from hwq.network.ops import Conv
from hwq.numerics.encoding import Encoding
from hwq.plan.geometry import ceil_div
from hwq.plan.units import Depthwise, Edge

__all__ = ["DepthwiseStage", "depthwise_words"]


class DepthwiseStage(ContractionStage):
    """``pe`` output channels of ``pe / multiplier`` input channels a cycle, a tap a firing; every block of channels gives a word.

    Output channel ``c * multiplier + j`` reads input channel c. No register tree: an activation has ``multiplier`` readers.
    Cost: weights ``blocks * taps`` words of ``pe`` weights; V x ``pe`` processing elements of one product.
    """

    unit: Depthwise

    def __init__(self, unit: Depthwise, source: Edge, target: Edge, x: Encoding, out: Encoding, parts: Parts) -> None:
        self.simd, self.tree = 1, 0
        super().__init__(unit, source, target, x, out, parts)

    def operands(self, m: Module, pixel: Value) -> list[Value]:
        bits = self.x.bits
        return [pixel[(row // self.unit.multiplier) * bits :][:bits] for row in range(self.unit.plan.pe)]

    def weights(self) -> list[int]:
        return depthwise_words(self.op, self.form.contraction.code, self.form.lane.pad_weight, self.unit.plan.pe)


def depthwise_words(op: Conv, code: WeightCode, pad: int, pe: int) -> list[int]:
    """Weight memory in the order of the firings: block of ``pe`` output channels, kh, kw; ``pad`` beyond the channels."""
    taps, blocks = op.mw, ceil_div(op.mh, pe)
    codes = np.full((blocks * pe, taps), pad, np.int64)
    codes[: op.mh] = code.encode(op.matrix)
    ordered = codes.reshape(blocks, pe, taps).transpose(0, 2, 1)
    return packed_words(ordered.reshape(blocks * taps, pe), code.bits)

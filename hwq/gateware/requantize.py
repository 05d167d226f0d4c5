"""Requantize unit: multiply, add, shift, clip."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from amaranth.hdl import Module, Mux, Signal

from hwq.gateware.activation import ActivationForm, ActivationUnit, pack_fields
from hwq.gateware.pipeline import delay, register
from hwq.network.ops import Requantize
from hwq.numerics.rounding import Rounding
from hwq.plan.latency import requantize_latency

__all__ = ["RequantizeForm", "RequantizeUnit"]


@dataclass(frozen=True, eq=False)
class RequantizeForm(ActivationForm):
    """``clip((multiplier * x + offset) >> shift, low, high)``; bit-exact with :class:`hwq.network.ops.Requantize`.

    Scale and offset of the domain are folded into multiplier and offset.
    """

    op: Requantize

    @property
    def latency(self) -> int:
        return requantize_latency(self.op)

    @cached_property
    def constants(self) -> tuple[np.ndarray, np.ndarray]:
        """Multipliers and offsets of the value itself, as Python integers: they may need more than 64 bits."""
        multiplier, offset = self.op.multiplier.astype(object), self.op.offset.astype(object)
        return multiplier * self.domain.scale, multiplier * self.domain.offset + offset

    @cached_property
    def widths(self) -> list[int]:
        """Bits of a multiplier and of an offset."""
        return [signed_bits(values) for values in self.constants]

    @property
    def constant_width(self) -> int:
        return sum(self.widths)

    @property
    def key(self) -> str:
        op = self.op
        return repr(("requantize", self.domain, self.out, self.widths, op.shift, op.rounding.value, op.low, op.high))

    def words(self, channels: int) -> list[int]:
        return pack_fields([np.broadcast_to(values, channels) for values in self.constants], self.widths)

    def build(self) -> ActivationUnit:
        return RequantizeUnit(self)


class RequantizeUnit(ActivationUnit):
    """Hardware of :class:`RequantizeForm`.

    Timing: operands, product, offset, half-even where asked for, clip: 4 or 5 cycles. Cost: one multiplier (DSP when wide),
    two adders, two comparisons.
    """

    form: RequantizeForm

    def elaborate(self, platform):
        m = Module()
        op, split = self.form.op, self.form.widths[0]
        value = register(m, self.value, "operand")
        multiplier = register(m, self.constants[:split].as_signed(), "multiplier")
        offset = delay(m, self.constants[split:].as_signed(), 2, "offset")
        total = register(m, register(m, value * multiplier, "product") + offset, "total")
        if op.rounding is Rounding.HALF_EVEN and op.shift:
            # Ties go to even: half minus one, and the lowest bit that stays.
            total = register(m, total + ((1 << (op.shift - 1)) - 1) + (total >> op.shift)[0], "rounded")
        shifted = total >> op.shift
        floor = Signal(shifted.shape())
        clipped = Mux(floor > op.high, op.high, Mux(floor < op.low, op.low, floor))
        m.d.comb += [floor.eq(shifted), self.code.eq(register(m, clipped, "clipped"))]
        return m


def signed_bits(values: np.ndarray) -> int:
    """Bits of a two's complement number that holds all of ``values``."""
    low, high = min(int(values.min()), -1), max(int(values.max()), 0)
    return max((-low - 1).bit_length(), high.bit_length()) + 1

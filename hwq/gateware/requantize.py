"""Requantize unit: multiply, add, shift, clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from amaranth.hdl import Const, Module, Mux, Signal, Value

from hwq.fabric.unroll.words import signed_digits
from hwq.gateware.activation import ActivationForm, ActivationUnit, pack_fields
from hwq.gateware.parts import Parts
from hwq.gateware.pipeline import delay, register
from hwq.network.ops import Requantize
from hwq.numerics.rounding import Rounding
from hwq.plan.latency import requantize_latency

__all__ = ["RequantizeForm", "RequantizeUnit"]

# Terms of a shared multiplier that two levels of adders take: with more a DSP slice multiplies.
TERMS = 4
# A variable multiplier of at most so many partial products is made of LUTs: a slice has more to do.
SMALL_PRODUCT = 48


@dataclass(frozen=True, eq=False)
class RequantizeForm(ActivationForm):
    """``clip((multiplier * x + offset) >> shift, low, high)``; bit-exact with :class:`hwq.network.ops.Requantize`.

    Scale and offset of the domain are folded into multiplier and offset. What all channels share is no constant of theirs but
    part of the hardware: a shared multiplier becomes shifts and at most three adders where its signed digits are few.

    Parameters
    ----------
    multiplier
        ``dsp``, ``lut``, or by cost.
    """

    op: Requantize
    multiplier: str = "auto"

    @property
    def latency(self) -> int:
        return requantize_latency(self.op)

    @cached_property
    def constants(self) -> tuple[np.ndarray, np.ndarray]:
        """Multipliers and offsets of the value itself, as Python integers: they may need more than 64 bits."""
        multiplier, offset = self.op.multiplier.astype(object), self.op.offset.astype(object)
        return multiplier * self.domain.scale, multiplier * self.domain.offset + offset

    @cached_property
    def shared(self) -> tuple[int | None, int | None]:
        """Multiplier and offset where all channels have the same, else None."""
        multiplier, offset = (int(values[0]) if (values == values[0]).all() else None for values in self.constants)
        return multiplier, offset

    @cached_property
    def widths(self) -> list[int]:
        """Bits of a multiplier and of an offset; 0 where it is shared."""
        pairs = zip(self.constants, self.shared, strict=True)
        return [signed_bits(values) if shared is None else 0 for values, shared in pairs]

    @property
    def constant_width(self) -> int:
        return sum(self.widths)

    @cached_property
    def terms(self) -> tuple[tuple[int, bool], ...] | None:
        """(shift, negative) of the powers of two that a shared multiplier is the sum of, where adders take them; None for a multiplier."""
        shared = self.shared[0]
        if shared is None or self.multiplier == "dsp":
            return None
        digits = tuple(signed_digits(shared))
        return digits if len(digits) <= TERMS else None

    @property
    def use_dsp(self) -> str:
        """Where the multiplier shall be, as Vivado's attribute says it."""
        if self.multiplier != "auto":
            return "yes" if self.multiplier == "dsp" else "no"
        width = signed_bits(self.constants[0])
        return "no" if width * self.domain.bits <= SMALL_PRODUCT else "yes"

    @property
    def key(self) -> str:
        op = self.op
        kind = (self.shared, self.terms is None and self.use_dsp)
        return repr(("requantize", self.domain, self.out, self.widths, op.shift, op.rounding.value, op.low, op.high, kind))

    def words(self, channels: int) -> list[int]:
        if not self.constant_width:
            return [0] * channels
        fields = [(values, width) for values, width in zip(self.constants, self.widths, strict=True) if width]
        return pack_fields([np.broadcast_to(values, channels) for values, _ in fields], [width for _, width in fields])

    def build(self, parts: Parts | None = None) -> ActivationUnit:
        return RequantizeUnit(self)


class RequantizeUnit(ActivationUnit):
    """Hardware of :class:`RequantizeForm`.

    Timing: operands, product, offset, half-even where asked for, clip: 4 or 5 cycles. A shared multiplier of few digits has an adder
    level in each of the first two. Cost: one multiplier (DSP when wide) or up to three adders, an adder, two comparisons.
    """

    form: RequantizeForm

    def elaborate(self, platform):
        m = Module()
        op = self.form.op
        total = register(m, self._product(m) + self._offset(m), "total")
        if op.rounding is Rounding.HALF_EVEN and op.shift:
            # Ties go to even: half minus one, and the lowest bit that stays.
            total = register(m, total + ((1 << (op.shift - 1)) - 1) + (total >> op.shift)[0], "rounded")
        shifted = total >> op.shift
        floor = Signal(shifted.shape())
        clipped = Mux(floor > op.high, op.high, Mux(floor < op.low, op.low, floor))
        m.d.comb += [floor.eq(shifted), self.code.eq(register(m, clipped, "clipped"))]
        return m

    def _product(self, m: Module) -> Value:
        """Multiplier times value, two cycles later."""
        form = self.form
        if form.terms is not None:
            sums = [register(m, _sum(self.value, form.terms[k : k + 2]), f"term_{k}") for k in range(0, len(form.terms), 2)]
            return register(m, sum(sums[1:], sums[0]) if sums else Const(0, 1), "product")
        value = register(m, self.value, "operand")
        shared, width = form.shared[0], form.widths[0]
        multiplier = Const(shared) if shared is not None else register(m, self.constants[:width].as_signed(), "multiplier")
        product = value * multiplier
        q = Signal(product.shape(), reset_less=True, name="product", attrs={"use_dsp": form.use_dsp})
        m.d.sync += q.eq(product)
        return q

    def _offset(self, m: Module) -> Value:
        shared = self.form.shared[1]
        if shared is not None:
            return Const(shared)
        return delay(m, self.constants[self.form.widths[0] :].as_signed(), 2, "offset")


def _sum(value: Value, terms: Sequence[tuple[int, bool]]) -> Value:
    """Powers of two times ``value``, at most two of them, added up."""
    total = Const(0, 1)
    for shift, negative in terms:
        shifted = value << shift
        total = total - shifted if negative else total + shifted
    return total


def signed_bits(values: np.ndarray) -> int:
    """Bits of a two's complement number that holds all of ``values``."""
    low, high = min(int(values.min()), -1), max(int(values.max()), 0)
    return max((-low - 1).bit_length(), high.bit_length()) + 1

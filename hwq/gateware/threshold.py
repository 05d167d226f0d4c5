"""Threshold unit: a staircase of an accumulator or of a code, by counting comparisons."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from amaranth.hdl import Cat, Const, Module, Signal

from hwq.fabric.portable_heap import heap_levels
from hwq.gateware.accumulator import domain_shape
from hwq.gateware.activation import ActivationForm, ActivationUnit, pack_fields
from hwq.gateware.compressor import compress
from hwq.gateware.pipeline import delay, register
from hwq.network.ops import Threshold
from hwq.plan.domain import Domain
from hwq.plan.latency import threshold_base, threshold_latency

__all__ = ["ThresholdForm", "ThresholdUnit"]


@dataclass(frozen=True, eq=False)
class ThresholdForm(ActivationForm):
    """``index = base + sum over t of steps[t] * (x >= thresholds[t])``; bit-exact with :class:`hwq.network.ops.Threshold`.

    Thresholds are moved into the domain of the value, so that scale and offset of a popcount cost nothing. A step of -1 is
    an inverted comparison and one less in the base.
    """

    op: Threshold

    @property
    def latency(self) -> int:
        return threshold_latency(self.op)

    @property
    def limit(self) -> Domain:
        """Domain of a threshold: one more than the largest value never fires."""
        return Domain(self.domain.lo, self.domain.hi + 1)

    @property
    def mixed(self) -> bool:
        """Whether the direction of a step differs between channels and so is a constant of its own."""
        return not (self.op.steps == self.op.steps[:1]).all()

    @cached_property
    def has_base(self) -> bool:
        """Whether some channel starts at another code than 0."""
        return bool(threshold_base(self.op).any())

    @property
    def widths(self) -> list[int]:
        """Bits of the fields of a constant word: thresholds, directions, base."""
        op = self.op
        return [self.limit.bits] * op.count + [1] * (op.count * self.mixed) + [op.out.bits] * self.has_base

    @property
    def constant_width(self) -> int:
        return sum(self.widths)

    @property
    def key(self) -> str:
        falling = None if self.mixed else [int(s) for s in self.op.steps[0]]
        return repr(("threshold", self.domain, self.out, self.op.count, falling, self.has_base))

    def words(self, channels: int) -> list[int]:
        reach = np.vectorize(self.domain.value_reaching, otypes=[object])
        fields = [np.broadcast_to(row, channels) for row in reach(self.op.thresholds).T] if self.op.count else []
        if self.mixed:
            fields += [np.broadcast_to(row, channels) for row in (self.op.steps < 0).T]
        if self.has_base:
            fields.append(np.broadcast_to(threshold_base(self.op), channels))
        return pack_fields(fields, self.widths) if fields else [0] * channels

    def build(self) -> ActivationUnit:
        return ThresholdUnit(self)


class ThresholdUnit(ActivationUnit):
    """Hardware of :class:`ThresholdForm`.

    Timing: one cycle for the comparisons, the levels of a popcount of K bits, one for the base unless it is zero for all
    channels. Cost: K comparators of the domain's width, K - log2 K LUT to count.
    """

    form: ThresholdForm

    def elaborate(self, platform):
        m = Module()
        form, count = self.form, self.form.op.count
        if not count:
            m.d.comb += self.code.eq(register(m, self.constants, "base") if form.has_base else 0)
            return m
        index = compress(m, [register(m, self._passed(m), "passed")], "count")
        if form.has_base:
            base = delay(m, self.constants[-form.out.bits :], 1 + heap_levels((count,)), "base")
            index = register(m, (index + base)[: form.out.bits], "index")
        m.d.comb += self.code.eq(index)
        return m

    def _passed(self, m: Module):
        """One bit a threshold: a rising step that is reached, a falling one that is not."""
        form, count, bits = self.form, self.form.op.count, self.form.limit.bits
        reached = []
        for t in range(count):
            limit = Signal(domain_shape(form.limit), name=f"limit_{t}")
            m.d.comb += limit.eq(self.constants[t * bits : (t + 1) * bits])
            reached.append(self.value >= limit)
        shared = Cat(*(Const(int(s < 0), 1) for s in form.op.steps[0]))
        falling = self.constants[count * bits : count * (bits + 1)] if form.mixed else shared
        return Cat(*reached) ^ falling

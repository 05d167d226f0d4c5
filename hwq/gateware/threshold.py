"""Threshold unit: a staircase of an accumulator or of a code, by counting comparisons or by search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from hwq.gateware.accumulator import domain_shape
from hwq.gateware.activation import ActivationForm, ActivationUnit, pack_fields
from hwq.gateware.comparisons import place_comparisons
from hwq.gateware.compressor import compress
from hwq.gateware.parts import Parts
from hwq.gateware.pipeline import delay, register
from hwq.network.ops import Threshold
from hwq.plan.domain import Domain
from hwq.plan.threshold import falling_channels, is_search, search_levels, threshold_base, threshold_latency

__all__ = ["ThresholdForm", "ThresholdUnit"]


@dataclass(frozen=True, eq=False)
class ThresholdForm(ActivationForm):
    """``index = base + sum over t of steps[t] * (x >= thresholds[t])``; bit-exact with :class:`hwq.network.ops.Threshold`.

    Thresholds are moved into the domain of the value, so that scale and offset of a popcount cost nothing. A step of -1 is
    an inverted comparison and one less in the base. Where a search is cheaper (:func:`hwq.plan.threshold.is_search`), a comparison a
    cycle finds the count bit by bit, the highest first; in a falling channel all its bits are inverted.
    """

    op: Threshold
    hold: int = 1

    @property
    def latency(self) -> int:
        return threshold_latency(self.op, self.limit.bits, self.hold)

    @cached_property
    def searches(self) -> bool:
        """Whether the count is found by search."""
        return is_search(self.op, self.limit.bits, self.hold)

    @property
    def held(self) -> int:
        return min(self.hold, self.latency) if self.searches else 1

    @property
    def limit(self) -> Domain:
        """Domain of a threshold: one more than the largest value never fires."""
        return Domain(self.domain.lo, self.domain.hi + 1)

    @cached_property
    def directions(self) -> np.ndarray:
        """Whether steps fall: (C, 1) or (1, 1) where a channel's have one direction, else (C, K) or (1, K); no columns without steps."""
        one = falling_channels(self.op)
        return self.op.steps < 0 if one is None else one[:, None]

    @property
    def mixed(self) -> bool:
        """Whether the direction of a step differs between channels and so is a constant of its own."""
        return not (self.directions == self.directions[:1]).all()

    @cached_property
    def has_base(self) -> bool:
        """Whether some channel starts at another code than 0."""
        return bool(threshold_base(self.op).any())

    @cached_property
    def shared(self) -> list[int | None]:
        """Thresholds in the domain that all channels have, and None for those that differ: what is shared is part of the hardware."""
        return [int(row[0]) if (row == row[0]).all() else None for row in self.limits]

    @cached_property
    def limits(self) -> np.ndarray:
        """Thresholds in the domain, (K, C) or (K, 1)."""
        reach = np.vectorize(self.domain.value_reaching, otypes=[object])
        return reach(self.op.thresholds).T if self.op.count else np.empty((0, 1), object)

    @property
    def widths(self) -> list[int]:
        """Bits of the fields of a constant word: thresholds that differ, directions, base."""
        op = self.op
        return [self.limit.bits] * self.shared.count(None) + [1] * (self.directions.shape[1] * self.mixed) + [op.out.bits] * self.has_base

    @property
    def constant_width(self) -> int:
        return sum(self.widths)

    @property
    def key(self) -> str:
        falling = None if self.mixed else [int(f) for f in self.directions[0]]
        kind = ("search", self.held) if self.searches else ("threshold", self.directions.shape[1])
        return repr((*kind, self.domain, self.out, self.shared, falling, self.has_base))

    def words(self, channels: int) -> list[int]:
        fields = [np.broadcast_to(row, channels) for row, shared in zip(self.limits, self.shared, strict=True) if shared is None]
        if self.mixed:
            fields += [np.broadcast_to(row, channels) for row in self.directions.T]
        if self.has_base:
            fields.append(np.broadcast_to(threshold_base(self.op), channels))
        return pack_fields(fields, self.widths) if fields else [0] * channels

    def build(self, parts: Parts | None = None) -> ActivationUnit:
        return ThresholdUnit(self, parts or Parts())


class ThresholdUnit(ActivationUnit):
    """Hardware of :class:`ThresholdForm`.

    Timing: one cycle for the comparisons and the levels of a popcount of K bits, or ``ceil(log2(K + 1))`` cycles of search; one for
    the base unless it is zero for all channels. Cost: K comparators of the domain's width, two bits a LUT, K - log2 K LUT to count; or
    log2 K comparators, and a LUT for three bits of thresholds to choose among. Thresholds that all channels share are no constants.
    """

    form: ThresholdForm

    def __init__(self, form: ThresholdForm, parts: Parts) -> None:
        super().__init__(form)
        self.parts = parts

    def elaborate(self, platform):
        m = Module()
        form, count = self.form, self.form.op.count
        if not count:
            m.d.comb += self.code.eq(register(m, self.constants, "base") if form.has_base else 0)
            return m
        index = self._found(m) if form.searches else compress(m, [register(m, self._passed(m), "passed")], "count")
        if form.has_base:
            base = self._later(m, self.constants[-form.out.bits :], form.latency - 1, "base")
            index = register(m, (index + base)[: form.out.bits], "index")
        m.d.comb += self.code.eq(index)
        return m

    def _passed(self, m: Module):
        """One bit a threshold: a rising step that is reached, a falling one that is not."""
        count = self.form.op.count
        limits = [None if shared is not None else self._limit(m, t) for t, shared in enumerate(self.form.shared)]
        reached = self._compared(m, "comparisons", self.value, limits, self.form.shared)
        falling = self._falling()
        return reached ^ (falling if len(falling) == count else falling.replicate(count))

    def _compared(self, m: Module, name: str, value: Value, limits: list[Value | None], known: list[int | None]) -> Value:
        """A bit a limit: ``value`` reaches it."""
        limit = self.form.limit
        return place_comparisons(m, self.parts, name, value, limits, known, limit.bits, limit.signed)

    def _limit(self, m: Module, t: int) -> Value:
        """Threshold ``t`` as a number of the form's ``limit``."""
        form, bits = self.form, self.form.limit.bits
        if form.shared[t] is not None:
            return Const(form.shared[t], domain_shape(form.limit))
        limit, at = Signal(domain_shape(form.limit), name=f"limit_{t}"), form.shared[:t].count(None) * bits
        m.d.comb += limit.eq(self.constants[at : at + bits])
        return limit

    def _falling(self) -> Value:
        form = self.form
        first, size = form.shared.count(None) * form.limit.bits, form.directions.shape[1]
        return self.constants[first : first + size] if form.mixed else Cat(*(Const(int(f), 1) for f in form.directions[0]))

    def _later(self, m: Module, constants: Value, cycle: int, name: str) -> Value:
        """Constants as they were when the value came, ``cycle`` cycles after it."""
        return constants if isinstance(constants, Const) else delay(m, constants, max(0, cycle + 1 - self.form.held), name)

    def _found(self, m: Module) -> Value:
        """The number of thresholds that are reached, all bits inverted in a falling channel."""
        form, value = self.form, self.value
        levels = search_levels(form.op.count)
        bits: list[Value] = []  # the highest first
        for level in range(levels):
            if level:
                bits = [register(m, bit, f"bit{n}_{level}") for n, bit in enumerate(bits)]
                value = register(m, value, f"value_{level}")
            limit = self._chosen(m, bits, levels)
            known = limit.value if isinstance(limit, Const) else None
            bits.append(self._compared(m, f"comparison_{level}", value, [limit], [known]))
        falling = self._later(m, self._falling(), levels - 1, "falling")
        return register(m, Cat(*reversed(bits)) ^ falling.replicate(levels), "found")

    def _chosen(self, m: Module, bits: Sequence[Value], levels: int) -> Value:
        """The threshold in the middle of those that are left once ``bits``, the highest first, are known."""
        level, half = len(bits), 1 << (levels - len(bits) - 1)
        places = [(2 * prefix + 1) * half - 1 for prefix in range(1 << level)]
        choices = [self._place(m, place, level) for place in places]
        for bit in reversed(bits):
            choices = [Mux(bit, high, low) for low, high in zip(choices[::2], choices[1::2], strict=True)]
        if isinstance(choices[0], Const):
            return choices[0]
        chosen = Signal(domain_shape(self.form.limit), name=f"chosen_{level}")
        m.d.comb += chosen.eq(choices[0])
        return chosen

    def _place(self, m: Module, place: int, level: int) -> Value:
        """Threshold at a place of the full tree: those that are missing are never reached, in a falling channel always."""
        form = self.form
        missing = (1 << search_levels(form.op.count)) - 1 - form.op.count
        falls = missing and form.directions[0, 0]
        t = place - missing if falls else place
        if not 0 <= t < form.op.count:
            return Const(form.limit.lo if falls else form.limit.hi, domain_shape(form.limit))
        return self._later(m, self._limit(m, t), level, f"limit_{t}")

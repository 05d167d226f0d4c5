"""Processing element: one row of a matrix-vector unit. Emitted once, instanced PE times."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from amaranth.hdl import Module, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwq.fabric.lane_form import LaneForm
from hwq.gateware.accumulator import Accumulator, AccumulatorControl
from hwq.gateware.activation import ActivationForm, AffineForm
from hwq.gateware.lane import Lane, Row, lane_hint, lane_key
from hwq.gateware.parts import Parts, content_key
from hwq.gateware.requantize import RequantizeForm
from hwq.gateware.threshold import ThresholdForm
from hwq.network.graph import Node
from hwq.network.ops import Conv, Requantize, Threshold
from hwq.numerics.encoding import Encoding
from hwq.plan.contraction import Contraction, RawForm, contraction
from hwq.plan.domain import Domain
from hwq.plan.latency import contraction_latency, lane_cycles, row_cycles

__all__ = ["ElementForm", "ProcessingElement", "activation_form"]


def activation_form(node: Node | None, domain: Domain, out: Encoding, hold: int = 1, multiplier: str = "auto") -> ActivationForm:
    """What ``node`` computes on values of ``domain``; without a node, the integers themselves.

    The constants of a channel can stand for ``hold`` cycles; ``multiplier`` is what multiplies.
    """
    if node is None:
        return AffineForm(domain, out)
    if isinstance(node.op, Threshold):
        return ThresholdForm(domain, out, node.op, hold)
    assert isinstance(node.op, Requantize)
    return RequantizeForm(domain, out, node.op, multiplier)


@dataclass(frozen=True, eq=False)
class ElementForm:
    """A row of a matrix-vector unit, apart from its weights: contraction ``op`` of ``x`` in words of ``simd``, and what follows."""

    op: Conv
    x: Encoding
    simd: int
    node: Node | None
    out: Encoding
    multiplier: str = "auto"

    @cached_property
    def contraction(self) -> Contraction:
        """What of it lies in lanes and accumulator, and what in the constants of the channels."""
        return contraction(self.op, self.x, self.simd, self.node, self.multiplier)

    @property
    def lane(self) -> LaneForm:
        """The dot product of one word."""
        return self.contraction.lane

    @property
    def raw(self) -> RawForm:
        """How the words are added."""
        return self.contraction.raw

    @cached_property
    def activation(self) -> ActivationForm:
        """The staircase, or the plain integers."""
        # A vector's turn stands for its words: so long may the activation look at its constants.
        form = self.contraction
        if form.offsets is not None:
            return AffineForm(form.domain, self.out, tuple(map(int, form.offsets)))
        return activation_form(form.behind, form.domain, self.out, form.words, self.multiplier)

    @property
    def row_bits(self) -> int:
        """Bits of an accumulator that is one with the lane; 0 where they are apart."""
        return self.contraction.row_bits

    @property
    def control_at(self) -> int:
        """Cycles from operands to the cycle in which the accumulator wants their control."""
        return self.constants_at - 1 if self.row_bits else lane_cycles(self.lane)

    @property
    def constants_at(self) -> int:
        """Cycles from the last operands of a vector to the cycle in which the activation wants its constants."""
        return row_cycles(self.contraction)

    @property
    def latency(self) -> int:
        """Cycles from the last operands of a vector to the code."""
        return contraction_latency(self.contraction)

    @property
    def key(self) -> str:
        """Stands for the hardware."""
        words = self.contraction.words, self.op.mw
        return content_key(
            lane_key(self.lane), words, self.contraction.domain, self.raw.zero, repr(self.op.accumulation), self.activation.key
        )


class ProcessingElement(wiring.Component):
    """Lane, accumulator and activation of one output row.

    Timing: free-running; ``code`` stands ``form.latency`` cycles after the last operands of a vector. ``control`` comes
    ``form.control_at`` after its operands, ``constants`` ``form.constants_at`` after the last operands, for as
    many cycles as the activation wants.
    Weights and constants are ports: rows differ in what they are fed, not in what they are.

    Members
    -------
    x, w : In(unsigned)
        SIMD activation codes and weight codes.
    control : In(AccumulatorControl)
        Of the raw sum that leaves the lane in this cycle.
    constants : In(unsigned)
        Constants of the row's channel, for the activation; absent where it has none.
    code : Out(unsigned)
        The row's output.
    """

    def __init__(self, form: ElementForm, parts: Parts) -> None:
        self.form, self.parts = form, parts
        members = {
            "x": In(unsigned(form.simd * form.x.bits)),
            "w": In(unsigned(form.lane.word_bits)),
            "control": In(AccumulatorControl(is_masked=form.raw.zero is not None)),
            "code": Out(unsigned(form.out.bits)),
        }
        if form.activation.constant_width:
            members["constants"] = In(unsigned(form.activation.constant_width))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        form = self.form
        m.submodules.activation = activation = form.activation.build()
        m.d.comb += [activation.value.eq(self._row(m) if form.row_bits else self._total(m)), self.code.eq(activation.code)]
        if form.activation.constant_width:
            m.d.comb += activation.constants.eq(self.constants)
        return m

    def _row(self, m: Module) -> Value:
        """Lane and accumulator in one."""
        lane, bits = self.form.lane, self.form.row_bits
        m.submodules.row = row = self.parts.place("row", f"{lane_hint(lane)}_{bits}", f"{lane_key(lane)}{bits}", lambda: Row(lane, bits))
        m.d.comb += [row.x.eq(self.x), row.w.eq(self.w), row.valid.eq(self.control.valid), row.first.eq(self.control.first)]
        return row.total

    def _total(self, m: Module) -> Value:
        """A lane, and an accumulator of its own."""
        form = self.form
        m.submodules.lane = lane = self.parts.place("lane", lane_hint(form.lane), lane_key(form.lane), lambda: Lane(form.lane))
        m.submodules.accumulator = accumulator = Accumulator(form.contraction)
        m.d.comb += [lane.x.eq(self.x), lane.w.eq(self.w), accumulator.y.eq(lane.y), accumulator.control.eq(self.control)]
        return accumulator.total

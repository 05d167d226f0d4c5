"""Processing element: a row of a matrix-vector unit, or a few whose sums share a slice. Emitted once, instanced for all rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from amaranth.hdl import Cat, Module, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwq.fabric.lane_form import LaneForm
from hwq.gateware.accumulator import Accumulator, AccumulatorControl
from hwq.gateware.activation import ActivationForm, AffineForm
from hwq.gateware.lane import Lane, Row, SliceRows, lane_hint, lane_key
from hwq.gateware.parts import Parts, content_key
from hwq.gateware.pipeline import named
from hwq.gateware.requantize import RequantizeForm
from hwq.gateware.threshold import ThresholdForm
from hwq.network.graph import Node
from hwq.network.ops import Conv, Requantize, Threshold
from hwq.numerics.encoding import Encoding
from hwq.plan.contraction import Contraction, RawForm, contraction
from hwq.plan.domain import Domain
from hwq.plan.latency import contraction_latency, row_control, row_cycles

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
    """A row of a matrix-vector unit, apart from its weights: contraction ``op`` of ``x`` in words of ``simd``, and what follows.

    ``multiplier`` and ``accumulator`` as in :class:`hwq.plan.plan.StagePlan`; ``pe`` rows have the same activations.
    """

    op: Conv
    x: Encoding
    simd: int
    node: Node | None
    out: Encoding
    multiplier: str = "auto"
    accumulator: str = "auto"
    pe: int = 1

    @cached_property
    def contraction(self) -> Contraction:
        """What of it lies in lanes and accumulator, and what in the constants of the channels."""
        return contraction(self.op, self.x, self.simd, self.node, self.multiplier, self.accumulator, self.pe)

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
    def slice_word(self) -> int:
        """Bits of the word of an arithmetic slice in which a row sums up; 0 where it does so in LUTs."""
        return self.contraction.slice_word

    @property
    def rows(self) -> int:
        """Rows of a processing element: as many as multiply and sum up in whole slices."""
        return self.contraction.rows

    @property
    def control_at(self) -> int:
        """Cycles from operands to the cycle in which the accumulator wants their control."""
        return row_control(self.contraction)

    @property
    def constants_at(self) -> int:
        """Cycles from the last operands of a vector to the cycle in which the activation wants its constants."""
        return row_cycles(self.contraction)

    @property
    def latency(self) -> int:
        """Cycles from the last operands of a vector to the code."""
        return contraction_latency(self.contraction)

    def key(self, rows: int = 1) -> str:
        """Stands for the hardware of an element of ``rows`` rows."""
        form = self.contraction
        shared = (form.slice_word, rows) if self.rows > 1 or form.slice_word else ()
        return content_key(
            lane_key(self.lane),
            (form.words, self.op.mw),
            form.domain,
            self.raw.zero,
            repr(self.op.accumulation),
            self.activation.key,
            *shared,
        )


class ProcessingElement(wiring.Component):
    """Lane, accumulator and activation of one output row, or of ``rows`` whose products or accumulators share arithmetic slices.

    Timing: free-running; ``code`` stands ``form.latency`` cycles after the last operands of a vector. ``control`` comes
    ``form.control_at`` after its operands, ``constants`` ``form.constants_at`` after the last operands, for as
    many cycles as the activation wants.
    Weights and constants are ports: rows differ in what they are fed, not in what they are. Several rows stand one behind the other
    in ``w``, ``constants`` and ``code``.

    Members
    -------
    x, w : In(unsigned)
        SIMD activation codes, and weight codes of every row.
    control : In(AccumulatorControl)
        Of the raw sum that leaves the lane in this cycle.
    constants : In(unsigned)
        Constants of the row's channel, for the activation; absent where it has none.
    code : Out(unsigned)
        The row's output.
    """

    def __init__(self, form: ElementForm, parts: Parts, rows: int = 1) -> None:
        assert 1 <= rows <= form.rows, "rows share an element where they share slices"
        self.form, self.parts, self.rows = form, parts, rows
        members = {
            "x": In(unsigned(form.simd * form.x.bits)),
            "w": In(unsigned(rows * form.lane.word_bits)),
            "control": In(AccumulatorControl(is_masked=form.raw.zero is not None)),
            "code": Out(unsigned(rows * form.out.bits)),
        }
        if form.activation.constant_width:
            members["constants"] = In(unsigned(rows * form.activation.constant_width))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        form, width = self.form, self.form.activation.constant_width
        codes = []
        for row, total in enumerate(self._totals(m)):
            activation = form.activation.build(self.parts)
            m.submodules["activation" if self.rows == 1 else f"activation_{row}"] = activation
            m.d.comb += activation.value.eq(total)
            if width:
                m.d.comb += activation.constants.eq(self.constants[row * width : (row + 1) * width])
            codes.append(activation.code)
        m.d.comb += self.code.eq(Cat(*codes))
        return m

    def _totals(self, m: Module) -> list[Value]:
        """What the activation of each row is given."""
        return self._rows(m) if self.form.row_bits else self._apart(m)

    def _rows(self, m: Module) -> list[Value]:
        """Lanes and accumulators in one."""
        lane, bits, rows = self.form.lane, self.form.row_bits, self.rows
        kind, build = ("rows", SliceRows) if self.form.slice_word else ("row", Row)
        hint, key = f"{self._hint}_{bits}", f"{lane_key(lane)}{bits}x{rows}"
        m.submodules.row = part = self.parts.place(kind, hint, key, lambda: build(lane, bits, rows))
        m.d.comb += [part.x.eq(self.x), part.w.eq(self.w), part.valid.eq(self.control.valid), part.first.eq(self.control.first)]
        return _parted(named(m, part.total, "totals"), bits)

    def _apart(self, m: Module) -> list[Value]:
        """Lanes, and an accumulator of its own for each."""
        form, rows = self.form, self.rows
        m.submodules.lane = lane = self.parts.place("lane", self._hint, f"{lane_key(form.lane)}x{rows}", lambda: Lane(form.lane, rows))
        m.d.comb += [lane.x.eq(self.x), lane.w.eq(self.w)]
        totals = []
        for row, y in enumerate(_parted(lane.y, form.lane.y_bits)):
            accumulator = Accumulator(form.contraction, self.parts)
            m.submodules["accumulator" if rows == 1 else f"accumulator_{row}"] = accumulator
            m.d.comb += [accumulator.y.eq(y), accumulator.control.eq(self.control)]
            totals.append(accumulator.total)
        return totals

    @property
    def _hint(self) -> str:
        return lane_hint(self.form.lane) if self.form.rows == 1 else f"{self.rows}x{lane_hint(self.form.lane)}"


def _parted(value: Value, bits: int) -> list[Value]:
    return [value[k : k + bits] for k in range(0, len(value), bits)]

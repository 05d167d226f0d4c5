"""Accumulators: exact, and saturating after every chunk of products."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwq.network.ops import Saturating
from hwq.plan.contraction import Contraction, RawForm
from hwq.plan.domain import Domain, chunk_folds, words_per_vector
from hwq.plan.latency import accumulator_latency

__all__ = ["Accumulator", "AccumulatorControl", "domain_shape"]


class AccumulatorControl(data.StructLayout):
    """What an accumulator is told with each raw sum.

    ``valid``: there is one. ``first``, ``last``: of its vector. ``chunk_first``, ``chunk_last``: of its chunk.
    Where taps in the padding are masked, ``pad``: it is one; ``ragged``: the last word of a tap.
    """

    def __init__(self, *, is_masked: bool = False) -> None:
        masked = {"pad": 1, "ragged": 1} if is_masked else {}
        super().__init__({"valid": 1, "first": 1, "last": 1, "chunk_first": 1, "chunk_last": 1, **masked})


def domain_shape(domain: Domain) -> Shape:
    """Shape of a wire of ``domain``."""
    return signed(domain.bits) if domain.signed else unsigned(domain.bits)


class Accumulator(wiring.Component):
    """Sums the raw sums of a vector, in the lane's raw domain (exact) or as integers (saturating).

    Exact: ``total = sum of y``, meaning ``domain.scale * total + domain.offset``, and the weights' shares where they stand apart.
    Saturating(bits, chunk): inside a chunk of ``chunk`` products exact, then added to an accumulator that starts at 0 and
    clips to ``bits`` bits; bit-exact with :class:`hwq.network.ops.Saturating`. SIMD divides ``chunk``, or the vector is
    one chunk. The last chunk may be short.

    Timing: ``total`` stands ``latency`` cycles after the last raw sum of a vector, for one cycle at least.
    A bubble (``valid`` low) holds. Reset-less: ``first`` restarts. A masked word counts as what stands for the integer 0.
    Cost: one carry chain; saturating, two and a comparison.

    Members
    -------
    y : In(unsigned)
        Raw sum of a lane.
    control : In(AccumulatorControl)
        Travels with ``y``.
    total : Out
        In ``domain``.
    """

    def __init__(self, contraction: Contraction) -> None:
        self.op, self.simd = contraction.op, contraction.simd
        self.form: RawForm = contraction.raw
        self.domain = contraction.domain
        self.latency = accumulator_latency(self.op, self.simd)
        super().__init__(
            {
                "y": In(unsigned(self.form.lane.y_bits)),
                "control": In(AccumulatorControl(is_masked=self.form.zero is not None)),
                "total": Out(domain_shape(self.domain)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        self.raw = self._masked(m)
        if isinstance(self.op.accumulation, Saturating):
            self._saturating(m, self.op.accumulation)
        elif self.latency:
            m.d.comb += self.total.eq(self._sum(m, self.control.first, self.domain.hi))
        else:
            m.d.comb += self.total.eq(self.raw)
        return m

    def _masked(self, m: Module) -> Value:
        """The raw sum in units of the form, or the constant of a word in the padding."""
        form = self.form
        if form.zero is None:
            return self.y
        whole, last = (Const(zero, range(form.y_max + 1)) for zero in form.zero)
        raw = Signal(range(form.y_max + 1), name="raw")
        constant = whole if form.zero[0] == form.zero[1] else Mux(self.control.ragged, last, whole)
        m.d.comb += raw.eq(Mux(self.control.pad, constant, self.y * form.refine))
        return raw

    def _sum(self, m: Module, restart, largest: int) -> Signal:
        total = Signal(range(largest + 1), name="sum", reset_less=True)
        with m.If(self.control.valid):
            m.d.sync += total.eq(Mux(restart, 0, total) + self.raw)
        return total

    def _saturating(self, m: Module, accumulation: Saturating) -> None:
        folds, form = chunk_folds(self.op, self.simd), self.form
        sf = words_per_vector(self.op, self.simd)
        step, first, last = Signal(), Signal(), Signal()
        if folds > 1:
            raw = self._sum(m, self.control.chunk_first, folds * form.y_max)
            # `first` marks the word that opens the vector; its chunk ends words later.
            opening = Signal(reset_less=True)
            with m.If(self.control.valid & self.control.chunk_first):
                m.d.sync += opening.eq(self.control.first)
            m.d.sync += [step.eq(self.control.valid & self.control.chunk_last), last.eq(self.control.last)]
            m.d.comb += first.eq(opening)
        else:
            raw = self.raw
            m.d.comb += [step.eq(self.control.valid), first.eq(self.control.first), last.eq(self.control.last)]
        #: Raw sum of the chunk so far, for proofs.
        self.chunk_sum = raw
        before = -(-sf // folds) - 1  # chunks before the last
        columns, rest = folds * self.simd, (sf - before * folds) * self.simd
        whole = form.lane.offset(columns, columns - accumulation.chunk)
        short = form.lane.offset(rest, rest - (self.op.mw - before * accumulation.chunk))
        whole = whole if before else short
        offset = Const(whole) if whole == short else Mux(last, Const(short), Const(whole))
        clipped = Signal(signed(accumulation.bits), name="clipped", reset_less=True)
        grown = Mux(first, 0, clipped) + (raw * form.step + offset)
        low, high = accumulation.lo, accumulation.hi
        with m.If(step):
            m.d.sync += clipped.eq(Mux(grown > high, high, Mux(grown < low, low, grown)))
        m.d.comb += self.total.eq(clipped)

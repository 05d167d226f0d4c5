"""What a plan says of multipliers and accumulators, and which stages cannot obey it."""

from __future__ import annotations

from collections.abc import Iterator

from hwq.errors import InputError
from hwq.fabric.lane_array import DSP_WORDS
from hwq.fabric.lane_netlist import has_netlist
from hwq.network.graph import Network
from hwq.network.ops import Conv, Saturating
from hwq.plan.contraction import Contraction, contraction
from hwq.plan.draft import StageDraft
from hwq.plan.stages import Stage
from hwq.plan.summary import CONTRACTIONS, StageSummary

__all__ = ["arithmetic_breaches", "unrolled_arithmetic_breaches"]


def arithmetic_breaches(network: Network, stage: Stage, s: StageSummary, d: StageDraft) -> Iterator[InputError]:
    """Slices that the draft of a stage asks for where none can do the work; unrolled stages: :func:`unrolled_arithmetic_breaches`."""
    if d.style == "unrolled" or "dsp" not in (d.multiplier, d.accumulator):
        return
    if s.kind not in CONTRACTIONS:
        if d.multiplier == "dsp" and not s.multiplier_bits:
            yield _breach(s.name, "multiplier", f"a stage of kind {s.kind} without a requantizer multiplies nothing by constants")
        if d.accumulator == "dsp":
            yield _breach(s.name, "accumulator", f"a stage of kind {s.kind} has no sums of products")
        return
    op, x = stage.node.op, network.tensors[stage.source].encoding
    assert isinstance(op, Conv)
    simd = d.simd if d.simd and 1 <= d.simd <= s.columns else 1
    form = contraction(op, x, simd, stage.activation, d.multiplier or "auto", d.accumulator or "auto")
    if d.multiplier == "dsp" and form.lane.circuit not in ("dsp", "multiply") and not s.multiplier_bits:
        yield _breach(s.name, "multiplier", f"products of {x.name} and {op.weight_encoding.name} do not fit the multiplier of a slice")
    if d.accumulator == "dsp":
        why = "a depthwise stage adds its products without slices" if s.kind == "depthwise" else _no_slice(form)
        if why:
            yield _breach(s.name, "accumulator", why)


def unrolled_arithmetic_breaches(s: StageSummary, d: StageDraft) -> Iterator[InputError]:
    """What an unrolled stage has no use for: slices for products and sums, a memory of constants."""
    if d.multiplier in ("dsp", "inferred") and not s.multiplier_bits:
        yield _breach(s.name, "multiplier", "an unrolled stage multiplies by wiring", d.multiplier)
    if d.accumulator == "dsp":
        yield _breach(s.name, "accumulator", "an unrolled stage adds all products at once, in LUTs")
    if d.constants not in (None, "auto", "logic"):
        yield _breach(s.name, "constants", "the constants of an unrolled stage are logic", d.constants)


def _no_slice(form: Contraction) -> str | None:
    """Why no slice sums up the words of a contraction; None where one does, or where an output is a single word."""
    if isinstance(form.op.accumulation, Saturating):
        return "the accumulator saturates, the sums of slices are exact"
    if form.words == 1 or form.slice_word:
        return None
    if form.raw.zero is not None:
        return "words of the padding are replaced before they are added"
    if not has_netlist(form.lane):
        return "synthesis makes its lanes, which end in no two rows that a slice could add"
    return f"its sums take {form.domain.bits} bits, a slice adds words of {max(DSP_WORDS)}"


def _breach(name: str, field: str, why: str, value: str | None = "dsp") -> InputError:
    return InputError("PLAN-ARITHMETIC", f"{field} is {value!r}, but {why}", where=f"stage {name}", hint=f"Leave {field} out, or auto")

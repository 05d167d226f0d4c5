"""Threshold and requantize units proven: their definitions, for all values and channels, one after the other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from amaranth.hdl import Array, Assert, Assume, Const, Module, Mux, Signal, Value, signed

from hwq.gateware.accumulator import domain_shape
from hwq.gateware.activation import ActivationForm
from hwq.gateware.pipeline import delay
from hwq.gateware.requantize import RequantizeForm
from hwq.gateware.threshold import ThresholdForm
from hwq.network.ops import Requantize, Threshold
from hwq.numerics.encoding import Bipolar, parse_encoding
from hwq.numerics.rounding import Rounding
from hwq.plan.domain import Domain
from tests.gateware.prover import proven
from tests.gateware.test_threshold import staircase

CHANNELS = 4
Meaning = Callable[[Value, int], Value]


def unit_proof(form: ActivationForm, meaning: Meaning) -> tuple[Module, dict[str, Signal]]:
    """Values of any channel as fast as the unit takes them: the code is ``meaning`` of integer and channel, ``latency`` cycles later."""
    m, value, channel, phase = Module(), Signal(domain_shape(form.domain)), Signal(2), Signal(range(max(form.held, 2)))
    m.submodules.unit = dut = form.build()
    last = Signal(2)
    m.d.sync += [last.eq(channel), phase.eq(Mux(phase >= form.held - 1, 0, phase + 1))]
    m.d.comb += [dut.value.eq(value), Assume((value >= form.domain.lo) & (value <= form.domain.hi))]
    m.d.comb += [Assume((phase == 0) | (channel == last)), Assert(phase < form.held)]
    if form.constant_width:
        m.d.comb += dut.constants.eq(Array([Const(w, form.constant_width) for w in form.words(CHANNELS)])[channel])
    integer = value * form.domain.scale + form.domain.offset
    expected, come = Signal(form.out.bits), Signal()
    m.d.comb += [expected.eq(Array([meaning(integer, c)[: form.out.bits] for c in range(CHANNELS)])[channel]), come.eq(phase == 0)]
    later, due = delay(m, expected, form.latency, "expected"), delay(m, come, form.latency, "due")
    filled: Value = Const(1, 1)
    for k in range(form.latency):
        filled, before = Signal(name=f"filled_{k}"), filled
        m.d.sync += filled.eq(before)
    m.d.comb += Assert(~filled | ~due | (dut.code == later))
    return m, {"value": value, "channel": channel}


def of_staircase(op: Threshold) -> Meaning:
    """Steps counted one by one; the code is that of ``lo + step * index``."""

    def meaning(x: Value, channel: int) -> Value:
        index = Const(int(op.base[channel]), signed(12))
        for threshold, step in zip(op.thresholds[channel].tolist(), op.steps[channel].tolist(), strict=True):
            index = index + Mux(x >= threshold, step, 0)
        return (index if isinstance(op.out, Bipolar) else index + op.out.lo).as_unsigned()

    return meaning


def of_requantizer(op: Requantize) -> Meaning:
    """Rounded down; then one more where the remainder is above the half, or is the half and the quotient odd."""

    def meaning(x: Value, channel: int) -> Value:
        exact = x * int(op.multiplier[channel]) + int(op.offset[channel])
        whole, rest, half = exact >> op.shift, exact[: op.shift], 1 << op.shift >> 1
        if op.rounding is Rounding.HALF_EVEN:
            whole = whole + Mux((rest > half) | ((rest == half) & whole[0]), 1, 0)
        return Mux(whole > op.high, op.high, Mux(whole < op.low, op.low, whole)).as_unsigned()

    return meaning


STAIRCASES = [
    pytest.param(1, "channels", "BIPOLAR", 1, Domain(0, 90, 2, -90), marks=pytest.mark.slow),
    (3, "channels", "UINT2", 1, Domain(-60, 60)),
    pytest.param(3, "down", "INT2", 1, Domain(0, 60), marks=pytest.mark.slow),
    pytest.param(7, "mixed", "INT4", 1, Domain(0, 200), marks=pytest.mark.slow),
    pytest.param(15, "channels", "INT4", 5, Domain(-60, 60), marks=pytest.mark.slow),
    (14, "down", "INT4_NARROW", 5, Domain(0, 90, 2, -90)),
    pytest.param(15, "up", "UINT4", 2, Domain(-300, 500), marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("count", "directions", "out", "hold", "domain"), STAIRCASES)
def test_a_threshold_unit_counts_the_steps_below_every_value(count: int, directions: str, out: str, hold: int, domain: Domain) -> None:
    op = staircase(CHANNELS, count, directions, out, domain)
    form = ThresholdForm(domain, op.out, op, hold)
    assert proven(*unit_proof(form, of_staircase(op)), steps=form.latency + 3)


@pytest.mark.parametrize(("hold", "count"), [(1, 3), pytest.param(5, 15, marks=pytest.mark.slow)])
def test_another_threshold_is_found(hold: int, count: int) -> None:
    domain = Domain(-60, 60)
    op = staircase(CHANNELS, count, "up", "UINT4", domain)
    other = op.thresholds.copy()
    other[2, 1] += 1
    form = ThresholdForm(domain, op.out, op, hold)
    claim = of_staircase(Threshold(other, op.steps, op.base, op.out))
    assert not proven(*unit_proof(form, claim), steps=form.latency + 3)


HALVES = ([5, -3, 7, 2], [100, 0, -9, 3], 3, Rounding.HALF_EVEN, Domain(0, 30, 2, -30))
REQUANTIZERS = [
    pytest.param([5, -3, 7, 0], [100, 0, -9, 3], 4, Rounding.FLOOR, Domain(-40, 70), marks=pytest.mark.slow),
    HALVES,
    pytest.param([23, 23, 23, 23], [3, 4, 5, -7], 6, Rounding.HALF_EVEN, Domain(-128, 127), marks=pytest.mark.slow),
    ([-85, -85, -85, -85], [8, 8, 8, 8], 5, Rounding.FLOOR, Domain(0, 255)),
]


def requantizer(multipliers: list[int], offsets: list[int], shift: int, rounding: Rounding) -> Requantize:
    out = parse_encoding("INT4")
    return Requantize(np.array(multipliers), np.array(offsets), shift, rounding, -7, 7, out)


@pytest.mark.parametrize(("multipliers", "offsets", "shift", "rounding", "domain"), REQUANTIZERS)
def test_a_requantizer_multiplies_adds_rounds_and_clips(
    multipliers: list[int], offsets: list[int], shift: int, rounding: Rounding, domain: Domain
) -> None:
    op = requantizer(multipliers, offsets, shift, rounding)
    form = RequantizeForm(domain, op.out, op)
    assert proven(*unit_proof(form, of_requantizer(op)), steps=form.latency + 3)


def test_another_rounding_is_found() -> None:
    multipliers, offsets, shift, _, domain = HALVES
    op = requantizer(multipliers, offsets, shift, Rounding.HALF_EVEN)
    form = RequantizeForm(domain, op.out, op)
    claim = of_requantizer(requantizer(multipliers, offsets, shift, Rounding.FLOOR))
    assert not proven(*unit_proof(form, claim), steps=form.latency + 3)

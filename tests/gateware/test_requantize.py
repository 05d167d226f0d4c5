"""The requantize unit: golden codes, whatever multiplies: a slice, LUTs, or the adders of a shared multiplier's digits."""

from __future__ import annotations

import numpy as np
import pytest

from hwq.gateware.requantize import RequantizeForm
from hwq.network.ops import Requantize
from hwq.numerics.encoding import parse_encoding
from hwq.numerics.rounding import Rounding
from hwq.plan.domain import Domain
from tests.gateware.stream import simulate

INT8 = parse_encoding("INT8")
DOMAINS = [Domain(0, 300, 2, -300), Domain(-5000, 4000)]


def requantizer(multipliers: list[int], offsets: list[int], shift: int, rounding: Rounding) -> Requantize:
    return Requantize(np.array(multipliers), np.array(offsets), shift, rounding, INT8.lo, INT8.hi, INT8)


def codes_of(form: RequantizeForm, word: int, values: list[int]) -> list[int]:
    dut, got = form.build(), []

    async def bench(ctx) -> None:
        for t in range(len(values) + form.latency):
            if t < len(values):
                ctx.set(dut.value, values[t])
                if form.constant_width:
                    ctx.set(dut.constants, word)
            if t >= form.latency:
                got.append(ctx.get(dut.code))
            await ctx.tick()

    simulate(dut, bench)
    return got


@pytest.mark.parametrize("multiplier", ["auto", "dsp", "lut"])
@pytest.mark.parametrize(
    ("multipliers", "offsets", "rounding", "adders"),
    [
        ([5, -3, 7], [100, 0, -9], Rounding.FLOOR, False),
        ([0, 0, 0], [100, 0, -9], Rounding.FLOOR, True),
        ([1, 1, 1], [0, 0, 0], Rounding.HALF_EVEN, True),
        ([-8, -8, -8], [7, 7, 7], Rounding.FLOOR, True),
        ([23, 23, 23], [3, 4, 5], Rounding.FLOOR, True),
        ([-85, -85, -85], [3, 4, 5], Rounding.FLOOR, True),
        ([341, 341, 341], [3, 4, 5], Rounding.FLOOR, False),
    ],
)
def test_codes_are_those_of_the_golden_op(multipliers, offsets, rounding, adders, multiplier) -> None:
    op = requantizer(multipliers, offsets, 6, rounding)
    for domain in DOMAINS:
        form = RequantizeForm(domain, INT8, op, multiplier)
        assert (form.terms is not None) == (adders and multiplier != "dsp")
        values = [domain.lo, domain.hi, *np.random.default_rng(1).integers(domain.lo, domain.hi + 1, 12).tolist()]
        integers = np.array(values) * domain.scale + domain.offset
        golden = op.golden(np.repeat(integers[:, None, None, None], 3, 3))[:, 0, 0, 1]
        assert codes_of(form, form.words(3)[1], values) == INT8.encode(golden).tolist()


def test_what_all_channels_share_is_no_constant_of_theirs() -> None:
    assert RequantizeForm(DOMAINS[0], INT8, requantizer([3, 3], [5, 5], 4, Rounding.FLOOR)).constant_width == 0
    assert RequantizeForm(DOMAINS[1], INT8, requantizer([3, 3], [5, 6], 4, Rounding.FLOOR)).constant_width == 4
    assert RequantizeForm(DOMAINS[1], INT8, requantizer([3, 2], [5, 5], 4, Rounding.FLOOR)).constant_width == 3

"""The threshold unit: golden codes at every value, by comparisons and by search, whatever the directions."""

from __future__ import annotations

import numpy as np
import pytest

from hwq.gateware.threshold import ThresholdForm
from hwq.network.ops import Threshold
from hwq.numerics.encoding import parse_encoding
from hwq.plan.domain import Domain
from tests.gateware.stream import simulate

DOMAINS = [Domain(0, 200), Domain(-60, 60), Domain(0, 90, 2, -90)]


def staircase(channels: int, count: int, directions: str, out: str, domain: Domain) -> Threshold:
    rng = np.random.default_rng(count)
    low, high = (domain.scale * v + domain.offset for v in (domain.lo, domain.hi))
    thresholds = np.sort(rng.integers(low - 3, high + 4, (channels, count)), axis=1)
    signs = {"up": [1], "down": [-1], "channels": [1, -1]}.get(directions)
    steps = np.resize(signs, channels)[:, None] * np.ones((1, count), np.int64) if signs else rng.choice([-1, 1], (channels, count))
    base = (steps < 0).sum(1)
    return Threshold(thresholds, steps.astype(np.int64), base.astype(np.int64), parse_encoding(out))


def codes_of(form: ThresholdForm, channel: int, words: list[int], values: list[int]) -> list[int]:
    """Codes of ``values`` one after the other; the constants stand for as many cycles as the form wants, then others do."""
    dut, got = form.build(), []

    async def bench(ctx) -> None:
        for t in range((len(values) - 1) * form.held + form.latency + 1):
            n, phase = divmod(t, form.held)
            if n < len(values):
                ctx.set(dut.value, values[n] if phase == 0 else values[n - 1])
                if form.constant_width:
                    ctx.set(dut.constants, words[channel if n % 2 == 0 else -1 - channel])
            if t >= form.latency and (t - form.latency) % form.held == 0:
                got.append(ctx.get(dut.code))
            await ctx.tick()

    simulate(dut, bench)
    return got


@pytest.mark.parametrize("hold", [1, 5])
@pytest.mark.parametrize(
    ("count", "directions", "out", "searches"),
    [
        (1, "up", "BIPOLAR", False),
        (3, "channels", "UINT2", None),
        (7, "up", "UINT3", None),
        (14, "up", "INT4_NARROW", True),
        (14, "down", "INT4_NARROW", True),
        (14, "channels", "INT4_NARROW", False),
        (15, "channels", "INT4", True),
        (15, "mixed", "UINT5", False),
    ],
)
def test_codes_are_those_of_the_golden_staircase(hold: int, count: int, directions: str, out: str, searches) -> None:
    domain = DOMAINS[(count + hold + len(directions)) % 3]
    op = staircase(4, count, directions, out, domain)
    form = ThresholdForm(domain, op.out, op, hold)
    if searches is not None and hold == 5:
        assert form.searches == searches
    rng, channels = np.random.default_rng(hold), 4
    values = [domain.lo, domain.hi, *rng.integers(domain.lo, domain.hi + 1, 22).tolist()]
    words = form.words(channels)
    for channel in (0, 1):
        got = codes_of(form, channel, words, values)
        own = [channel if n % 2 == 0 else channels - 1 - channel for n in range(len(values))]
        integers = np.array(values) * domain.scale + domain.offset
        golden = [op.golden(np.broadcast_to(x, (1, 1, 1, channels)).copy())[0, 0, 0, c] for x, c in zip(integers, own, strict=True)]
        assert got == op.out.encode(np.array(golden)).tolist()


def test_a_direction_of_a_channel_is_one_bit_of_its_word() -> None:
    op = staircase(4, 15, "channels", "INT4", DOMAINS[0])
    form = ThresholdForm(DOMAINS[0], op.out, op)
    assert form.constant_width == 15 * 8 + 1 + 4

"""The float baseline as a part: latency and numbers of numpy's floats, in statements; here float16, which simulates sooner."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwq.fabric.floating.format import FloatFormat
from hwq.gateware.float_mac import FloatMacUnit
from tests.gateware.stream import simulate

NAN = 0x7E00
CORNERS = [0x0, 0x8000, 0x1, 0x83FF, 0x7BFF, 0x7C00, 0xFC00, 0x7E01, 0x3C00, 0xBBFF]


def operands(count: int) -> np.ndarray:
    """Triples of bit patterns: corners, then numbers near one another, so that sums cancel."""
    rng = np.random.default_rng(32)
    corners = rng.choice(CORNERS, (count // 2, 3))
    near = (rng.standard_normal((count - count // 2, 3)) * 2.0 ** rng.integers(-3, 3, (count - count // 2, 3))).astype(np.float16)
    return np.concatenate([corners.astype(np.uint16), near.view(np.uint16)]).astype(np.int64)


def expected(values: np.ndarray) -> list[int]:
    a, b, c = values.astype(np.uint16).view(np.float16).T
    with np.errstate(all="ignore"):
        y = a * b + c
    return np.where(np.isnan(y), NAN, y.view(np.uint16)).tolist()


def test_a_result_a_cycle_as_numpy_has_it() -> None:
    dut, values, got = FloatMacUnit(FloatFormat(5, 10)), operands(60), []

    async def bench(ctx: Any) -> None:
        for t in range(len(values) + dut.latency):
            for port, bits in zip((dut.a, dut.b, dut.c), values[min(t, len(values) - 1)].tolist(), strict=True):
                ctx.set(port, bits)
            if t >= dut.latency:
                got.append(ctx.get(dut.y))
            await ctx.tick()

    simulate(dut, bench)
    assert got == expected(values)

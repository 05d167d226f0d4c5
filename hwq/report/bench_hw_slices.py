"""Works of the circuit benchmark that take DSP slices: packed integer products, and a float multiply-accumulate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hwq.fabric.floating.mac import FloatMac
from hwq.fabric.lanes.dsp import DspLanes
from hwq.fabric.packing import packing
from hwq.numerics.encoding import Integer
from hwq.report import bench_hw_behavioural as behavioural
from hwq.report.bench_hw_behavioural_mac import float_mac
from hwq.report.bench_hw_flow import Circuit, Port, Values, Work
from hwq.report.bench_hw_own import own

__all__ = ["slice_works"]

WORD = Integer(32, False)
NAN = 0x7FC00000
STEPS = 16


def slice_works() -> tuple[Work, ...]:
    """Integer products in slices, and the float baseline."""
    return _packed(4, rows=2, pixels=2), _packed(8, rows=2, pixels=1), _float_mac()


def _packed(width: int, rows: int, pixels: int) -> Work:
    """``rows`` weight vectors times ``pixels`` activation vectors of ``STEPS`` elements."""
    encoding = Integer(width, True)
    found = packing(encoding, encoding, rows, pixels)
    assert found is not None
    lanes = DspLanes(found, STEPS)
    macs = rows * pixels * STEPS

    def expected(values: Values) -> Values:
        x, w = (values[p].reshape(*values[p].shape[:2], -1, STEPS) for p in "xw")
        return {
            f"y{i}_{j}": (x[:, :, j] * w[:, :, i]).sum(axis=2, keepdims=True) - lanes.low * STEPS
            for i in range(rows)
            for j in range(pixels)
        }

    makers: dict[str, Callable[[], Circuit]] = {
        "hwq": lambda: own(lambda: (lanes.netlist(), lanes.latency), {"macs_per_dsp": macs / lanes.slices}),
        "behavioural": lambda: behavioural.raw_products(width, rows, pixels, STEPS, lanes.y_bits, -lanes.low * STEPS),
    }
    return Work(
        f"int{width}_in_dsp_{rows * pixels}x{STEPS}",
        f"int{width} x int{width} in DSP slices: {rows} x {pixels} dot products of {STEPS}, exact raw sums",
        "registered",
        {"x": Port(encoding, pixels * STEPS), "w": Port(encoding, rows * STEPS)},
        {f"y{i}_{j}": Port(Integer(lanes.y_bits, False), 1) for i in range(rows) for j in range(pixels)},
        expected,
        makers,
        products=macs,
    )


def _float_mac() -> Work:
    mac = FloatMac()
    return Work(
        "float32_mac",
        "float32 multiply-accumulate, both roundings to nearest even, subnormals",
        "registered",
        {name: Port(WORD, 1) for name in "abc"},
        {"y": Port(WORD, 1)},
        lambda values: {"y": _float_sum(*(values[name] for name in "abc"))},
        {"hwq": lambda: own(lambda: (mac.netlist(), mac.latency)), "behavioural": float_mac},
        products=1,
        target=650,
        quoted=(("vendor cores (300-500 LUT, 2-3 DSP)", 500, "the upper end of the range that the vendor's tables give"),),
    )


def _float_sum(a: NDArray[np.int64], b: NDArray[np.int64], c: NDArray[np.int64]) -> NDArray[np.int64]:
    """numpy's float32 ``a * b + c`` of bit patterns; every NaN is the quiet one."""
    numbers = [bits.astype(np.uint32).view(np.float32) for bits in (a, b, c)]
    with np.errstate(all="ignore"):
        y = (numbers[0] * numbers[1] + numbers[2]).astype(np.float32)
    return np.where(np.isnan(y), NAN, y.view(np.uint32).astype(np.int64))

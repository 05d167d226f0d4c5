"""Fixed-point multiply-accumulate: the Network's saturating sums, and rounding by fractions."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest

from hwq.fabric.fixed_mac import FixedMac
from hwq.fabric.simulate import Simulator
from hwq.network.ops import Saturating
from hwq.numerics.encoding import parse_encoding
from hwq.numerics.rounding import Rounding
from tests.fabric.lanes.test_dsp import integers, words

ROUNDED = {
    Rounding.FLOOR: floor,
    Rounding.CEIL: ceil,
    Rounding.HALF_EVEN: round,
    Rounding.HALF_UP: lambda v: floor(v + Fraction(1, 2)),
}


def totals(mac: FixedMac, x: np.ndarray, w: np.ndarray, valid: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Totals (cycles, stimuli) of operands (cycles, stimuli, n), each as it stands after its own operands."""
    simulator, found = Simulator(mac.netlist(), x.shape[1]), []
    for t in range(len(x) + mac.latency):
        k = min(t, len(x) - 1)
        ports = {"x": words(mac.x.encode(x[k]), mac.x.bits), "w": words(mac.w.encode(w[k]), mac.w.bits)}
        flags = {"valid": valid[k] if t == k else np.zeros_like(valid[k]), "first": first[k]}
        found.append(simulator.cycle({**ports, **flags})["total"])
    codes = np.array(found[mac.latency :], np.int64)
    return (codes ^ (1 << (mac.bits - 1))) - (1 << (mac.bits - 1))


@pytest.mark.parametrize(
    ("x_name", "w_name", "n", "bits", "shift", "rounding"),
    [
        ("INT4", "INT4", 4, 8, 0, Rounding.FLOOR),
        ("UINT2", "INT2", 9, 6, 0, Rounding.FLOOR),
        ("INT8", "INT8", 2, 12, 0, Rounding.FLOOR),
        ("FIXED<6,2>", "FIXED<5,2>", 1, 9, 3, Rounding.HALF_EVEN),
        ("FIXED<8,3>", "FIXED<8,3>", 3, 10, 7, Rounding.HALF_EVEN),
        ("INT3", "UINT3", 2, 5, 1, Rounding.HALF_EVEN),
        ("INT5", "INT4", 2, 7, 2, Rounding.HALF_UP),
        ("INT5", "INT4", 2, 7, 4, Rounding.CEIL),
        ("INT4", "INT4", 1, 4, 3, Rounding.FLOOR),
    ],
)
def test_chunks_are_summed_rounded_and_clipped_in_order(
    x_name: str, w_name: str, n: int, bits: int, shift: int, rounding: Rounding
) -> None:
    mac = FixedMac(parse_encoding(x_name), parse_encoding(w_name), n, bits, shift, rounding)
    sat, rng = Saturating(bits, n), np.random.default_rng(n + bits)
    x, w = (integers(rng, encoding, (30, 40, n)) for encoding in (mac.x, mac.w))
    valid, first = rng.random((30, 40)) < 0.8, rng.random((30, 40)) < 0.1
    expected, acc = [], np.zeros(40, np.int64)
    for t in range(30):
        chunk = [ROUNDED[rounding](Fraction(int(s), 1 << shift)) for s in (x[t] * w[t]).sum(-1)]
        acc = np.where(valid[t], np.clip(np.where(first[t], 0, acc) + chunk, sat.lo, sat.hi), acc)
        expected.append(acc)
    np.testing.assert_array_equal(totals(mac, x, w, valid.astype(int), first.astype(int)), np.array(expected))

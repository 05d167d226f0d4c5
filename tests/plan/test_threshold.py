"""Which form a staircase has: as the circuits cost, counted; and what those circuits compute."""

from __future__ import annotations

import numpy as np
import pytest

from hwq.fabric.simulate import evaluate
from hwq.fabric.sites import sites_of
from hwq.fabric.staircase import comparisons_netlist, parallel_netlist, search_netlist
from hwq.network.ops import Threshold
from hwq.numerics.encoding import parse_encoding
from hwq.plan.threshold import FLIP_FLOP, MARGIN, is_search, staircase_sites


def staircase(count: int, steps: int | None = 1) -> Threshold:
    """Four channels with ascending thresholds; every other channel falls where ``steps`` is None."""
    thresholds = np.arange(count)[None, :] * np.array([[1], [2], [3], [4]])
    signs = np.array([[1], [-1], [1], [-1]]) if steps is None else np.full((4, 1), steps)
    all_steps = np.broadcast_to(signs, (4, count)).astype(np.int64)
    return Threshold(thresholds, all_steps, (all_steps < 0).sum(1), parse_encoding(f"UINT{count.bit_length()}"))


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [3, 6, 7, 9, 12])
def test_comparisons_with_given_and_known_limits(bits: int, signed: bool) -> None:
    rng = np.random.default_rng(bits)
    low = -(1 << (bits - 1)) if signed else 0
    high = low + (1 << bits) - 1
    known = [low, None, high, int(rng.integers(low, high + 1)), None]
    values, first, second = (rng.integers(low, high + 1, 300) for _ in range(3))
    first[:100] = values[:100]
    mask = (1 << bits) - 1
    inputs = {"value": values & mask, "limits": (first & mask) | (second & mask) << bits}
    reached = evaluate(comparisons_netlist(bits, signed, known), inputs)["reached"]
    for k, limit in enumerate([low, first, high, known[3], second]):
        np.testing.assert_array_equal(reached >> k & 1, values >= limit)


@pytest.mark.parametrize("count", [3, 5, 15])
def test_parallel_and_search_count_the_thresholds_reached(count: int) -> None:
    rng, bits = np.random.default_rng(count), 8
    values, limits = rng.integers(0, 255, 200), np.sort(rng.integers(0, 256, (200, count)), axis=1)
    word = sum(limits[:, k].astype(object) << k * bits for k in range(count))
    expected = (values[:, None] >= limits).sum(1)
    for netlist in (parallel_netlist(count, bits), search_netlist(count, bits, 1)):
        np.testing.assert_array_equal(evaluate(netlist, {"value": values, "limits": word}, 12)["y"], expected)


def test_a_comparison_takes_half_a_lut_a_bit_and_a_known_one_a_fifth() -> None:
    assert [sites_of(comparisons_netlist(bits, False, (None,))).luts for bits in (6, 12, 20)] == [3, 6, 10]
    assert sites_of(comparisons_netlist(6, True, (5,))).luts == 1
    assert sites_of(comparisons_netlist(20, False, (777_777,))).luts == 4


@pytest.mark.parametrize(("count", "bits", "hold"), [(3, 12, 4), (7, 6, 2), (15, 14, 4)])
def test_the_rule_weighs_what_the_circuits_count(count: int, bits: int, hold: int) -> None:
    found = [sites_of(n) for n in (parallel_netlist(count, bits), search_netlist(count, bits, hold))]
    parallel, search = (s.luts + FLIP_FLOP * s.ff for s in found)
    assert staircase_sites(count, bits, hold) == pytest.approx((parallel, search), rel=0.02)
    assert is_search(staircase(count), bits, hold) == (search < MARGIN * parallel)


def test_constants_that_do_not_stand_still_are_compared_at_once() -> None:
    assert is_search(staircase(31), 10, 8)
    assert not is_search(staircase(31), 10, 1)
    assert is_search(staircase(255), 16, 8)


def test_only_full_trees_of_one_direction_a_channel_are_searched() -> None:
    assert is_search(staircase(15, None), 8, 8)
    assert not is_search(staircase(14, None), 8, 8)
    assert is_search(staircase(14), 8, 8)

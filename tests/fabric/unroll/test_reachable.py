"""Sums of weighted bits by rank."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hwq.fabric.unroll.reachable import reachable


@given(st.lists(st.integers(0, 8), max_size=9))
def test_ranks_and_sums_are_those_of_a_list(weights):
    weights.sort()
    expected = sorted({sum(1 << w for k, w in enumerate(weights) if i >> k & 1) for i in range(1 << len(weights))})
    found = reachable(weights)
    assert [found.sum(k) for k in range(found.count)] == expected
    for bound in range(-1, expected[-1] + 3):
        assert found.below(bound) == sum(s < bound for s in expected)


def test_wide_sums_are_not_listed():
    assert reachable(range(200)).count == 1 << 200
    assert reachable(sorted([*range(60)] * 3)).count == 3 * ((1 << 60) - 1) + 1

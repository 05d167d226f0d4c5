"""Piecewise constant functions of weighted bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hwq.fabric.netlist import Netlist
from hwq.fabric.simulate import evaluate
from hwq.fabric.unroll.decide import Steps, decided, decision


@st.composite
def functions(draw):
    weights = tuple(sorted(draw(st.lists(st.integers(0, 5), min_size=1, max_size=10))))
    most = sum(1 << w for w in weights)
    points = tuple(sorted(draw(st.sets(st.integers(-2, most + 3), max_size=9))))
    width = draw(st.integers(1, 3))
    codes = draw(st.lists(st.integers(0, (1 << width) - 1), min_size=len(points) + 1, max_size=len(points) + 1))
    return weights, Steps(points, tuple(codes)), width


def built(weights, steps, width, way) -> list[int]:
    netlist = Netlist()
    bits = netlist.input("x", len(weights))
    code, _ = decided(netlist, list(zip(bits, weights, strict=True)), steps, width, way, registered=False)
    netlist.output("y", code)
    return evaluate(netlist, {"x": np.arange(1 << len(weights))})["y"].tolist()


@settings(max_examples=150, deadline=None)
@given(functions())
def test_the_code_of_every_sum(function):
    weights, steps, width = function
    found = decision(weights, steps, width)
    assume(found is not None)
    sums = [sum(1 << w for k, w in enumerate(weights) if i >> k & 1) for i in range(1 << len(weights))]
    expected = [steps.codes[sum(p <= s for p in steps.points)] for s in sums]
    assert built(weights, steps, width, found) == expected


@pytest.mark.parametrize(("bits", "points", "luts"), [(6, (21,), 1), (11, (1021,), 2), (16, (20021,), 3), (11, (301, 1021, 1777), 3)])
def test_what_decisions_on_plain_numbers_cost(bits, points, luts):
    """A comparison takes five more bits a LUT; with three thresholds a LUT6_2 passes two class bits on, three more bits each."""
    steps = Steps(points, tuple(range(len(points) + 1)))
    found = decision(tuple(range(bits)), steps, 2 if len(points) > 1 else 1)
    assert found is not None
    assert found.luts == luts


def test_an_even_threshold_does_not_read_the_lowest_bit():
    weights = (0, 1, 1, 2, 2, 3, 3)
    assert decision(weights, Steps((12,), (0, 1)), 1).luts == 1  # six bits
    assert decision(weights, Steps((13,), (0, 1)), 1).luts > 1


def test_steps_within_a_range_and_by_bits():
    steps = Steps((2, 5, 9), (0, 3, 1, 2))
    assert steps.within(2, 8) == Steps((5,), (3, 1))
    assert steps.bit(1) == Steps((2, 5, 9), (0, 1, 0, 1))
    assert steps.bit(0) == Steps((2, 9), (0, 1, 0))
    assert steps.shifted(4) == Steps((-2, 1, 5), (0, 3, 1, 2))

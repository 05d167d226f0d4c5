"""Heaps against the sum of weights, for all inputs, at any size."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.fabric.heap import BitHeap, reduce, schedule_of, to_rows
from hwq.fabric.levels import depth
from hwq.fabric.netlist import FALSE, TRUE, Chain, Lut, Netlist
from hwq.fabric.simulate import evaluate
from hwq.fabric.sites import sites_of
from tests.fabric.prover import Circuit, Unproven, always, prove_heap, symbols, weighed

PROVEN: set[object] = set()  # circuits proven once, whichever test met them


def heap_of(heights, seed=0, constant=0):
    """A heap of fresh bits, some complemented."""
    netlist, rng = Netlist(), random.Random(seed)
    heap = BitHeap(netlist)
    heap.constant(constant)
    for weight, bit in [(w, b) for w, n in enumerate(heights) for b in netlist.input(f"x{w}", n)]:
        heap.add(bit ^ (seed and rng.randint(0, 1)), weight)
    return heap


def numbered(bits):
    return [(b, k) for k, b in enumerate(bits)]


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=12),
    st.integers(1, 16),
    st.sampled_from([0, 1, 2, 3]),
    st.sampled_from(["luts", "levels"]),
    st.integers(-1000, 1000),
    st.integers(0, 5),
)
def test_any_heap_is_its_sum(heights, width, registered, goal, constant, seed):
    heap = heap_of(heights, seed, constant)
    made = reduce(heap, width, registered, goal)
    assert len(made.bits) == width
    assert prove_heap(heap, numbered(made.bits), width, PROVEN) in (made.latency, 0)


@pytest.mark.parametrize("registered", [0, 1, 2])
@pytest.mark.parametrize("heights", [(256,), (16, 64), (24,) * 10, (500, 3), (0, 0, 90), (3, 2, 2, 2), (1, 9, 9, 1)])
def test_large_heaps_are_proven_by_their_steps(heights, registered):
    heap = heap_of(heights, 1, -77)
    width = sum(n << w for w, n in enumerate(heights)).bit_length() + 1
    made = reduce(heap, width, registered)
    assert prove_heap(heap, numbered(made.bits), width, PROVEN) == made.latency


@pytest.mark.parametrize("rows", [2, 3])
@pytest.mark.parametrize("heights", [(64,), (16, 48), (12,) * 8, (9, 1, 9)])
def test_rows_hold_the_sum(heights, rows):
    heap = heap_of(heights, 1, 5)
    columns, latency = to_rows(heap, 12, rows, registered=True)
    full = [k for k, c in enumerate(columns) if len(c) >= rows]
    assert all(len(c) <= rows + (k == full[0]) for k, c in enumerate(columns) if len(c) >= rows)
    assert prove_heap(heap, [(b, k) for k, bits in enumerate(columns) for b in bits], 12, PROVEN) == latency


@pytest.mark.parametrize("heights", [(5,), (9,), (12,), (3, 4, 2), (7, 7), (0, 6, 1)])
@pytest.mark.parametrize("constant", [0, -3, 6])
def test_small_heaps_are_proven_at_once(heights, constant):
    heap = heap_of(heights, 2, constant)
    width = 6
    made = reduce(heap, width)
    given_ = [(b, w) for w, bits in enumerate(heap.columns) for b in bits]
    formulas = Circuit(heap.netlist).meaning(symbols(b for b, _ in given_), [*made.bits, *(b for b, _ in given_)])
    total = weighed(((formulas[b], w) for b, w in given_), width) + constant
    always(total == weighed(((formulas[b], k) for k, b in enumerate(made.bits)), width))


def test_signed_terms_and_differences_are_folded():
    netlist = Netlist()
    a, b, c = (netlist.input(n, w) for n, w in (("a", 5), ("b", 4), ("c", 3)))
    heap = BitHeap(netlist)
    heap.add_signed(a, 1)
    heap.subtract(b)
    heap.subtract_signed(c, 2)
    heap.add_unsigned([TRUE, FALSE, TRUE])
    heap.constant(-9)
    netlist.output("y", reduce(heap, 9).bits)
    rng = np.random.default_rng(4)
    x = {n: rng.integers(0, 1 << w, 500) for n, w in (("a", 5), ("b", 4), ("c", 3))}
    signed = {n: np.where(v >> (w - 1), v - (1 << w), v) for (n, v), w in zip(x.items(), (5, 4, 3), strict=True)}
    expected = (2 * signed["a"] - x["b"] - 4 * signed["c"] + 5 - 9) % 512
    np.testing.assert_array_equal(evaluate(netlist, x)["y"], expected)


def test_equal_and_opposite_bits_cost_nothing():
    netlist = Netlist()
    heap = BitHeap(netlist)
    a, b = netlist.input("x", 2)
    for bit in (a, a, b, b ^ 1, a, a):
        heap.add(bit)
    assert reduce(heap, 4).bits == (TRUE, FALSE, a, FALSE)
    assert not netlist.cells


@pytest.mark.parametrize(
    ("registered", "luts"),
    [(False, 184), (True, 133)],
)
def test_popcount_of_256_is_at_most_what_is_known_to_be_possible(registered, luts):
    assert schedule_of((256,), 9, registered).luts <= luts


def test_a_pipelined_popcount_of_256_fits_20_clbs_in_140_luts():
    heap = heap_of((256,))
    made = reduce(heap, 9, True, "slices")
    assert prove_heap(heap, numbered(made.bits), 9, PROVEN) == made.latency
    heap.netlist.output("y", made.bits)
    sites = sites_of(heap.netlist)
    assert sites.luts <= 140
    assert sites.carry <= 20


@pytest.mark.parametrize(("heights", "width", "goal"), [((100, 3, 40), 10, "luts"), ((256,), 9, "slices")])
def test_the_schedule_tells_what_the_netlist_has(heights, width, goal):
    heap = heap_of(heights)
    made = reduce(heap, width, True, goal)
    plan = schedule_of(heights, width, True, goal)
    chains = [len(c.s) for c in heap.netlist.cells if isinstance(c, Chain)]
    assert sum(isinstance(c, Lut) for c in heap.netlist.cells) == plan.luts
    assert sum(chains) == plan.positions
    assert sum(1 if n <= 4 else 2 * -(-n // 8) for n in chains) == plan.halves
    assert len(heap.netlist.flops) == plan.flops
    assert made.latency == plan.latency == len(plan.stages)


@pytest.mark.parametrize("every", [1, 2, 3])
def test_no_stage_has_more_levels_than_asked_for(every):
    heap = heap_of((200, 30))
    heap.netlist.output("y", reduce(heap, 10, registered=every).bits)
    assert depth(heap.netlist) == every


def test_fewest_levels_are_no_more_than_those_of_fewest_luts():
    for heights in [(64,), (30, 20, 10), (9,) * 9]:
        quick, small = (schedule_of(heights, 12, False, goal) for goal in ("levels", "luts"))
        assert len(quick.stages) <= len(small.stages)
        assert small.luts <= quick.luts


def broken_lut(netlist):
    k = next(k for k, c in enumerate(netlist.cells) if isinstance(c, Lut) and c.o5 is not None)
    netlist.cells[k] = replace(netlist.cells[k], init=netlist.cells[k].init ^ (1 << 33))


def broken_carry(netlist):
    k = next(k for k, c in enumerate(netlist.cells) if isinstance(c, Chain))
    netlist.cells[k] = replace(netlist.cells[k], o=netlist.cells[k].co, co=netlist.cells[k].o)


def lost_step(heap):
    del heap.steps[3]


def late_flop(netlist):
    netlist.flops[5] = replace(netlist.flops[5], d=netlist.flops[-1].q)


def test_planted_bugs_are_caught():
    for plant in (broken_lut, broken_carry, late_flop, None):
        heap = heap_of((64,))
        made = reduce(heap, 7, registered=True)
        lost_step(heap) if plant is None else plant(heap.netlist)
        with pytest.raises(Unproven):
            prove_heap(heap, numbered(made.bits), 7, set())


def test_a_heap_of_too_few_columns_is_cut_to_the_width():
    heap = heap_of((7, 7, 7))
    made = reduce(heap, 2)
    assert prove_heap(heap, numbered(made.bits), 2, PROVEN) == 0


def test_an_empty_heap_is_its_constant():
    heap = BitHeap(Netlist())
    heap.constant(-3)
    assert reduce(heap, 4, registered=True).bits == (TRUE, FALSE, TRUE, TRUE)

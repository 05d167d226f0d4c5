"""Products summed in the LUTs that make them: sums of all lengths against numpy, sites counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwq.fabric.heap import BitHeap
from hwq.fabric.lanes.fused import AND, LONGEST, XNOR, Masked, Term, add_masked, add_terms, counted
from hwq.fabric.netlist import Netlist
from hwq.fabric.simulate import evaluate
from hwq.fabric.sites import sites_of

STIMULI = 64


def bits(rng, count):
    """Words of ``count`` random bits, and the bits."""
    found = rng.integers(0, 2, (STIMULI, count))
    return sum(found[:, k].astype(object) << k for k in range(count)), found


def value(heap, **inputs):
    """What the bits of the heap add up to, ``constant`` included."""
    flat = [(b, w) for w, column in enumerate(heap.columns) for b in column]
    heap.netlist.output("flat", [b for b, _ in flat])
    word = evaluate(heap.netlist, inputs)["flat"]
    return sum(((int_of(word) >> k & 1) << w for k, (_, w) in enumerate(flat)), np.zeros(STIMULI, object)) + heap.total


def int_of(word):
    return word.astype(object)


def table(code, a, b):
    return (code >> (a + 2 * b)) & 1


@given(st.integers(1, 19), st.integers(0, 9), st.integers(1, 5), st.sampled_from([XNOR, AND, 0b0010]), st.integers(0, 99))
def test_terms_and_spare_bits_are_summed(n, spare, longest, code, seed):
    netlist, rng = Netlist(), np.random.default_rng(seed)
    (a, a_bits), (b, b_bits), (c, c_bits) = bits(rng, n), bits(rng, n), bits(rng, max(spare, 1))
    pins, others, more = netlist.input("a", n), netlist.input("b", n), netlist.input("c", max(spare, 1))
    heap = BitHeap(netlist)
    add_terms(heap, [Term(code, p, q) for p, q in zip(pins, others, strict=True)], 3, [p ^ 1 for p in more[:spare]], longest)
    expected = (table(code, a_bits, b_bits).sum(1) + (1 - c_bits[:, :spare]).sum(1)) * 8
    np.testing.assert_array_equal(value(heap, a=a, b=b, c=c), expected)


@given(st.integers(1, 19), st.integers(1, 4), st.integers(1, 5), st.integers(0, 99))
def test_masked_bits_of_several_columns_are_summed(n, columns, longest, seed):
    netlist, rng = Netlist(), np.random.default_rng(seed)
    m, m_bits = bits(rng, n)
    a, a_bits = bits(rng, n * columns)
    b, b_bits = bits(rng, n)
    masks, pins, others = netlist.input("m", n), netlist.input("a", n * columns), netlist.input("b", n)
    tables = [int(t) for t in rng.choice([0b0110, 0b1001, 0b1000, 0b1101], columns)]
    heap = BitHeap(netlist)
    add_masked(heap, [[Masked(masks[k], t, pins[c * n + k], others[k]) for k in range(n)] for c, t in enumerate(tables)], 1, longest)
    expected = sum((m_bits & table(t, a_bits[:, c * n : (c + 1) * n], b_bits)).sum(1) << (c + 1) for c, t in enumerate(tables))
    np.testing.assert_array_equal(value(heap, m=m, a=a, b=b), expected)


@pytest.mark.parametrize("n", [1, 2, 6, 7, 8, 15])
def test_counts_of_seven_are_numbers(n):
    netlist = Netlist()
    x, x_bits = bits(np.random.default_rng(n), n)
    heap = BitHeap(netlist)
    for number in counted(netlist, netlist.input("x", n)):
        heap.add_unsigned(number)
    np.testing.assert_array_equal(value(heap, x=x), x_bits.sum(1))


def sites(heap):
    """LUT sites of a front with flip-flops behind it."""
    netlist = heap.netlist
    netlist.output("sum", [netlist.flop(b) for column in heap.columns for b in column])
    return sites_of(netlist).luts


def test_two_terms_take_a_site():
    heap = BitHeap(Netlist())
    pins = heap.netlist.input("x", 16)
    add_terms(heap, [Term(XNOR, *pins[k : k + 2]) for k in range(0, 16, 2)], longest=LONGEST)
    assert sites(heap) == 4
    assert heap.heights == (1, 4)


def test_two_masked_bits_take_a_site():
    heap = BitHeap(Netlist())
    pins = heap.netlist.input("x", 24)
    add_masked(heap, [[Masked(pins[k], 0b0110, *pins[k + 1 : k + 3]) for k in range(0, 24, 3)]])
    assert sites(heap) == 4
    assert heap.heights == (1, 4)

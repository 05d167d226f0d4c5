"""Formulas give what their tables say, and are short where the function is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwq.fabric.formula import formula, value_of
from hwq.fabric.netlist import truth


@given(st.integers(0, 6).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, (1 << (1 << n)) - 1))))
def test_a_formula_has_the_values_of_its_table(case: tuple[int, int]) -> None:
    inputs, table = case
    expression = formula(table, inputs)
    assert [value_of(expression, i) for i in range(1 << inputs)] == [table >> i & 1 for i in range(1 << inputs)]


@pytest.mark.parametrize(
    ("function", "inputs", "operators"),
    [
        (lambda *bits: sum(bits) % 2, 6, 5),
        (lambda *bits: all(bits), 6, 5),
        (lambda *bits: not any(bits), 6, 11),
        (lambda s, a, b: a if s else b, 3, 1),
        # The carry of two XNOR products and a carry: one multiplexer of two functions of an exclusive or.
        (lambda w0, x0, w1, x1, c: (w0 == x0) + (w1 == x1) + c >= 2, 5, 9),
    ],
)
def test_common_functions_are_short(function, inputs, operators) -> None:
    assert formula(truth(function, inputs), inputs).cost <= operators

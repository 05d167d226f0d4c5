"""Unrolled layers of any weights, proven: their outputs are what their definitions say, for all inputs.

Flip-flops are taken as wires, which :func:`hwq.fabric.ages.check_pipeline` makes the same function.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import z3

from hwq.fabric.ages import check_pipeline
from hwq.fabric.netlist import Lut, Netlist
from hwq.fabric.unroll.general import general_layer
from hwq.fabric.unroll.outputs import Comparison, Integers, RowOutput, Staircase
from hwq.numerics.encoding import Bipolar, Encoding, Integer, smallest_integer
from tests.fabric.smt import outputs_of

WIDTH = 12
TERNARY = Integer(2, True, True)


def constant(value: int) -> z3.BitVecRef:
    return z3.BitVecVal(value, WIDTH)


def integer(x: Encoding, code: z3.BitVecRef) -> z3.BitVecRef:
    """What a code stands for, by its definition."""
    if isinstance(x, Bipolar):
        return z3.If(code == 1, constant(1), constant(-1))
    return (z3.SignExt if x.signed else z3.ZeroExt)(WIDTH - x.bits, code)


def code_of(output: RowOutput, total: z3.BitVecRef) -> z3.BitVecRef:
    """The code of a sum, by its definition."""
    if isinstance(output, Comparison):
        code = z3.If((total >= output.threshold) != output.falling, constant(1), constant(0))
    elif isinstance(output, Integers):
        code = total + output.bias
    else:
        assert isinstance(output, Staircase)
        code = constant(output.start)
        for point, step in zip(output.points, output.steps, strict=True):
            code = z3.If(total >= point, code + step, code)
    return z3.Extract(output.bits - 1, 0, code)


def wrong(netlist: Netlist, weights: np.ndarray, x: Encoding, outputs: list[RowOutput]) -> list[int]:
    """Rows whose output is not the code of their sum of products, for some input."""
    word = z3.BitVec("x", len(netlist.inputs["x"]))
    found = outputs_of(netlist, {"x": word})["y"]
    inputs = [integer(x, z3.Extract((k + 1) * x.bits - 1, k * x.bits, word)) for k in range(weights.shape[1])]
    solver, at, rows = z3.SolverFor("QF_BV"), 0, []
    solver.add([z3.And(v >= x.lo, v <= x.hi) for v in inputs])
    for k, (row, output) in enumerate(zip(weights.tolist(), outputs, strict=True)):
        total = sum((w * v for w, v in zip(row, inputs, strict=True)), constant(0))
        solver.push()
        solver.add(z3.Extract(at + output.bits - 1, at, found) != code_of(output, total))
        rows += [k] if solver.check() == z3.sat else []
        solver.pop()
        at += output.bits
    return rows


def outputs_for(weights: np.ndarray, x: Encoding) -> list[RowOutput]:
    """Comparisons up and down, staircases up, down and both ways, integers, in turn."""
    reach = int(np.abs(weights).sum(1).max()) * max(x.hi, -x.lo)
    kinds: list[RowOutput] = [
        Comparison(1),
        Integers(smallest_integer(-reach - 2, reach + 2), 2),
        Staircase((-3, -1, 2, 2, 5), (1, 1, -1, 1, 1), -1, Integer(3, True)),
        Comparison(-2, True),
        Staircase((-4, 0, 3), (-1, -1, -1), 1, Integer(2, True)),
    ]
    return [kinds[k % len(kinds)] for k in range(len(weights))]


LAYERS = [
    (Bipolar(), (-1, 0, 1), (6, 12)),
    (Bipolar(), (-3, -2, -1, 0, 1, 2, 3), (6, 10)),
    (Bipolar(), (0, 3), (4, 16)),
    (Integer(1, False), (0, 3), (4, 26)),
    (TERNARY, (-1, 0, 1), (6, 8)),
    (Integer(2, False), (-3, -2, -1, 0, 1, 2, 3), (6, 7)),
    (Integer(2, False), (-4, -1, 1, 15), (5, 5)),
    (Integer(3, True), (-3, -1, 0, 2, 3), (5, 4)),
]


@pytest.mark.parametrize(("x", "levels", "shape"), LAYERS, ids=lambda v: getattr(v, "name", None))
def test_every_row_is_the_code_of_its_sum_for_all_inputs(x: Encoding, levels: tuple[int, ...], shape: tuple[int, int]) -> None:
    weights = np.random.default_rng(3).choice(levels, shape)
    outputs = outputs_for(weights, x)
    netlist, latency = general_layer(weights, x, outputs, registered=True)
    assert latency > 1
    check_pipeline(netlist, latency)
    assert wrong(netlist, weights, x, outputs) == []


def test_rows_equal_opposite_doubled_and_empty_for_all_inputs() -> None:
    row = np.random.default_rng(4).integers(-2, 3, 6)
    weights = np.array([row, -row, 2 * row, 0 * row, row, -row])
    outputs = outputs_for(weights, Integer(2, True))
    netlist, _ = general_layer(weights, Integer(2, True), outputs, registered=True)
    assert wrong(netlist, weights, Integer(2, True), outputs) == []


def test_a_wrong_entry_of_a_table_and_another_weight_are_found() -> None:
    weights = np.random.default_rng(3).integers(-1, 2, (3, 6))
    outputs = outputs_for(weights, TERNARY)
    netlist, _ = general_layer(weights, TERNARY, outputs, registered=True)
    assert wrong(netlist, weights + np.eye(3, 6, dtype=np.int64), TERNARY, outputs) == [0, 1, 2]
    for place in range(0, len(netlist.cells), 4):
        cell = netlist.cells[place]
        if isinstance(cell, Lut):
            broken = replace(cell, init=cell.init ^ (1 << (1 << len(cell.pins))) - 1)
            cells = [*netlist.cells[:place], broken, *netlist.cells[place + 1 :]]
            assert wrong(replace(netlist, cells=cells), weights, TERNARY, outputs)

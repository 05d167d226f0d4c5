"""Unrolled layers of +-1 weights and bipolar inputs, against a matrix product and by SAT."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.errors import InputError
from hwq.fabric.netlist import Lut, Netlist
from hwq.fabric.simulate import Simulator, evaluate
from hwq.fabric.sites import sites_of
from hwq.fabric.unroll.layer import UnrolledLayer, unrolled_layer
from hwq.fabric.unroll.outputs import Comparison, Integers, RowOutput, Staircase
from hwq.numerics.encoding import Bipolar, Integer, smallest_integer
from tests.fabric.prover import Circuit, symbols


def words(bits: np.ndarray) -> np.ndarray:
    """Columns of bits (bits, n) as numbers, bit k of weight 2**k."""
    return sum(row.astype(object) << k for k, row in enumerate(bits))


def stimuli(weights: np.ndarray, outputs: list[RowOutput], seed: int, count: int = 40) -> np.ndarray:
    """Input bits (columns, n): all 0, all 1, random ones, and for each comparison vectors just below and at the threshold."""
    rng = np.random.default_rng(seed)
    columns = weights.shape[1]
    found = [np.zeros(columns, int), np.ones(columns, int), *rng.integers(0, 2, (count, columns))]
    for row, output in zip(weights, outputs, strict=True):
        least = (output.threshold + columns + 1) // 2 if isinstance(output, Comparison) else columns // 2
        for agreements in (least - 1, least):
            order = rng.permutation(columns)
            bits = np.where(row > 0, 0, 1)
            bits[order[: max(0, min(columns, agreements))]] ^= 1
            found.append(bits)
    return np.array(found).T


def meaning(weights: np.ndarray, outputs: list[RowOutput], bits: np.ndarray) -> list[list[int]]:
    """Codes of all rows from their definition."""
    codes = []
    for row, output in zip(weights, outputs, strict=True):
        sums = [sum(int(w) * (2 * int(b) - 1) for w, b in zip(row, column, strict=True)) for column in bits.T]
        if isinstance(output, Comparison):
            codes.append([int((s >= output.threshold) != output.falling) for s in sums])
        elif isinstance(output, Integers):
            codes.append([(s + output.bias) % (1 << output.bits) for s in sums])
        else:
            assert isinstance(output, Staircase)
            values = [output.start + sum(t for p, t in zip(output.points, output.steps, strict=True) if s >= p) for s in sums]
            codes.append([v % (1 << output.bits) for v in values])
    return codes


def found(layer: UnrolledLayer, outputs: list[RowOutput], bits: np.ndarray) -> list[list[int]]:
    y = evaluate(layer.netlist, {"x": words(bits)}, layer.latency)["y"]
    at = np.cumsum([0, *(o.bits for o in outputs)]).tolist()
    return [[(int(w) >> k) & ((1 << o.bits) - 1) for w in y] for k, o in zip(at, outputs, strict=False)]


def check(weights: np.ndarray, outputs: list[RowOutput], seed: int = 1, **options: Any) -> UnrolledLayer:
    layer = unrolled_layer(weights, Bipolar(), outputs, **options)
    bits = stimuli(weights, outputs, seed)
    assert found(layer, outputs, bits) == meaning(weights, outputs, bits)
    return layer


def random_layer(rows: int, columns: int) -> tuple[np.ndarray, list[RowOutput]]:
    """The matrix and thresholds of the published figures."""
    weights = (np.random.default_rng(7).integers(0, 2, (columns, rows)) * 2 - 1).T
    return weights, [Comparison(int(t)) for t in np.random.default_rng(8).integers(-4, 5, rows)]


@st.composite
def outputs(draw: st.DrawFn, columns: int) -> RowOutput:
    kind = draw(st.sampled_from(["comparison", "comparison", "staircase", "integers"]))
    threshold = st.integers(-columns - 2, columns + 2)
    if kind == "comparison":
        return Comparison(draw(threshold), draw(st.booleans()))
    if kind == "integers":
        bias = draw(st.integers(-3, 3))
        return Integers(smallest_integer(bias - columns, bias + columns), bias)
    points = tuple(sorted(draw(st.lists(threshold, max_size=3))))
    return Staircase(points, tuple(draw(st.sampled_from([-1, 1])) for _ in points), 0, Integer(3, True))


@st.composite
def layers(draw: st.DrawFn) -> tuple[np.ndarray, list[RowOutput]]:
    """Matrices of few distinct rows, so that equal and opposite ones occur."""
    rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    base = rng.choice([-1, 1], (draw(st.integers(1, rows)), columns))
    weights = base[rng.integers(0, len(base), rows)] * rng.choice([-1, 1], (rows, 1))
    flips = rng.random(weights.shape) < draw(st.sampled_from([0, 0.05, 0.5]))
    return np.where(flips, -weights, weights), [draw(outputs(columns)) for _ in range(rows)]


@settings(max_examples=30, deadline=None)
@given(layers(), st.booleans(), st.sampled_from(["luts", "levels"]))
def test_every_row_gives_the_code_of_its_sum_of_products(layer: tuple[np.ndarray, list[RowOutput]], registered: bool, goal: str) -> None:
    check(*layer, registered=registered, goal=goal)


@settings(max_examples=30, deadline=None)
@given(layers(), st.integers(0, 2), st.integers(0, 1 << 30))
def test_a_few_columns_of_other_weights_and_a_common_factor_are_exact(
    layer: tuple[np.ndarray, list[RowOutput]], shift: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    weights = np.concatenate([layer[0] << shift, rng.integers(-9, 10, (len(layer[0]), 2))], axis=1)
    weights = weights[:, rng.permutation(weights.shape[1])]
    reach = int(np.abs(weights).sum(1).max())
    check(weights, [replace(o, encoding=smallest_integer(-reach - 3, reach + 3)) if isinstance(o, Integers) else o for o in layer[1]])


def test_columns_of_a_border_cost_little() -> None:
    weights, rows = random_layer(8, 72)
    plain = sites_of(check(weights, rows).netlist).luts
    border = weights.reshape(8, 9, 8).sum(2)
    wide = [Comparison(2 * o.threshold) for o in rows if isinstance(o, Comparison)]
    assert sites_of(check(np.concatenate([2 * weights, border], 1), wide).netlist).luts < plain + 8 * 9 * 2


def test_a_new_vector_may_come_each_cycle() -> None:
    weights, rows = random_layer(6, 50)
    layer = unrolled_layer(weights, Bipolar(), rows)
    vectors = np.random.default_rng(3).integers(0, 2, (30, 50, 4))
    simulator = Simulator(layer.netlist, 4)
    seen = [simulator.cycle({"x": words(v)})["y"].tolist() for v in vectors]
    for cycle in range(len(vectors) - layer.latency):
        assert seen[cycle + layer.latency] == words(np.array(meaning(weights, rows, vectors[cycle]))).tolist()


def test_outputs_come_from_registers_inputs_do_not() -> None:
    netlist = unrolled_layer(*pair(random_layer(4, 20))).netlist
    registers = {f.q >> 1 for f in netlist.flops}
    assert all(b >> 1 in registers for b in netlist.outputs["y"])
    assert not unrolled_layer(*pair(random_layer(4, 20)), registered=False).netlist.flops


def pair(layer: tuple[np.ndarray, list[RowOutput]]) -> tuple[np.ndarray, Bipolar, list[RowOutput]]:
    return layer[0], Bipolar(), layer[1]


def test_a_layer_of_64_by_64_is_exact_and_as_small_as_published() -> None:
    piped = check(*random_layer(64, 64))
    sites = sites_of(piped.netlist)
    assert sites.luts <= 880
    assert sites.ff <= 1900
    assert sites_of(check(*random_layer(64, 64), registered=False).netlist).luts <= 1260


def test_a_layer_of_64_by_64_takes_fewer_clbs_where_they_count() -> None:
    plain, even = check(*random_layer(64, 64)), check(*random_layer(64, 64), goal="slices")
    before, after = sites_of(plain.netlist), sites_of(even.netlist)
    assert after.clb <= 0.9 * before.clb
    assert after.luts <= 960
    assert after.ff <= 2200
    assert after.depth <= before.depth
    assert even.latency <= plain.latency + 1


def test_wide_layers_share_the_sums_of_clusters_of_rows() -> None:
    assert sites_of(check(*random_layer(16, 400)).netlist).luts <= 0.18 * 16 * 400


def test_equal_and_opposite_rows_cost_little_more_than_one() -> None:
    weights, rows = random_layer(1, 200)
    one = sites_of(check(weights, rows).netlist).luts
    assert sites_of(check(np.repeat(weights, 4, 0), rows * 4).netlist).luts == one
    assert sites_of(check(np.concatenate([weights, -weights]), [rows[0], Comparison(1 - rows[0].threshold, True)]).netlist).luts < 1.2 * one


@pytest.mark.parametrize(("threshold", "constant"), [(-9, 1), (-8, 1), (9, 0), (10, 0)])
def test_thresholds_always_or_never_reached_are_constants(threshold: int, constant: int) -> None:
    netlist = unrolled_layer(np.ones((1, 8), int), Bipolar(), [Comparison(threshold)]).netlist
    assert netlist.outputs["y"] == (constant,)
    assert not netlist.cells


def test_the_same_matrix_gives_the_same_netlist() -> None:
    first, second = (unrolled_layer(*pair(random_layer(16, 48))).netlist for _ in range(2))
    assert (first.cells, first.flops) == (second.cells, second.flops)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="2 outputs were given for 3 rows"):
        unrolled_layer(np.ones((3, 4), int), Bipolar(), [Comparison(0)] * 2)
    with pytest.raises(InputError, match="weights of shape"):
        unrolled_layer(np.ones(3, int), Bipolar(), [])


# -- proofs


def proven(netlist: Netlist, weights: np.ndarray, thresholds: list[int]) -> bool:
    """For all inputs: each output is whether the sum of products reaches its threshold, in integers of z3."""
    known = symbols(netlist.inputs["x"])
    outputs = Circuit(netlist).meaning(known, netlist.outputs["y"])
    solver = z3.Solver()
    wrong = []
    for row, threshold, bit in zip(weights, thresholds, netlist.outputs["y"], strict=True):
        agree = [known[b >> 1] if w > 0 else z3.Not(known[b >> 1]) for w, b in zip(row, netlist.inputs["x"], strict=True)]
        least = (threshold + len(row) + 1) // 2
        wrong.append(outputs[bit] != z3.PbGe([(a, 1) for a in agree], least))
    solver.add(z3.Or(wrong))
    return solver.check() == z3.unsat


def test_a_layer_is_right_for_all_inputs_and_a_wrong_bit_in_any_lut_is_found() -> None:
    weights = (np.random.default_rng(5).integers(0, 2, (14, 5)) * 2 - 1).T
    thresholds = [0, 2, -4, 6, 1]
    netlist = unrolled_layer(weights, Bipolar(), [Comparison(t) for t in thresholds], registered=False).netlist
    assert proven(netlist, weights, thresholds)
    for place in range(0, len(netlist.cells), 7):
        cell = netlist.cells[place]
        if isinstance(cell, Lut):
            broken = [*netlist.cells]
            full = (1 << (1 << len(cell.pins))) - 1
            broken[place] = replace(cell, init=cell.init ^ full)
            assert not proven(replace(netlist, cells=broken), weights, thresholds)

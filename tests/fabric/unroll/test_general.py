"""Unrolled layers of any weights and inputs, against a matrix product."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.fabric.netlist import Netlist
from hwq.fabric.simulate import Simulator, evaluate
from hwq.fabric.sites import sites_of
from hwq.fabric.unroll.general import general_layer
from hwq.fabric.unroll.outputs import Comparison, Integers, RowOutput, Staircase
from hwq.numerics.encoding import Bipolar, Encoding, Fixed, Integer, smallest_integer

TERNARY = Integer(2, True, True)
ENCODINGS = [
    Bipolar(),
    Integer(1, False),
    TERNARY,
    Integer(2, True),
    Integer(3, False),
    Integer(4, True),
    Integer(3, False, True),
    Fixed(4, 2),
]


def integers_of(x: Encoding) -> np.ndarray:
    return np.arange(x.lo, x.hi + 1, x.step)


def codes_of(x: Encoding, values: np.ndarray) -> np.ndarray:
    """The code of an integer by its definition, not by the encoding's own methods."""
    return (values + 1) // 2 if isinstance(x, Bipolar) else values % (1 << x.bits)


def port(x: Encoding, values: np.ndarray) -> np.ndarray:
    """Input vectors (columns, n) as words of the input port."""
    codes = codes_of(x, values).astype(object)
    return sum(row << (k * x.bits) for k, row in enumerate(codes))


def expected(output: RowOutput, sums: np.ndarray) -> np.ndarray:
    if isinstance(output, Comparison):
        return np.where(sums >= output.threshold, 1 - output.falling, int(output.falling))
    if isinstance(output, Integers):
        return codes_of(output.encoding, sums + output.bias)
    values = np.array([output.start + sum(s for p, s in zip(output.points, output.steps, strict=True) if v >= p) for v in sums.tolist()])
    return codes_of(output.encoding, values)


def unpacked(words: np.ndarray, outputs: list[RowOutput]) -> list[list[int]]:
    at = np.cumsum([0, *(o.bits for o in outputs)]).tolist()
    return [[(int(w) >> k) & ((1 << o.bits) - 1) for w in words] for k, o in zip(at, outputs, strict=False)]


def check(
    weights: np.ndarray, x: Encoding, outputs: list[RowOutput], values: np.ndarray, *, registered: bool, goal: str = "luts"
) -> Netlist:
    """Builds the layer and compares it with the matrix product on ``values`` (columns, n)."""
    netlist, latency = general_layer(weights, x, outputs, registered=registered, goal=goal)
    assert (latency > 0) == registered
    got = unpacked(evaluate(netlist, {"x": port(x, values)}, latency)["y"], outputs)
    for row, output, found in zip(weights, outputs, got, strict=True):
        assert found == expected(output, row @ values).tolist()
    return netlist


def near(weights: np.ndarray, x: Encoding, targets: list[int], rng: np.random.Generator) -> np.ndarray:
    """Input vectors whose sums in row r come close to ``targets[r]``, from below and above: coordinates moved greedily."""
    found = []
    for row, target in zip(weights, targets, strict=True):
        values = rng.choice(integers_of(x), len(row))
        for k in rng.permutation(len(row)):
            others = row @ values - row[k] * values[k]
            choices = integers_of(x)
            values[k] = choices[np.argmin(abs(others + row[k] * choices - target))]
            found.append(values.copy())
    return np.array(found).T


def all_vectors(x: Encoding, columns: int) -> np.ndarray:
    return np.array(np.meshgrid(*[integers_of(x)] * columns, indexing="ij")).reshape(columns, -1)


@st.composite
def row_outputs(draw, reach: int) -> RowOutput:
    kind = draw(st.sampled_from(["comparison", "staircase", "integers"]))
    if kind == "comparison":
        return Comparison(draw(st.integers(-reach - 1, reach + 1)), draw(st.booleans()))
    if kind == "integers":
        bias = draw(st.integers(-5, 5))
        return Integers(smallest_integer(-reach - 5, reach + 5), bias)
    points = sorted(draw(st.lists(st.integers(-reach, reach), max_size=20)))
    steps = draw(st.lists(st.sampled_from([1, -1]), min_size=len(points), max_size=len(points)))
    heights = np.cumsum([0, *steps])
    start = draw(st.integers(-2, 2))
    return Staircase(tuple(points), tuple(steps), start, smallest_integer(int(heights.min()) + start, int(heights.max()) + start))


@st.composite
def layers(draw):
    x = draw(st.sampled_from(ENCODINGS))
    rows, columns = draw(st.integers(1, 4)), draw(st.integers(1, max(1, 10 // x.bits)))
    most = draw(st.sampled_from([1, 2, 9]))
    weights = np.array(draw(st.lists(st.lists(st.integers(-most, most), min_size=columns, max_size=columns), min_size=rows, max_size=rows)))
    reach = int(np.abs(weights).sum(1).max()) * max(-x.lo, x.hi)
    return weights, x, draw(st.lists(row_outputs(reach), min_size=rows, max_size=rows))


@settings(max_examples=60, deadline=None)
@given(layers(), st.booleans(), st.sampled_from(["luts", "levels"]))
def test_small_layers_equal_the_matrix_product_on_all_inputs(layer, registered, goal):
    weights, x, outputs = layer
    check(weights, x, outputs, all_vectors(x, weights.shape[1]), registered=registered, goal=goal)


@pytest.mark.parametrize("registered", [True, False])
@pytest.mark.parametrize(
    ("x", "most", "columns"),
    [(Bipolar(), 1, 24), (Bipolar(), 7, 12), (TERNARY, 1, 20), (Integer(4, False), 1, 16), (Integer(8, True), 7, 8)],
)
def test_comparisons_and_staircases_at_their_points_and_at_the_extremes(x, most, columns, registered):
    rng = np.random.default_rng(3)
    weights = rng.integers(-most, most + 1, (10, columns))
    points = [int(p) for p in rng.integers(-most * columns // 2, most * columns // 2, 10)]
    outputs: list[RowOutput] = [
        Comparison(p, k % 3 == 0) if k % 2 else Staircase((p, p + 2, p + 9), (1, 1, 1), 0, Integer(2, False)) for k, p in enumerate(points)
    ]
    extremes = np.where(weights.T > 0, x.hi, x.lo)
    values = np.concatenate(
        [near(weights, x, points, rng), extremes, x.hi + x.lo - extremes, rng.choice(integers_of(x), (columns, 200))], axis=1
    )
    check(weights, x, outputs, values, registered=registered)


@pytest.mark.parametrize("x", [Integer(8, True), Integer(4, False), TERNARY, Bipolar()])
def test_sums_of_equal_opposite_doubled_and_zero_rows(x):
    rng = np.random.default_rng(5)
    row = rng.integers(-8, 8, 12)
    weights = np.array([row, -row, 2 * row, 0 * row, 3 * row, np.abs(row), -8 + 0 * row])
    reach = 8 * 3 * 12 * max(x.hi, -x.lo)
    outputs: list[RowOutput] = [Integers(smallest_integer(-reach, reach))] * 7
    check(weights, x, outputs, rng.choice(integers_of(x), (12, 300)), registered=True)


def test_a_vector_a_cycle_with_the_stated_latency():
    rng = np.random.default_rng(1)
    weights = rng.integers(-1, 2, (12, 20))
    values = rng.choice([-1, 1], (20, 15))
    outputs: list[RowOutput] = [Comparison(int(t)) for t in rng.integers(-3, 4, 12)]
    netlist, latency = general_layer(weights, Bipolar(), outputs, registered=True)
    simulator = Simulator(netlist, 1)
    got = [simulator.cycle({"x": port(Bipolar(), values[:, min(t, 14)][:, None])})["y"] for t in range(15 + latency)]
    codes = unpacked(np.concatenate(got[latency:]), outputs)
    assert codes == [expected(o, s).tolist() for o, s in zip(outputs, weights @ values, strict=True)]


@pytest.mark.parametrize("x", [Bipolar(), Integer(1, False)])
def test_bits_of_one_counter_are_read_in_any_stage(x):
    rng = np.random.default_rng(0)
    weights = rng.choice([0, 3], (4, 26))
    outputs: list[RowOutput] = [Integers(smallest_integer(-78, 78))] * 4
    check(weights, x, outputs, rng.choice(integers_of(x), (26, 60)), registered=True)


def test_outputs_that_never_change_are_constants():
    weights = np.array([[1, -1, 1], [0, 0, 0], [2, 1, 1]])
    outputs: list[RowOutput] = [Comparison(4), Comparison(0), Staircase((-9, 20), (1, 1), 0, Integer(2, False))]
    netlist, _ = general_layer(weights, Bipolar(), outputs, registered=True)
    assert netlist.outputs["y"] == (0, 1, 1, 0)
    assert sites_of(netlist).luts == 0


def test_equal_rows_cost_once_and_the_complement_nothing():
    rng = np.random.default_rng(2)
    row = rng.integers(-1, 2, 20)
    one, _ = general_layer(row[None], Bipolar(), [Comparison(1)], registered=True)
    three, _ = general_layer(np.array([row, row, row]), Bipolar(), [Comparison(1), Comparison(1, True), Comparison(1)], registered=True)
    assert sites_of(three).luts <= sites_of(one).luts + 2


@pytest.mark.parametrize(
    ("most", "x", "goal"), [(1, Bipolar(), 330), (8, Integer(8, True), 1500)], ids=["ternary 32x32 compared", "int4 16x16 summed"]
)
def test_sites_stay_within_what_was_reached(most, x, goal):
    rng = np.random.default_rng(7)
    size = 32 if most == 1 else 16
    weights = rng.integers(-most, most + (most == 1), (size, size))
    outputs: list[RowOutput] = [Comparison(0) if most == 1 else Integers(smallest_integer(-(1 << 14), 1 << 14))] * size
    netlist = check(weights, x, outputs, rng.choice(integers_of(x), (size, 100)), registered=True)
    assert sites_of(netlist).luts <= goal


@pytest.mark.parametrize(
    ("columns", "points"),
    [(32, (-7001, 100, 9999)), (24, tuple(range(-15000, 15001, 2000))), pytest.param(256, (4999,), marks=pytest.mark.slow)],
)
def test_wide_sums_of_bytes_are_decided_without_a_list_of_them(columns, points):
    """Twenty-four bits, all of them reachable: what can be listed is neither the sums nor their remainders."""
    x, rng = Integer(8, True), np.random.default_rng(5)
    weights = rng.integers(-128, 128, (1, columns))
    output = Staircase(points, (1,) * len(points), 0, Integer(len(points).bit_length(), False))
    extremes = np.where(weights.T > 0, x.hi, x.lo)
    close = [near(weights, x, [p], rng) for p in (points[0], points[-1])]
    values = np.concatenate([*close, extremes, -1 - extremes, rng.choice(integers_of(x), (columns, 200))], axis=1)
    check(weights, x, [output], values, registered=True)


@pytest.mark.slow
@pytest.mark.parametrize(("most", "x"), [(1, Bipolar()), (1, Integer(2, True)), (8, Integer(4, False))])
def test_layers_of_64_rows(most, x):
    rng = np.random.default_rng(7)
    weights = rng.integers(-most, most + 1, (64, 64))
    points = [int(p) for p in rng.integers(-4, 5, 64)]
    values = np.concatenate([near(weights, x, points, rng), rng.choice(integers_of(x), (64, 2000))], axis=1)
    check(weights, x, [Comparison(p) for p in points], values, registered=True)


def test_a_ternary_layer_of_64_by_64_takes_fewer_clbs_where_they_count() -> None:
    rng = np.random.default_rng(3)
    weights = rng.integers(-1, 2, (64, 64))
    rows: list[RowOutput] = [Comparison(int(t)) for t in rng.integers(-4, 5, 64)]
    values = rng.choice(integers_of(Bipolar()), (64, 200))
    plain = check(weights, Bipolar(), rows, values, registered=True)
    even = check(weights, Bipolar(), rows, values, registered=True, goal="slices")
    before, after = sites_of(plain), sites_of(even)
    assert after.clb <= 0.95 * before.clb
    assert after.luts <= 1000

"""Whole networks in one circuit, against matrix products of their layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hwq
from hwq.errors import InputError
from hwq.fabric.simulate import evaluate
from hwq.fabric.sites import sites_of
from hwq.fabric.unroll.layer import UnrolledLayer, unrolled_layer
from hwq.fabric.unroll.network import Layer, unrolled_network
from hwq.fabric.unroll.outputs import Comparison, Integers, Staircase
from hwq.network.ops import Conv, Threshold
from hwq.numerics.encoding import Bipolar, Integer

TERNARY = Integer(2, True, True)


def port(codes: np.ndarray, bits: int) -> np.ndarray:
    return sum(row.astype(object) << (k * bits) for k, row in enumerate(codes))


def numbers(layer: UnrolledLayer, x: np.ndarray, count: int, bits: int) -> np.ndarray:
    """Signed numbers (count, n) of a circuit's output port for input words ``x``."""
    y = evaluate(layer.netlist, {"x": x}, layer.latency)["y"]
    codes = np.array([[(int(w) >> (k * bits)) & ((1 << bits) - 1) for w in y] for k in range(count)])
    return codes - ((codes >> (bits - 1)) << bits)


def signs(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    return rng.integers(0, 2, (rows, columns)) * 2 - 1


@pytest.mark.parametrize("registered", [True, False])
def test_binary_layers_one_behind_the_other(registered: bool) -> None:
    rng = np.random.default_rng(4)
    matrices = [signs(rng, 9, 20), signs(rng, 8, 9), signs(rng, 3, 8)]
    flips = rng.integers(0, 2, 9).astype(bool)
    first = Layer(matrices[0], Bipolar(), tuple(Comparison(2, bool(f)) for f in flips))
    layers = [first, Layer(matrices[1], Bipolar(), (Comparison(-1),) * 8), Layer(matrices[2], Bipolar(), (Integers(Integer(5, True)),) * 3)]
    made = unrolled_network(layers, registered=registered)
    assert (made.latency > 0) == registered
    bits = rng.integers(0, 2, (20, 200))
    hidden = np.where((matrices[0] @ (2 * bits - 1) >= 2) != flips[:, None], 1, -1)
    expected = matrices[2] @ np.where(matrices[1] @ hidden >= -1, 1, -1)
    assert (numbers(made, port(bits, 1), 3, 5) == expected).all()


def test_layers_of_other_encodings_join_binary_ones() -> None:
    rng = np.random.default_rng(5)
    first, second = rng.integers(-1, 2, (6, 8)), signs(rng, 4, 6)
    layers = [
        Layer(first, Bipolar(), tuple(Staircase((-1, 2), (1, 1), -1, TERNARY) for _ in range(6))),
        Layer(second, TERNARY, (Integers(Integer(4, True)),) * 4),
    ]
    made = unrolled_network(layers)
    bits = rng.integers(0, 2, (8, 100))
    sums = first @ (2 * bits - 1)
    hidden = np.where(sums >= 2, 1, np.where(sums >= -1, 0, -1))
    assert (numbers(made, port(bits, 1), 4, 4) == second @ hidden).all()


def test_layers_that_do_not_fit_together_are_refused() -> None:
    layers = [Layer(np.ones((3, 4), int), Bipolar(), (Comparison(0),) * 3), Layer(np.ones((2, 5), int), Bipolar(), (Comparison(0),) * 2)]
    with pytest.raises(InputError, match="layer 1 reads 5 codes of 1 bits, 3 bits come in"):
        unrolled_network(layers)


def layers_of(file: Path) -> list[Layer]:
    """A fully binary network as layers; the sums of the last one as they are."""
    ops = [node.op for node in hwq.read(file).network.nodes]
    found = []
    for op, behind in zip(ops, [*ops[1:], None], strict=True):
        if isinstance(op, Conv):
            rows = (Integers(Integer(8, True)),) * op.mh
            if isinstance(behind, Threshold):
                assert (behind.steps == 1).all()
                assert (behind.base == 0).all()
                rows = tuple(Comparison(int(t)) for t in behind.thresholds[:, 0])
            found.append(Layer(op.matrix, Bipolar(), rows))
    return found


def test_the_last_layers_of_a_real_network_are_exact(shared_models: Path) -> None:
    layers = layers_of(shared_models / "TFC_1W1A.onnx")[1:]
    made = unrolled_network(layers)
    check(layers, made)
    assert made.latency <= sum(unrolled_layer(layer.weights, layer.x, layer.outputs).latency for layer in layers)
    assert sites_of(made.netlist).luts <= 1950


@pytest.mark.slow
def test_a_whole_real_network_is_exact(shared_models: Path) -> None:
    layers = layers_of(shared_models / "TFC_1W1A.onnx")
    made = unrolled_network(layers)
    check(layers, made)
    assert sites_of(made.netlist).luts <= 9000


def check(layers: list[Layer], made: UnrolledLayer) -> None:
    bits = np.random.default_rng(6).integers(0, 2, (layers[0].weights.shape[1], 60))
    bits[:, 0], bits[:, 1] = 0, 1
    values = 2 * bits - 1
    for layer in layers[:-1]:
        thresholds = np.array([o.threshold for o in layer.outputs if isinstance(o, Comparison)])
        values = np.where(layer.weights @ values >= thresholds[:, None], 1, -1)
    assert (numbers(made, port(bits, 1), 10, 8) == layers[-1].weights @ values).all()


@pytest.mark.parametrize("registered", [True, False])
def test_rows_that_never_change_are_read_as_constants(registered: bool) -> None:
    rng = np.random.default_rng(6)
    first, second = rng.integers(-2, 3, (6, 7)), rng.integers(-9, 10, (3, 6))
    points = (1, -99, 99, 0, -99, 99)
    layers = [
        Layer(first, Bipolar(), tuple(Comparison(p) for p in points)),
        Layer(second, Integer(1, False), (Integers(Integer(8, True)),) * 3),
    ]
    made = unrolled_network(layers, registered=registered)
    bits = rng.integers(0, 2, (7, 200))
    hidden = (first @ (2 * bits - 1) >= np.array(points)[:, None]).astype(int)
    assert (numbers(made, port(bits, 1), 3, 8) == second @ hidden).all()

"""Rung 1 tells local differences, their distance to the tie, and what only follows apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hwq.frontend.lower import lower
from hwq.frontend.onnx_reader import read_onnx
from hwq.frontend.rung1 import compare_with_source
from hwq.network.graph import Network
from hwq.network.ops import Threshold
from tests.frontend.onnx_models import Graph


def network(first: float, second: float) -> bytes:
    """8-bit integers times ``first``, requantized at ``second``, then twice more."""
    graph = Graph(shape=(1, 3))
    x = graph.matmul(graph.quant("x", first, bits=8, name="in"), np.eye(3), name="a")
    x = graph.matmul(graph.quant(x, second, bits=7, name="again"), [[1, 1, 0], [0, 1, 1], [1, 0, 1]], name="b")
    y = graph.matmul(graph.quant(x, second, bits=6, name="third"), np.eye(3), name="c")
    return graph.model(y)


def frames() -> np.ndarray:
    return np.arange(-120, 120, dtype=np.float32).reshape(-1, 3) * np.float32(0.1)


def test_systematic_ties_of_a_binary32_source_are_a_class_of_their_own() -> None:
    """Codes at scale 0.3 requantized at 0.6: every odd code is a tie, and binary32 decides some of them wrongly."""
    source = read_onnx(network(0.3, 0.6))
    result = compare_with_source(lower(source), {"x": frames()}, source)
    again = next(layer for layer in result.layers if layer.layer == "again")
    assert again.local == again.systematic > 0
    assert again.largest_tie_distance == 0
    assert again.first is not None
    third = next(layer for layer in result.layers if layer.layer == "third")
    assert third.different > third.local


def test_power_of_two_scales_have_no_excuses() -> None:
    source = read_onnx(network(0.5, 1.0))
    assert compare_with_source(lower(source), {"x": frames()}, source).exact


def test_a_wrong_threshold_is_found_and_named() -> None:
    source = read_onnx(network(0.5, 16.0))
    model = lower(source)
    nodes = list(model.network.nodes)
    place = next(k for k, n in enumerate(nodes) if n.name == "again")
    op = nodes[place].op
    assert isinstance(op, Threshold)
    thresholds = op.thresholds.copy()
    thresholds[0, 2] += 2
    nodes[place] = replace(nodes[place], op=replace(op, thresholds=thresholds))
    n = model.network
    wrong = replace(model, network=Network(n.name, n.inputs, tuple(nodes), n.outputs))
    result = compare_with_source(wrong, {"x": frames() * 10}, source)
    assert not result.exact
    first = next(layer for layer in result.layers if layer.local)
    assert first.layer == "again"
    assert first.first is not None


def test_the_graph_kept_in_the_model_serves_as_the_source() -> None:
    model = lower(read_onnx(network(0.5, 1.0)))
    assert compare_with_source(model, {"x": frames()}).frames == 80

"""What a model becomes: every figure from an independent count."""

from __future__ import annotations

import numpy as np

from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.host import HostStep
from hwq.network.host_words import steps_in_words
from hwq.network.model import Model, ModelInput, ModelOutput
from hwq.network.ops import ArgMax, Conv, Requantize, Saturating, Split, Threshold
from hwq.numerics.encoding import Integer
from hwq.numerics.rounding import Rounding
from hwq.report.bench_networks import residual, unet
from hwq.report.explain import explain_model, explain_text
from hwq.report.host import count_saturated, expected_range
from tests.network.networks import BIPOLAR, TERNARY
from tests.target.designs import model_of


def model() -> Model:
    """4 bipolar inputs, 3 rows, a staircase of which one channel falls and one is constant, requantize, argmax."""
    weights = np.array([[1, 1, -1, 1], [1, 0, -1, 1], [0, 0, 0, 0]]).reshape(3, 1, 1, 4)
    thresholds, steps = np.array([[0, 2], [0, 2], [-99, -99]]), np.array([[1, 1], [-1, -1], [-1, -1]])
    stairs = Threshold(thresholds, steps, np.array([0, 2, 2]), Integer(2, False))
    scale = Requantize(np.array([5]), np.array([3]), 2, Rounding.FLOOR, 0, 3, Integer(2, False))
    nodes = (
        Node("fc", Conv(weights, TERNARY, accumulation=Saturating(4, 2)), ("x",), ("acc",)),
        Node("act", stairs, ("acc",), ("q",)),
        Node("rq", scale, ("q",), ("r",)),
        Node("best", ArgMax(), ("r",), ("index",)),
    )
    network = Network("small", (NetworkInput("x", (1, 1, 4), BIPOLAR),), nodes, ("index",))
    head = (HostStep("mul", np.float64(2)), HostStep("sub", np.float64(1)), HostStep("bipolar"))
    notes = {"fc": {"negated_channels": 2}, "act": {"decreasing_channels": 2}}
    return Model(network, (ModelInput("x", (4,), "float32", head),), (ModelOutput("class", "index", (), "int64", ()),), {}, None, notes)


def test_layers_in_figures() -> None:
    document = explain_model(model())
    fc, act, rq, best = document["layers"]
    assert (fc["macs"], fc["weights"], fc["weight_bits"], fc["zero_weights"]) == (12, 12, 24, 5)
    assert fc["form"] == "fully connected 4->3, TERNARY weights, saturating at 4 bits every 2 products"
    assert (act["thresholds"], act["constant_channels"], act["decreasing_channels"]) == (2, 1, 1)
    assert act["frontend"] == {"decreasing_channels": 2}
    assert (rq["multiplier_bits"], rq["form"]) == (3, "clip((M*x + B) >> 2, 0, 3), M of 3 bits, floor")
    assert (best["encoding"], best["range"]) == ("UINT2", [0, 2])
    assert document["totals"]["macs"] == 12


def test_layers_in_words() -> None:
    text = explain_text(explain_model(model()))
    assert "input x: float32 4; on the wire 1x1x4 BIPOLAR, -1..1; host before: multiply by 2, then subtract 1, then +1 where x >= 0" in text
    assert "act: 1 channel always gives the same code" in text
    assert "act: 2 channels fall as their input rises" in text
    assert "fc: weights of 2 channels negated" in text
    assert "fc: 5 of 12 weights are 0" in text
    assert "output class: int64 scalar" in text


def test_every_host_step_has_words() -> None:
    from hwq.network.host import HOST_OPS

    attributes = {
        "low": 0.0,
        "high": 1.0,
        "mode": "half_even",
        "shape": [1, 2],
        "perm": [0, 2, 1],
        "axis": 1,
        "k": 2,
        "then": 1,
        "otherwise": 0,
    }
    for op in HOST_OPS:
        (words,) = steps_in_words((HostStep(op, np.array([1.5, 2.5]), attributes),))
        assert words
        assert "{" not in words


def test_steps_that_change_nothing_are_not_told() -> None:
    steps = (
        HostStep("reshape", attributes={"shape": [3, 4, 5]}),
        HostStep("mul", np.float64(2.0)),
        HostStep("transpose", attributes={"perm": [0, 2, 3, 1]}),
        HostStep("transpose", attributes={"perm": [0, 1, 2, 3]}),
        HostStep("reshape", attributes={"shape": [4, 5, 3]}),
        HostStep("reshape", attributes={"shape": [60]}),
        HostStep("argmax", attributes={"axis": 1}),
        HostStep("reshape", attributes={"shape": [1]}),
    )
    told = ["multiply by 2", "transpose axes (0, 2, 3, 1)", "reshape to 60", "index of the largest", "reshape to 1"]
    assert steps_in_words(steps, (3, 4, 5)) == told
    assert len(steps_in_words(steps)) == len(steps)
    assert steps_in_words(steps[-1:], (1,)) == []


def test_saturations_are_counted() -> None:
    head = (
        HostStep("div", np.float64(0.5)),
        HostStep("clip", attributes={"low": -2.0, "high": 1.0}),
        HostStep("round", attributes={"mode": "half_even"}),
    )
    assert count_saturated(head, np.array([[0.5, 0.6, -1.0, -1.01]])) == 2


def test_the_range_that_an_input_expects_is_told_in_its_own_scale() -> None:
    clip = HostStep("clip", attributes={"low": 0.0, "high": 255.0})
    steps = (HostStep("sub", np.float64(0.5)), HostStep("div", np.float64(1 / 256)), HostStep("round", attributes={"mode": "half_even"}))
    assert expected_range((*steps, clip)) == (0.5, 0.5 + 255 / 256)
    assert expected_range((HostStep("neg"), HostStep("reshape", attributes={"shape": [4]}), clip)) == (-255.0, 0.0)
    assert expected_range((HostStep("mul", np.array([1.0, 2.0])), clip)) is None
    assert expected_range((HostStep("exp"), clip)) is None
    assert expected_range((HostStep("bipolar"),)) is None


def test_branching_networks_are_explained_in_words() -> None:
    forms = {layer["name"]: layer["form"] for layer in explain_model(model_of(unet()))["layers"]}
    assert forms["down0"] == "conv 3x3, pad 1, 3->8, BIPOLAR weights, exact"
    assert forms["pixels"] == "conv 1x1, 8->2, INT4 weights, exact"
    assert forms["pool0"] == "max pool 2x2, stride 2"
    assert forms["up1"] == "upsample 2 times"
    assert forms["join1"] == "concat"
    layers = {layer["name"]: layer["form"] for layer in explain_model(model_of(residual()))["layers"]}
    assert layers["block1.add"] == "sum of 2 streams, coefficients 3, 2"
    assert layers["pool"] == "sum pool 8x8"


def test_a_split_whose_first_part_is_dropped_is_explained() -> None:
    x = NetworkInput("x", (2, 2, 5), Integer(2, False))
    network = Network("split", (x,), (Node("split", Split((2, 3)), ("x",), ("", "b")),), ("b",))
    (layer,) = explain_model(model_of(network))["layers"]
    assert (layer["form"], layer["shape"]) == ("split 2+3", [2, 2, 3])


def test_long_names_are_shortened_in_the_table() -> None:
    x = NetworkInput("x", (1, 1, 4), BIPOLAR)
    network = Network("long", (x,), (Node("encoder." * 30 + "query", ArgMax(), ("x",), ("y",)),), ("y",))
    assert max(map(len, explain_text(explain_model(model_of(network))).splitlines())) < 140

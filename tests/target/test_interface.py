"""What a designer reads: host steps with all constants, codes, ranges, framing, the fields of the report."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.host import HostStep
from hwq.network.model import Model, ModelInput, ModelOutput
from hwq.network.ops import Add, ArgMax
from hwq.numerics.encoding import Integer
from hwq.plan.prediction import predict
from hwq.target.design import elaborate
from hwq.target.host_steps import LISTED, host_document, host_text
from hwq.target.interface import interface_document
from hwq.target.package import write_package
from tests.target.designs import device, mlp, model_of, plan_for

HEAD = (
    HostStep("mul", np.float64(0.1)),
    HostStep("sub", np.linspace(-1, 1, 20)),
    HostStep("clip", None, {"low": -1.0, "high": float("inf")}),
    HostStep("bipolar"),
)
TAIL = (HostStep("mul", np.array([0.125, 0.25, 0.5, 1.0, 2.0])), HostStep("softmax", None, {"axis": 1}))


def model() -> Model:
    """The small network between a host head and a tail."""
    network = mlp()
    inputs = (ModelInput("x", (20,), "float32", HEAD),)
    return Model(
        network, inputs, (ModelOutput("scores", network.outputs[0], (5,), "float32", (HostStep("reshape", None, {"shape": [5]}), *TAIL)),)
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of :func:`model`."""
    folder = tmp_path_factory.mktemp("out") / "tiny"
    network = mlp()
    write_package(elaborate(network, plan_for(network)), model(), folder, device())
    return folder


def executed(steps: list[dict[str, object]], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The steps of interface.json as a driver's author would write them."""
    meaning = {
        "mul": lambda x, c, a: x * np.array(c),
        "sub": lambda x, c, a: x - np.array(c),
        "clip": lambda x, c, a: np.clip(x, float(a["low"]), float(a["high"])),
        "bipolar": lambda x, c, a: np.where(x >= 0, 1.0, -1.0),
    }
    for step in steps:
        x = meaning[step["op"]](x, step.get("constant"), step["attributes"])
    return x


def test_a_driver_written_from_the_interface_alone_gives_the_models_integers(written: Path) -> None:
    document = json.loads((written / "interface.json").read_text())
    (host,) = document["inputs"][0]["host"]
    assert (host["tensor"], host["shape"], host["dtype"]) == ("x", [20], "float32")
    x = np.random.default_rng(3).normal(0, 9, (50, 20)).astype(np.float32)
    np.testing.assert_array_equal(executed(host["steps"], x.astype(np.float64)), model().encode({"x": x})["x"].reshape(50, 20))
    assert [s["op"] for s in document["outputs"][0]["host"][0]["steps"]] == ["reshape", "mul", "softmax"]


def test_the_host_steps_are_there_in_words(written: Path) -> None:
    text = " ".join((written / "INTERFACE.md").read_text().split())
    assert "Host steps before, from `x` of the model: 1. take the tensor, float32 of shape N x 20 2. multiply by 0.1 3. subtract 20" in text
    assert "4. clip to -1..inf 5. +1 where x >= 0, else -1" in text
    assert "multiply by [0.125, 0.25, 0.5, 1.0, 2.0] 4. softmax (axis 1)" in text


def test_a_long_constant_is_where_the_interface_says(tmp_path: Path) -> None:
    network = mlp(widths=(LISTED + 1, 4, 5))
    long = np.arange(LISTED + 1) / 7
    given = replace(model_of(network), inputs=(ModelInput("x", (LISTED + 1,), "float32", (HostStep("sub", long), HostStep("bipolar"))),))
    design = elaborate(network, plan_for(network))
    (host,) = host_document(given, design.inputs[0])
    step = host["steps"][0]
    assert (step["constant"], step["shape"]) == (None, [LISTED + 1])
    assert step["member"] in " ".join(host_text(design.inputs[0], [host], given))
    write_package(design, given, tmp_path / "out", device())
    with zipfile.ZipFile(tmp_path / "out" / step["file"]) as z, z.open(step["member"]) as member:
        np.testing.assert_array_equal(np.load(member), long)


def test_codes_ranges_framing_and_latency_are_said(written: Path) -> None:
    text = (written / "INTERFACE.md").read_text()
    network = mlp()
    prediction = predict(network, plan_for(network))
    for said in (
        "code 0 is the integer -1, code 1 is the integer +1",
        "a frame is 1 beat = 8 bytes",
        "reachable: -12 to 12",
        "tkeep is ignored",
        "`0x48575131`",
        "tie every `s_axil_` input to 0",
        f"{prediction.first_latency} cycles for a frame that finds the core empty, {prediction.latency} in an unbroken stream",
        "## Framing",
    ):
        assert said in text, said
    document = interface_document(elaborate(network, plan_for(network)), model())
    assert document["outputs"][0]["reachable"] == [-12, 12]
    assert document["first_latency_cycles"] == prediction.first_latency


def test_every_field_of_the_report_is_explained(written: Path) -> None:
    text = (written / "INTERFACE.md").read_text()
    report = json.loads((written / "report.json").read_text())
    fields = {*report, *(name for layer in report["layers"] for name in layer)}
    assert [f for f in fields if f"- `{f}`: " not in text] == []
    assert [layer["op"] for layer in report["layers"]] == ["dense", "dense"]


def test_several_streams_are_to_be_served_together(tmp_path: Path) -> None:
    nodes = (Node("sum", Add(np.ones((2, 1), np.int64)), ("a", "b"), ("s",)), Node("top", ArgMax(), ("s",), ("index",)))
    network = Network("two", tuple(NetworkInput(n, (2, 2, 4), Integer(3, True)) for n in "ab"), nodes, ("s", "index"))
    write_package(elaborate(network, plan_for(network)), model_of(network), tmp_path / "out", device())
    text = (tmp_path / "out" / "INTERFACE.md").read_text()
    assert "Serve all streams at the same time" in text
    assert "one frame ahead of the others" in text


def test_the_code_that_a_narrow_input_leaves_out_is_explained(tmp_path: Path) -> None:
    encodings = {"a": Integer(2, True, True), "b": Integer(3, False, True)}
    node = Node("sum", Add(np.ones((2, 1), np.int64)), ("a", "b"), ("s",))
    network = Network("two", tuple(NetworkInput(n, (2, 2, 4), e) for n, e in encodings.items()), (node,), ("s",))
    write_package(elaborate(network, plan_for(network)), model_of(network), tmp_path / "out", device())
    text = (tmp_path / "out" / "INTERFACE.md").read_text()
    assert "code 2 stands for none of them; the core takes it for the integer 0" in text
    assert "code 7 stands for none of them; the core takes it for the integer 6" in text
    assert text.count("stands for none of them") == 2

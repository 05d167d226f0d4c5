"""`hwq zoo`: the table, and a model with random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hwq.frontend.model_pt import read_model_pt

Run = Callable[..., tuple[int, str, str]]
RunJson = Callable[..., tuple[int, dict]]


def test_without_a_name_it_lists(hwq: Run, hwq_json: RunJson) -> None:
    code, text, _ = hwq("zoo")
    assert code == 0
    assert "1 814 073 344" in text
    networks = {n["name"]: n for n in hwq_json("zoo")[1]["networks"]}
    assert networks["cnv"]["image"] == [3, 32, 32]
    assert networks["cnv"]["weights"] == 1_542_848


def test_it_writes_a_model(hwq_json: RunJson, tmp_path: Path) -> None:
    options = ("--image", "32", "--width", "0.1", "--classes", "7", "--weight", "ternary", "--activation", "uniform3", "--seed", "3")
    code, document = hwq_json("zoo", "resnet18", "-o", tmp_path / "small.pt", *options)
    assert code == 0
    assert document == {
        "network": "resnet18",
        "model": str(tmp_path / "small.pt"),
        "image": 32,
        "width": 0.1,
        "classes": 7,
        "weight": "ternary",
        "activation": "uniform3",
        "seed": 3,
    }
    graph = read_model_pt(tmp_path / "small.pt")
    assert graph.name == "resnet18"
    assert ([name for name, _ in graph.inputs], [name for name, _ in graph.outputs]) == (["image"], ["scores"])
    assert graph.metas[graph.outputs[0][1]].shape[1:] == (7,)
    convolutions = [n for n in graph.nodes if n.target == "hwq.conv.default"]
    assert len(convolutions) == 20
    assert convolutions[1].layer == "layer1.0.conv1"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("resnet81",), 2, "Did you mean 'resnet18'"),
        (("tfc", "--weight", "twolar"), 2, "weight: there is no quantizer 'twolar'"),
        (("tfc", "--image", "big"), 2, "--image: 'big' is not a whole number"),
        (("tfc", "--width", "-1"), 2, "--width"),
        (("tfc", "-o", "absent/m.pt"), 2, "Name a file in an existing folder"),
    ],
)
def test_errors_name_the_option(words: tuple[str, ...], code: int, said: str, hwq: Run) -> None:
    got, out, err = hwq("zoo", *words)
    assert (got, out) == (code, "")
    assert said in err

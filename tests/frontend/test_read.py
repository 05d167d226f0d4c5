"""``read``: one door for every format."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hwq.errors import InputError
from hwq.frontend.model_pt import save_model_pt
from hwq.frontend.options import ReadOptions
from hwq.frontend.read import read, read_graph
from hwq.network.file import network_hash, save_model
from hwq.quant import freeze
from tests.frontend.test_pt2 import write_pt2
from tests.frontend.torch_networks import frames, networks


def test_every_road_of_one_module_leads_to_the_same_numbers(tmp_path: Path) -> None:
    module = networks()["three bits"]
    x = frames(module)
    save_model_pt(module, tmp_path / "model.pt", x[:2])
    write_pt2(freeze(module), tmp_path / "model.pt2", x[:2])
    save_model(read(tmp_path / "model.pt"), tmp_path / "model.hwq")
    shutil.copy(tmp_path / "model.pt", tmp_path / "renamed.onnx")
    outputs = []
    for source, example in (
        (tmp_path / "model.pt", None),
        (str(tmp_path / "model.pt2"), None),
        (tmp_path / "model.hwq", None),
        (tmp_path / "renamed.onnx", None),
        (freeze(module), x[:2]),
    ):
        model = read(source, None, example)
        outputs.append(model.run({model.inputs[0].name: x.numpy()})["output"])
    for other in outputs[1:]:
        np.testing.assert_array_equal(other, outputs[0])


def test_the_same_file_gives_the_same_network(tmp_path: Path) -> None:
    module = networks()["mixed"]
    save_model_pt(module, tmp_path / "m.pt", frames(module)[:2])
    assert network_hash(read(tmp_path / "m.pt").network) == network_hash(read(tmp_path / "m.pt").network)


def test_names_and_provenance(tmp_path: Path) -> None:
    module = networks()["binary"]
    save_model_pt(module, tmp_path / "m.pt", frames(module)[:2], name="digits")
    assert read(tmp_path / "m.pt").name == "digits"
    assert read(tmp_path / "m.pt", ReadOptions(name="other")).name == "other"
    facts = read_graph(tmp_path / "m.pt").provenance
    assert facts["format"] == "hwq-model"
    assert facts["file"] == "m.pt"
    assert len(facts["sha256"]) == 64


@pytest.mark.parametrize("source", [3, None, b"model.pt", torch.nn.ReLU, [], torch.zeros(3)])
def test_what_is_no_source_is_told_so(source: Any) -> None:
    with pytest.raises(InputError) as caught:
        read(source)
    assert caught.value.code == "SOURCE-KIND"


def test_finished_networks_take_no_options(tmp_path: Path) -> None:
    module = networks()["binary"]
    save_model(read(freeze(module), None, frames(module)[:2]), tmp_path / "m.hwq")
    assert read(tmp_path / "m.hwq", ReadOptions(name="other")).name == "other"
    with pytest.raises(InputError) as caught:
        read(tmp_path / "m.hwq", ReadOptions(input_encoding="UINT8"))
    assert caught.value.code == "OPTION"
    with pytest.raises(InputError):
        read_graph(tmp_path / "m.hwq")


def test_a_state_dict_is_told_from_a_module() -> None:
    with pytest.raises(InputError, match="load_state_dict") as caught:
        read(networks()["binary"].state_dict())
    assert caught.value.code == "STATE-DICT"

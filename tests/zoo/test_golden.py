"""Networks of the zoo as integers compute what frozen torch computes, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import hwq
from hwq.quant import freeze
from hwq.zoo import NETWORKS, build, randomize
from hwq.zoo.random_weights import random_images
from tests.zoo.small_networks import small

QUICK = ("cnv", "resnet18", "googlenet", "mobilenet")
BINARY = {"activation": "bipolar", "first": "bipolar", "last": "bipolar", "last_input": "bipolar"}
WIDE = {"weight": "uniform4", "activation": "uniform4", "skip": "uniform8"}
TERNARY = {"weight": "ternary", "activation": "ternary", "input": "ternary"}


def check(net: nn.Module, x: torch.Tensor, path: Path) -> None:
    frozen = freeze(net)
    hwq.save(frozen, path, x[:1])
    model = hwq.read(path)
    got = model.run({model.inputs[0].name: x.numpy()})
    with torch.no_grad():
        result = frozen(x)
    expected = result if isinstance(result, dict) else {"output": result}
    assert set(got) == set(expected)
    for key, value in expected.items():
        np.testing.assert_array_equal(got[key], value.numpy())


@pytest.mark.parametrize("name", QUICK)
def test_small_networks(name: str, tmp_path: Path) -> None:
    check(*small(name), tmp_path / "m.pt")


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, BINARY, WIDE, TERNARY], ids=["default", "binary", "wide", "ternary"])
@pytest.mark.parametrize("name", NETWORKS)
def test_all_networks_with_other_quantizers(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    check(*small(name, **options), tmp_path / "m.pt")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alexnet", "resnet18", "resnet50"])
def test_networks_of_full_size(name: str, tmp_path: Path) -> None:
    image = NETWORKS[name].image
    check(randomize(build(name), image), random_images(image, 3, seed=5), tmp_path / "m.pt")

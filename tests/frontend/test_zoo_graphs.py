"""Every network of the zoo, small and frozen: the source graph computes the frozen module's numbers, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hwq.frontend.execute import execute
from hwq.frontend.live import live_graph
from hwq.frontend.model_pt import save_model_pt
from hwq.frontend.read import read_graph
from hwq.frontend.source import SourceGraph
from hwq.quant import freeze
from hwq.zoo import NETWORKS, build, randomize
from hwq.zoo.random_weights import random_images

SMALL: dict[str, dict[str, Any]] = {
    "tfc": {},
    "cnv": {"width": 0.125},
    "vgg-small": {"width": 0.07, "image": 16},
    "alexnet-2tower": {"width": 1 / 16, "image": 95},
    "resnet18": {"width": 0.125, "image": 32},
    "resnet50": {"width": 0.07, "image": 32},
    "googlenet": {"width": 0.07, "image": 64},
    "mobilenet": {"width": 0.125, "image": 64},
    "ssd300": {"width": 0.03},
}

QUICK = ("tfc", "cnv", "resnet18", "googlenet")


def same(frozen: torch.nn.Module, graph: SourceGraph, x: torch.Tensor) -> None:
    with torch.no_grad():
        result = frozen(x)
    results = list(result.values()) if isinstance(result, dict) else [result] if isinstance(result, torch.Tensor) else list(result)
    made = execute(graph, {graph.inputs[0].name: x.numpy()})
    assert len(made) == len(results)
    for ours, theirs in zip(made.values(), results, strict=True):
        np.testing.assert_array_equal(ours, theirs.numpy())


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in SMALL])
def test_a_network_of_the_zoo_executes_as_in_torch(name: str, tmp_path: Path) -> None:
    options = SMALL[name]
    image = NETWORKS[name].image
    image = image if "image" not in options else (image[0], options["image"], options["image"])
    torch.manual_seed(0)
    frozen = freeze(randomize(build(name, **options), image, frames=2))
    x = random_images(image, 2, 1)
    graph = live_graph(frozen, x)
    assert not [n.op for n in graph.nodes if n.op.startswith("aten.")]
    same(frozen, graph, x)
    if name == "resnet18":
        save_model_pt(frozen, tmp_path / "net.pt", x)
        same(frozen, read_graph(tmp_path / "net.pt"), x)

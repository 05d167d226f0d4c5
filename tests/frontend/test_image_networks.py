"""Convolutional and branching networks of hwq.quant mean the same in torch, in the source executor, and as integers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hwq.frontend.execute import execute
from hwq.frontend.lower import lower
from hwq.frontend.model_pt import read_model_pt, save_model_pt
from hwq.frontend.options import ReadOptions
from hwq.frontend.source import SourceGraph
from hwq.frontend.torch_graph import source_graph
from hwq.quant import freeze
from tests.frontend.image_networks import frames, makers, network

NAMES = sorted(makers())


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def saved(name: str, folder: Path) -> tuple[SourceGraph, dict[str, np.ndarray]]:
    """The source graph of a saved network, and what frozen torch makes of the frames."""
    module = freeze(network(name))
    save_model_pt(module, folder / "model.pt", frames(2))
    with torch.no_grad():
        result = module(frames())
    result = result if isinstance(result, dict) else {"output": result}
    return source_graph(read_model_pt(folder / "model.pt")), {k: v.numpy() for k, v in result.items()}


@pytest.mark.parametrize("name", NAMES)
def test_the_source_executor_equals_frozen_torch(name: str, tmp_path: Path) -> None:
    graph, expected = saved(name, tmp_path)
    got = execute(graph, {graph.inputs[0].name: frames().numpy()})
    assert set(got) == set(expected)
    for key, value in expected.items():
        np.testing.assert_array_equal(got[key].astype(value.dtype), value)
        assert len(np.unique(value)) > 5  # constants would prove little


@pytest.mark.parametrize("name", NAMES)
def test_the_golden_model_equals_frozen_torch_bit_for_bit(name: str, tmp_path: Path) -> None:
    graph, expected = saved(name, tmp_path)
    model = lower(graph, ReadOptions())
    got = model.run({model.inputs[0].name: frames().numpy()})
    assert set(got) == set(expected)
    for key, value in expected.items():
        assert got[key].dtype == value.dtype
        np.testing.assert_array_equal(got[key], value)

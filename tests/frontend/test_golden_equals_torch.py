"""The promise of hwq.quant: once frozen, the integer network computes what torch computes, every output of every frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hwq.frontend.live import live_graph
from hwq.frontend.lower import lower
from hwq.frontend.model_pt import read_model_pt, save_model_pt
from hwq.frontend.options import ReadOptions
from hwq.frontend.torch_graph import source_graph
from hwq.network.ops import Conv, Saturating
from hwq.quant import freeze
from tests.frontend.torch_networks import frames, networks

NAMES = sorted(networks())


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def torch_outputs(module: torch.nn.Module, x: torch.Tensor) -> dict[str, np.ndarray]:
    with torch.no_grad():
        result = freeze(module)(x)
    result = result if isinstance(result, dict) else {"output": result}
    return {k: v.numpy() for k, v in result.items()}


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_read_back_the_golden_model_equals_frozen_torch_bit_for_bit(name: str, tmp_path: Path) -> None:
    module = networks()[name]
    x = frames(module)
    save_model_pt(module, tmp_path / "model.pt", x[:3])
    model = lower(source_graph(read_model_pt(tmp_path / "model.pt")), ReadOptions())
    got = model.run({model.inputs[0].name: x.numpy()})
    expected = torch_outputs(module, x)
    assert set(got) == set(expected)
    for key, value in expected.items():
        assert got[key].dtype == value.dtype
        np.testing.assert_array_equal(got[key], value)


def test_frames_reach_rails_and_both_sides_of_every_output() -> None:
    """The test above would say little about constant outputs."""
    for name, module in networks().items():
        outputs = next(iter(torch_outputs(module, frames(module)).values()))
        assert len(np.unique(outputs)) > 5, name


def test_saturation_happens_and_is_part_of_the_network() -> None:
    module = networks()["saturating"]
    x = frames(module)
    model = lower(live_graph(freeze(module), x), ReadOptions())
    sums = [n.op for n in model.network.nodes if isinstance(n.op, Conv)]
    assert [s.accumulation for s in sums][1] == Saturating(3, 2)
    exact = networks()["saturating"]
    exact[4].accumulator = None
    assert not np.array_equal(torch_outputs(module, x)["output"], torch_outputs(exact, x)["output"])


def test_unfrozen_torch_agrees_up_to_float32_rounding() -> None:
    module = networks()["xnor scales"]
    x = frames(module)
    with torch.no_grad():
        soft = module(x).numpy()
    hard = torch_outputs(module, x)["output"]
    assert (np.abs(soft - hard) < 1e-3 * np.abs(hard).max()).mean() > 0.95

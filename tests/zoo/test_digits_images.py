"""The convolutional recipes learn, and what they save is what torch computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hwq.zoo.digits_images
from hwq.frontend.execute import execute
from hwq.frontend.model_pt import read_model_pt
from hwq.frontend.torch_graph import source_graph
from hwq.quant.training import Schedule
from hwq.zoo.recipes import train

pytest.importorskip("sklearn", reason="scikit-learn brings the digits")
RECIPES = {"digits-conv": 0.97, "digits-residual": 0.97, "digits-depthwise": 0.97}  # test accuracy of the full recipe


@pytest.mark.parametrize("recipe", RECIPES)
def test_it_learns_and_saves_what_torch_computes(recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hwq.zoo.digits_images, "Schedule", lambda epochs, **options: Schedule(epochs=4, **options))
    result = train(recipe, tmp_path / "model.pt")
    assert result.accuracy > 0.7
    data = np.load(result.test_data)
    assert data["x"].shape == (360, 1, 8, 8)
    graph = source_graph(read_model_pt(result.model))
    scores = execute(graph, {graph.inputs[0].name: data["x"]})["scores"]
    np.testing.assert_array_equal(scores.astype(np.float32), data["scores"])


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
def test_the_full_recipe_reaches_its_accuracy_and_repeats_itself(recipe: str, tmp_path: Path) -> None:
    first, second = (train(recipe, tmp_path / f"{k}.pt") for k in "ab")
    assert first.accuracy > RECIPES[recipe]
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()
    assert second.accuracy == first.accuracy

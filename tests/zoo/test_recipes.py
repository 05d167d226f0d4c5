"""Recipes: the digits in one command, saved with data that proves them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import hwq.zoo.digits_mlp
from hwq.errors import InputError
from hwq.frontend.read import read
from hwq.quant.training import Schedule
from hwq.zoo.digits_mlp import TEST_FRAMES, digits
from hwq.zoo.recipes import TrainResult, available_recipes, train

pytest.importorskip("sklearn", reason="scikit-learn brings the digits")
Progress = Callable[[str, float | None], None]


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """The recipe with a tenth of its epochs."""
    patch = pytest.MonkeyPatch()
    patch.setattr(hwq.zoo.digits_mlp, "Schedule", lambda epochs, **options: Schedule(epochs=15, **options))
    try:
        return train("digits-mlp", tmp_path_factory.mktemp("digits") / "model.pt")
    finally:
        patch.undo()


def test_it_learns_the_digits(short: TrainResult) -> None:
    assert short.accuracy > 0.88
    assert short.frames == TEST_FRAMES


def test_golden_equals_torch_on_every_held_out_frame(short: TrainResult) -> None:
    model = read(short.model)
    data = np.load(short.test_data)
    scores = model.run({"input": data["x"]})["scores"]
    np.testing.assert_array_equal(scores, data["scores"])
    assert (scores.argmax(1) == data["y"]).mean() == short.accuracy
    assert model.name == "digits-mlp"


def test_held_out_frames_are_held_out(short: TrainResult) -> None:
    x, y = digits()
    data = np.load(short.test_data)
    np.testing.assert_array_equal(data["x"], np.minimum(x[-TEST_FRAMES:], 15))  # pixels 0 .. 16 in four bits
    np.testing.assert_array_equal(data["y"], y[-TEST_FRAMES:])


@pytest.mark.slow
def test_the_full_recipe_reaches_its_accuracy_and_repeats_itself(tmp_path: Path) -> None:
    said: list[float | None] = []
    first = train("digits-mlp", tmp_path / "a.pt", progress=lambda _, fraction: said.append(fraction))
    second = train("digits-mlp", tmp_path / "b.pt")
    assert first.accuracy > 0.95
    assert said == sorted(said)
    assert said[-1] == 1.0
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()
    assert second.accuracy == first.accuracy


def test_unknown_recipes_meet_the_nearest(tmp_path: Path) -> None:
    assert "digits-mlp" in available_recipes()
    with pytest.raises(InputError, match="Did you mean 'digits-mlp'"):
        train("digit-mlp", tmp_path / "m.pt")
    with pytest.raises(InputError, match="Known: "):
        train("x", tmp_path / "m.pt")


def test_places_that_cannot_be_written_are_told_before_training(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "absent" / "m.pt"):
        with pytest.raises(InputError) as caught:
            train("digits-mlp", place)
        assert caught.value.code == "FILE-WRITE"

"""Recipes: networks that train from nothing to a model.pt in one command."""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["ENTRY_POINT_GROUP", "Recipe", "TrainResult", "Trained", "available_recipes", "check_writable", "train"]

ENTRY_POINT_GROUP = "hwq.recipes"
Progress = Callable[[str, float | None], None]
FRAMES_AT_ONCE = 100  # through the frozen network, whose float64 maps are large


@dataclass(frozen=True, eq=False)
class Trained:
    """What a recipe returns: a module in eval mode, and frames (N, ...) and labels (N,) it has not seen."""

    module: nn.Module
    frames: NDArray[Any]
    labels: NDArray[np.int64]
    validation_accuracy: float


class Recipe(Protocol):
    """Trains one network; the first line of its docstring is its description.

    One that reads files also takes ``data: Path | None``, one that can train longer ``epochs: int | None``.
    """

    def __call__(self, seed: int = ..., progress: Progress | None = ...) -> Trained: ...


@dataclass(frozen=True)
class TrainResult:
    """What :func:`train` wrote and reached; ``accuracy`` is that of the frozen model on ``frames`` held-out frames."""

    recipe: str
    model: Path
    test_data: Path
    accuracy: float
    validation_accuracy: float
    frames: int
    seconds: float


def available_recipes() -> dict[str, Recipe]:
    """Recipes by name: those of hwq and those that packages offer through the entry-point group ``hwq.recipes``."""
    from hwq.zoo.digits_images import train_digits_conv, train_digits_depthwise, train_digits_residual
    from hwq.zoo.digits_mlp import train_digits_mlp
    from hwq.zoo.disk_recipes import DISK_RECIPES

    found: dict[str, Recipe] = {e.name: e.load() for e in entry_points(group=ENTRY_POINT_GROUP)}
    own = {
        "digits-mlp": train_digits_mlp,
        "digits-conv": train_digits_conv,
        "digits-residual": train_digits_residual,
        "digits-depthwise": train_digits_depthwise,
    }
    return {**found, **own, **DISK_RECIPES}


def train(
    recipe: str,
    output: str | os.PathLike[str],
    seed: int | None = None,
    progress: Progress | None = None,
    *,
    data: str | os.PathLike[str] | None = None,
    epochs: int | None = None,
) -> TrainResult:
    """Train ``recipe``, freeze it, save it to ``output`` and held-out frames to ``<stem>.test.npz`` beside it.

    The npz holds ``x`` (the frames as the model takes them), ``y`` (labels) and ``scores`` (outputs of the frozen torch model).
    ``seed`` and ``epochs`` None are the recipe's own; ``data`` is the folder of the data set, for recipes that read one.
    Raises :class:`InputError` for an unknown recipe or option or an unwritable place, before training.
    """
    chosen = _recipe(recipe)
    options = {"seed": seed, "data": None if data is None else Path(data), "epochs": epochs}
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    _check_options(recipe, chosen, given)
    path = Path(output)
    check_writable(path)
    start = time.perf_counter()
    trained = chosen(progress=progress, **given)
    scores = _save(trained, path, recipe)
    test_data = path.with_name(path.stem + ".test.npz")
    np.savez_compressed(test_data, x=trained.frames, y=trained.labels, scores=scores)
    right = float((scores.argmax(1) == trained.labels).mean())
    seconds = time.perf_counter() - start
    return TrainResult(recipe, path, test_data, right, trained.validation_accuracy, len(trained.labels), seconds)


def _recipe(name: str) -> Recipe:
    try:
        recipes = available_recipes()
    except ModuleNotFoundError as error:
        message = f"training needs {error.name}, which is not installed"
        raise InputError("MISSING-PACKAGE", message, hint="pip install 'hwq[train]'") from None
    if name not in recipes:
        near = get_close_matches(name, recipes, 1)
        known = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(recipes))}"
        raise InputError("RECIPE", f"there is no recipe {name!r}", hint=known)
    return recipes[name]


def _check_options(name: str, recipe: Recipe, given: Mapping[str, Any]) -> None:
    taken = inspect.signature(recipe).parameters
    for option in given:
        if option not in taken and not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in taken.values()):
            raise InputError("RECIPE-OPTION", f"the recipe {name!r} takes no {option}", where=f"--{option}", hint="Leave the option out")


def check_writable(path: Path) -> None:
    """Raise :class:`InputError` before long work whose result could not be written."""
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise InputError("FILE-WRITE", "no file can be written there", where=str(path), hint="Name a file in an existing folder")


def _save(trained: Trained, path: Path, name: str) -> NDArray[Any]:
    import torch

    from hwq.frontend.model_pt import save_model_pt
    from hwq.quant import freeze

    frames = torch.from_numpy(trained.frames)
    frozen = freeze(trained.module, frames[:FRAMES_AT_ONCE])
    save_model_pt(frozen, path, frames[:2], name=name, io={"outputs": ["scores"]})
    with torch.no_grad():
        scores: NDArray[Any] = torch.cat([frozen(part) for part in frames.split(FRAMES_AT_ONCE)]).numpy()
    return scores

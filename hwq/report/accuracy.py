"""From scores to classes and accuracies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.verify.accuracy import classes

__all__ = ["accuracy", "class_count", "classes_of"]


def class_count(shape: tuple[int, ...]) -> int | None:
    """Classes of an output of ``shape`` (without the batch); None where it is a class index already.

    Raises :class:`InputError` where more than one axis is longer than 1: a map, which is no list of scores.
    """
    if sum(n > 1 for n in shape) > 1:
        text = "x".join(map(str, shape))
        message = f"the model gives a map of {text} for every frame, from which no single class follows"
        raise InputError("LABELS-OUTPUT", message, where="--labels", hint="Leave the labels out, and score what -o writes yourself")
    size = int(np.prod(shape))
    return size if size > 1 else None


def classes_of(scores: NDArray[Any]) -> NDArray[np.int64]:
    """Class index (N,) of each frame: the largest of (N, ...) scores, ties to the lowest, or the index itself.

    >>> classes_of(np.array([[0.1, 0.7, 0.7], [2.0, 1.0, 0.0]]))
    array([1, 0])
    >>> classes_of(np.array([[3], [1]]))
    array([3, 1])
    """
    found = classes(scores)
    flat = scores.reshape(len(scores), -1)
    if flat.shape[1] == 1 and not np.array_equal(found, flat[:, 0]):
        raise InputError("LABELS-SCORES", "the model gives one real number a frame, from which no class follows")
    return found


def accuracy(classes: NDArray[np.int64], labels: NDArray[np.int64]) -> dict[str, Any]:
    """``correct``, ``frames`` and their ratio ``accuracy``."""
    correct = int((classes == labels).sum())
    return {"correct": correct, "frames": len(labels), "accuracy": correct / len(labels)}

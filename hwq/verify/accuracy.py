"""Accuracy of source, golden and RTL on labelled frames, compared image by image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.network.model import Model
from hwq.network.ops import Integers

__all__ = ["accuracy", "classes"]


def classes(scores: NDArray[Any]) -> NDArray[np.int64]:
    """Class of each frame: the index of the largest score, ties to the lowest; a single number is the class itself."""
    flat = np.asarray(scores).reshape(len(scores), -1)
    return flat.argmax(1) if flat.shape[1] > 1 else flat[:, 0].astype(np.int64)


def accuracy(
    model: Model,
    golden: Mapping[str, Integers],
    rtl: Mapping[str, Integers],
    labels: NDArray[Any],
    source_scores: NDArray[Any] | None = None,
) -> dict[str, float | int]:
    """Shares of frames with the right class, by the model's first output.

    ``golden`` and ``rtl`` are output integers by tensor; ``rtl`` may hold fewer frames (``rtl_frames``). ``*_differs`` count
    frames whose class is not golden's. Raises :class:`InputError` when labels and frames do not go together.
    """
    name = model.outputs[0].name
    wanted = np.asarray(labels)
    reference = classes(model.decode(golden)[name])
    if wanted.shape != reference.shape or wanted.dtype.kind not in "iuf":
        raise InputError(
            "LABELS-SHAPE",
            f"the labels have shape {wanted.shape} and hold {wanted.dtype}, expected ({len(reference)},) of classes",
            where="--labels",
        )
    result: dict[str, float | int] = {"frames": len(wanted), "golden": float((reference == wanted).mean())}
    others = {"rtl": classes(model.decode(rtl)[name])}
    if source_scores is not None:
        others["source"] = classes(source_scores)
    for who, found in others.items():
        n = min(len(found), len(wanted))
        result |= {f"{who}_frames": n, who: float((found[:n] == wanted[:n]).mean()) if n else 0.0}
        result[f"{who}_differs"] = int((found[:n] != reference[:n]).sum())
    return result

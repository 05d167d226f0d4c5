"""Scores of two executions of one model, compared image by image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.report.accuracy import classes_of

__all__ = ["agreement"]


def agreement(golden: NDArray[Any], other: NDArray[Any]) -> dict[str, Any]:
    """How the scores (N, ...) of ``other`` agree with golden's: frames, those equal in every bit, those of the same class.

    ``largest_difference`` is absolute; where it is not 0, the other's own float rounding differs from golden's.

    >>> agreement(np.array([[1.0, 2.0], [3.0, 1.0]]), np.array([[1.0, 2.0], [3.0, 1.5]]))
    {'frames': 2, 'equal': 1, 'same_class': 2, 'largest_difference': 0.5}
    """
    a, b = (np.asarray(x, np.float64).reshape(len(x), -1) for x in (golden, other))
    same = a == b
    gap = np.abs(np.where(same, 0.0, a - b))
    return {
        "frames": len(a),
        "equal": int(same.all(1).sum()),
        "same_class": int((_classes(golden) == _classes(other)).sum()),
        "largest_difference": float(gap.max(initial=0.0)),
    }


def _classes(scores: NDArray[Any]) -> NDArray[Any]:
    """Classes where scores have them; a single real number stands for itself."""
    flat = scores.reshape(len(scores), -1)
    return classes_of(scores) if flat.shape[1] > 1 else flat[:, 0]

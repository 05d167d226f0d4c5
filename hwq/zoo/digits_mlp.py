"""``digits-mlp``: a binary perceptron for the handwritten digits that ship with scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.quant import Bipolar, Uniform
from hwq.quant.training import Progress, Schedule, fit, seeded, tensors
from hwq.zoo.mlp import mlp
from hwq.zoo.recipes import Trained

__all__ = ["digits", "train_digits_mlp"]

TEST_FRAMES = 360
VALIDATION_FRAMES = 180
SPLIT_SEED = 1797  # the split is part of the data, not of a run


def digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """1797 images of 8x8 pixels 0..16 as (1797, 64), and their digits; in a fixed shuffled order, the test frames last."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise InputError("MISSING-PACKAGE", "scikit-learn, which brings the digits, is missing", hint="pip install 'hwq[train]'") from None
    data: Any = load_digits()
    order = np.random.default_rng(SPLIT_SEED).permutation(len(data.target))
    return data.data[order].astype(np.float32), data.target[order].astype(np.int64)


def train_digits_mlp(seed: int = 1, progress: Progress | None = None) -> Trained:
    """64-128-64-10 with bipolar weights and activations; pixels clipped to 4 bits."""
    x, y = digits()
    x = np.minimum(x, np.float32(15))  # 16, as black as 15, is beyond 4 bits
    first, last = len(x) - TEST_FRAMES - VALIDATION_FRAMES, len(x) - TEST_FRAMES
    with seeded(seed):
        net = mlp((64, 128, 64, 10), input=Uniform(4, signed=False, scale=1.0), last_weight=lambda: Bipolar("layer"), last_bias=False)
        schedule = Schedule(epochs=150, batch=64, rate=1e-2, seed=seed)
        result = fit(net, tensors(x[:first], y[:first]), tensors(x[first:last], y[first:last]), schedule, progress=progress)
    return Trained(net, x[last:], y[last:], result.validation_accuracy)

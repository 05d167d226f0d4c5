"""A training loop for classifiers: seeded, the same from run to run on one machine, best epoch kept by validation."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hwq.errors import InputError
from hwq.quant.bipolar import Bipolar
from hwq.quant.layers import WeightLayer

__all__ = ["Augment", "Fit", "Progress", "Schedule", "accuracy", "fit", "seeded", "tensors"]

Progress = Callable[[str, float | None], None]
Loss = Callable[[Tensor, Tensor], Tensor]
Augment = Callable[[Tensor, torch.Generator], Tensor]
FRAMES_AT_ONCE = 500  # of an evaluation


@dataclass(frozen=True)
class Schedule:
    """How to train.

    Parameters
    ----------
    epochs, batch
        Passes over the training set; frames a step.
    rate, weight_decay
        Learning rate of Adam at the start, falling to 0 along a half cosine.
    seed
        Of the order of frames.
    """

    epochs: int
    batch: int = 64
    rate: float = 1e-2
    weight_decay: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Fit:
    """What came out: accuracy on the validation set of the epoch that was kept (the earliest of the best), and which it was."""

    validation_accuracy: float
    epoch: int


@contextmanager
def seeded(seed: int, threads: int = 1) -> Iterator[None]:
    """Torch's generator from ``seed`` and a fixed number of threads (sums depend on it); both restored afterwards."""
    before = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def fit(
    module: nn.Module,
    train: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    schedule: Schedule,
    *,
    loss: Loss = functional.cross_entropy,
    augment: Augment | None = None,
    progress: Progress | None = None,
) -> Fit:
    """Train ``module`` in place on frames and labels; it ends in eval mode with the weights of its best epoch.

    ``augment`` changes the frames of every step (frames, generator), say by moving them.
    Latent weights of bipolar layers are clipped to [-1, 1] after every step (BinaryConnect).
    """
    x, y = train
    if len(x) < 2 or len(x) != len(y):
        raise InputError("TRAINING-DATA", f"{len(x)} frames and {len(y)} labels were given, equal numbers of at least 2 are needed")
    optimiser = torch.optim.Adam(module.parameters(), lr=schedule.rate, weight_decay=schedule.weight_decay)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, schedule.epochs)
    generator = torch.Generator().manual_seed(schedule.seed)
    best = Fit(-1.0, 0)
    state = copy.deepcopy(module.state_dict())
    for epoch in range(schedule.epochs):
        for rows in torch.randperm(len(x), generator=generator).split(schedule.batch):
            if len(rows) > 1:  # a batch norm cannot train on one frame
                frames = x[rows] if augment is None else augment(x[rows], generator)
                _step(module, frames, y[rows], optimiser, loss)
        cosine.step()
        right = accuracy(module, *validation)
        if right > best.validation_accuracy:
            best, state = Fit(right, epoch), copy.deepcopy(module.state_dict())
        if progress is not None:
            progress(f"epoch {epoch + 1} of {schedule.epochs}, validation {right:.1%}", (epoch + 1) / schedule.epochs)
    module.load_state_dict(state)
    module.eval()
    return best


def _step(module: nn.Module, x: Tensor, y: Tensor, optimiser: torch.optim.Optimizer, loss: Loss) -> None:
    module.train()
    optimiser.zero_grad()
    loss(module(x), y).backward()
    optimiser.step()
    clip_latent(module)


@torch.no_grad()
def clip_latent(module: nn.Module) -> None:
    """Clip the latent weights of bipolar layers to [-1, 1]: beyond, they would never turn again."""
    for part in module.modules():
        if isinstance(part, WeightLayer) and isinstance(part.weight_quantizer, Bipolar):
            part.weight.clamp_(-1.0, 1.0)


@torch.no_grad()
def accuracy(module: nn.Module, x: Tensor, y: Tensor) -> float:
    """Share of frames whose largest score is the label's, in eval mode."""
    module.eval()
    right = [module(part).argmax(1) == labels for part, labels in zip(x.split(FRAMES_AT_ONCE), y.split(FRAMES_AT_ONCE), strict=True)]
    return float(torch.cat(right).float().mean())


def tensors(x: NDArray[np.float32], y: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Frames and labels as torch tensors."""
    return torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(np.ascontiguousarray(y))

"""Recipes that train networks of the zoo on data sets from disk: ``mnist-tfc``, ``mnist-cnv``, ``cifar-vgg-small`` and others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from hwq.quant.training import Augment, Progress, Schedule, fit, seeded, tensors
from hwq.zoo.choice import Choice
from hwq.zoo.cifar10 import cifar10
from hwq.zoo.dataset import DataSet, Part
from hwq.zoo.mnist import mnist
from hwq.zoo.networks import network_named
from hwq.zoo.recipes import Trained
from hwq.zoo.size import Size

__all__ = ["DISK_RECIPES", "DiskRecipe"]

VALIDATION_SHARE = 12  # one image of so many is kept to choose the epoch by
CLASSES = 10
SHIFT = 4


def shifted_and_flipped(x: Tensor, generator: torch.Generator) -> Tensor:
    """Frames (N, C, H, W) moved by up to 4 pixels each way, half of them mirrored: the usual for CIFAR-10."""
    height, width = x.shape[2:]
    padded = functional.pad(x, (SHIFT,) * 4)
    top, left = (int(v) for v in torch.randint(2 * SHIFT + 1, (2,), generator=generator))
    moved = padded[:, :, top : top + height, left : left + width]
    mirrored = torch.rand(len(x), 1, 1, 1, generator=generator) < 0.5
    return torch.where(mirrored, moved.flip(3), moved)


@dataclass(frozen=True)
class DiskRecipe:
    """One network on one data set.

    Parameters
    ----------
    network
        Name in the zoo; quantizers are the zoo's own.
    read
        Reader of the data set.
    epochs
        Where the caller names no other number.
    border
        Zeros around every image, for networks of a larger one.
    augment
        What training frames go through, if anything.
    """

    network: str
    read: Callable[[Path | None], DataSet]
    epochs: int
    border: int = 0
    augment: Augment | None = None

    def __call__(self, seed: int = 1, progress: Progress | None = None, data: Path | None = None, epochs: int | None = None) -> Trained:
        """Train; ``data`` is the folder of the files."""
        found = self.read(data)
        (x, y), (test_x, test_y) = self._frames(found.train), self._frames(found.test)
        kept = len(x) - max(1, len(x) // VALIDATION_SHARE)
        with seeded(seed, torch.get_num_threads()):
            net = network_named(self.network).make(Choice(), Size((x.shape[1], x.shape[2], x.shape[3]), CLASSES))
            schedule = Schedule(epochs=epochs or self.epochs, batch=100, rate=2e-3, seed=seed)
            train, validation = tensors(x[:kept], y[:kept]), tensors(x[kept:], y[kept:])
            result = fit(net, train, validation, schedule, augment=self.augment, progress=progress)
        return Trained(net, test_x, test_y, result.validation_accuracy)

    def _frames(self, part: Part) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        around = ((0, 0), (0, 0), (self.border,) * 2, (self.border,) * 2)
        return np.pad(part.images, around).astype(np.float32) / np.float32(255), part.labels


DISK_RECIPES = {
    "mnist-tfc": DiskRecipe("tfc", mnist, 20),
    "mnist-sfc": DiskRecipe("sfc", mnist, 20),
    "mnist-lfc": DiskRecipe("lfc", mnist, 20),
    "mnist-cnv": DiskRecipe("cnv", mnist, 5, border=2),
    "cifar-cnv": DiskRecipe("cnv", cifar10, 60, augment=shifted_and_flipped),
    "cifar-vgg-small": DiskRecipe("vgg-small", cifar10, 60, augment=shifted_and_flipped),
}

"""Random but reproducible networks whose activations live: weights drawn, batch norms and quantizers set by what they see."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from hwq.quant import Quantizer, Uniform
from hwq.quant.layers import WeightLayer
from hwq.quant.training import seeded

__all__ = ["random_images", "randomize"]


def randomize(module: nn.Module, image: Sequence[int], seed: int = 0, frames: int = 4) -> nn.Module:
    """``module`` itself, in eval mode, with weights drawn from ``seed`` and statistics of ``frames`` random images.

    Weights are normal, batch norms get a gain near 1 (some negative, as training makes them) and a small shift. Mean and
    variance of every batch norm and the scale of every quantizer are those of the frames, so that no layer runs dry: every
    activation takes several of its levels. The same arguments give the same network on one machine.
    """
    generator = torch.Generator().manual_seed(seed)
    module.eval()
    for part in module.modules():
        _draw(part, generator)
    momenta = {part: part.momentum for part in module.modules() if isinstance(part, _BatchNorm)}
    for part in module.modules():
        part.training = isinstance(part, _BatchNorm | Quantizer)
        if isinstance(part, _BatchNorm):
            part.momentum = None  # the plain mean of what it sees
    try:
        with seeded(seed, torch.get_num_threads()), torch.no_grad():
            module(random_images(image, frames, seed))
    finally:
        for part, momentum in momenta.items():
            part.momentum = momentum
    return module.eval()


@torch.no_grad()
def _draw(part: nn.Module, generator: torch.Generator) -> None:
    if isinstance(part, WeightLayer):
        part.weight.normal_(0.0, 1 / math.sqrt(part.weight[0].numel()), generator=generator)
        if part.bias is not None:
            part.bias.normal_(0.0, 0.1, generator=generator)
    elif isinstance(part, _BatchNorm):
        part.reset_running_stats()
        if part.affine:
            part.weight.normal_(1.0, 0.4, generator=generator)
            part.bias.normal_(0.0, 0.3, generator=generator)
    elif isinstance(part, Uniform) and part.mode != "fixed":
        part.step.fill_(math.nan)  # as if it had seen nothing yet


def random_images(image: Sequence[int], frames: int, seed: int = 0) -> Tensor:
    """(frames, C, H, W) of byte levels k/255: noise of several sizes, so that windows see more than grey."""
    generator = torch.Generator().manual_seed(seed)
    channels, height, width = image
    total = torch.zeros(frames, channels, height, width)
    for cell in (1, 4, 16, 64):
        noise = torch.rand(frames, channels, -(-height // cell), -(-width // cell), generator=generator)
        total += functional.interpolate(noise, (height, width), mode="nearest") - 0.5
    return torch.round((0.5 + 0.4 * total).clamp(0, 1) * 255) / 255

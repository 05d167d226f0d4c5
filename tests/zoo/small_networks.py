"""Every network of the zoo, narrow and on small images, for tests of several readers."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from hwq.zoo import NETWORKS, build, randomize
from hwq.zoo.random_weights import random_images

# Small enough to run in a moment, large enough for every window.
SMALL: dict[str, dict[str, Any]] = {
    "tfc": {},
    "sfc": {"width": 0.25},
    "lfc": {"width": 0.05},
    "cnv": {"width": 0.125},
    "vgg-small": {"width": 0.07, "image": 16},
    "vgg-variant": {"width": 0.04, "image": 64},
    "alexnet": {"width": 0.05, "image": 95},
    "alexnet-2tower": {"width": 1 / 16, "image": 95},
    "resnet18": {"width": 0.125, "image": 64},
    "resnet34": {"width": 0.07, "image": 32},
    "resnet50": {"width": 0.07, "image": 32},
    "googlenet": {"width": 0.07, "image": 64},
    "mobilenet": {"width": 0.125, "image": 64},
    "ssd300": {"width": 0.03},
}


def small(name: str, **options: Any) -> tuple[nn.Module, torch.Tensor]:
    """A randomized network in eval mode, ten classes, and six images it has not seen; ``options`` as of :func:`hwq.zoo.build`."""
    torch.manual_seed(0)
    chosen = {"classes": 10, **SMALL[name], **options}
    shape = NETWORKS[name].image
    image = (shape[0], *[chosen["image"]] * 2) if "image" in chosen else shape
    net = randomize(build(name, **chosen), image, frames=8)
    return net, random_images(image, 6, seed=1)

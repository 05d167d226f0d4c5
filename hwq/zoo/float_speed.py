"""Speed of a zoo network's plain float32 form in torch: what the golden model is compared with.

``python -m hwq.zoo.float_speed resnet18`` prints frames a second on all cores.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import torch
from torch import nn

from hwq.quant import Conv2d, Linear, Quantizer
from hwq.zoo.networks import build, network_named

__all__ = ["frames_per_s", "plain"]

BATCH, REPEATS = 16, 3


def plain(module: nn.Module) -> nn.Module:
    """``module`` itself with float32 layers in place of quantized ones; activation quantizers become ReLU, others nothing."""
    for name, child in module.named_children():
        if isinstance(child, Conv2d):
            w, bias = child.window, child.bias is not None
            stride, pad, dilation = (_pair(v) for v in (w.stride, w.padding, w.dilation))
            sizes = (child.in_channels, child.out_channels, _pair(child.weight.shape[2:]))
            setattr(module, name, nn.Conv2d(*sizes, stride, pad, dilation, w.groups, bias))
        elif isinstance(child, Linear):
            setattr(module, name, nn.Linear(child.in_features, child.out_features, child.bias is not None))
        elif isinstance(child, Quantizer):
            setattr(module, name, nn.Identity() if child.encoding.signed else nn.ReLU())
        else:
            plain(child)
    return module


def _pair(values: Sequence[int]) -> tuple[int, int]:
    return int(values[0]), int(values[1])


def frames_per_s(name: str) -> float:
    """Best of a few runs of one batch of random images, after one run to warm up."""
    module = plain(build(name)).eval()
    x = torch.rand(BATCH, *network_named(name).image)
    seconds = []
    with torch.inference_mode():
        module(x)
        for _ in range(REPEATS):
            started = time.perf_counter()
            module(x)
            seconds.append(time.perf_counter() - started)
    return BATCH / min(seconds)


if __name__ == "__main__":
    print(frames_per_s(sys.argv[1]))

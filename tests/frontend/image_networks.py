"""Convolutional and branching networks of hwq.quant with the awkward constants that real training produces."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from hwq.quant import Bipolar, Conv1d, Conv2d, Linear, Quantizer, Saturating, Ternary, Uniform
from hwq.quant.layers import WeightLayer
from hwq.zoo.random_weights import random_images

IMAGE = (3, 9, 11)
C = 6  # channels nearly everywhere


def pixels() -> Uniform:
    return Uniform(4, signed=False, scale=1 / 16)  # a power of two: ties everywhere


def bits(count: int = 2, **options: object) -> Uniform:
    return Uniform(count, signed=False, **options)


def conv(inputs: int = C, outputs: int = C, kernel: int = 3, weight: Quantizer | None = None, **options: object) -> Conv2d:
    options = {"padding": kernel // 2, "bias": False, **options}
    return Conv2d(inputs, outputs, kernel, weight=weight or Bipolar(), **options)


def norm(channels: int = C, kind: type[nn.Module] = nn.BatchNorm2d) -> nn.Module:
    """Positive, negative and zero gains; its statistics come from data."""
    made = kind(channels)
    generator = torch.Generator().manual_seed(channels)
    with torch.no_grad():
        made.weight.copy_(torch.randn(channels, generator=generator) + 0.5)
        made.bias.copy_(torch.randn(channels, generator=generator) / 2)
        made.weight[0], made.weight[1], made.weight[2] = 0.0, -1.0, 1e-12
    return made


class Network(nn.Module):
    """Parts by name, put together by a function."""

    def __init__(self, compute: Callable[[Network, Tensor], Tensor | dict[str, Tensor]], **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self.compute = compute

    def forward(self, image: Tensor) -> Tensor | dict[str, Tensor]:
        return self.compute(self, image)


def stem() -> nn.Sequential:
    return nn.Sequential(pixels(), conv(3, weight=Uniform(4, per="channel")), norm(), bits())


def _residual(join: Callable[[Network, Tensor, Tensor], Tensor]) -> Network:
    parts = {"stem": stem(), "conv1": conv(), "bn1": norm(), "act1": bits(), "conv2": conv(), "bn2": norm(), "act": bits(3)}
    skips = {"skip": Uniform(4, scale=0.25), "skip_branch": Uniform(4, scale=0.2), "skip_x": Uniform(3, scale=0.35)}

    def compute(n: Network, image: Tensor) -> Tensor:
        x = n.stem(image)
        branch = n.bn2(n.conv2(n.act1(n.bn1(n.conv1(x)))))
        return n.scores(n.act(join(n, branch, x)).mean((2, 3)).mul(4).round().div(4))

    return Network(compute, **parts, **skips, scores=Linear(C, 5, weight=Ternary("channel")))


def _inception(shared: bool) -> Network:
    parts = {"stem": stem(), "one": conv(kernel=1), "three": conv(outputs=4), "pooled": conv(outputs=3, kernel=1)}
    norms = {"bn_one": norm(), "bn_three": norm(4), "bn_pooled": norm(3)}

    def compute(n: Network, image: Tensor) -> Tensor:
        x = n.stem(image)
        branches = [n.bn_one(n.one(x)), n.bn_three(n.three(x)), n.bn_pooled(n.pooled(n.pool(x)))]
        joined = torch.cat([n.act(b) for b in branches], 1) if shared else n.act(torch.cat(branches, 1))
        return n.last(joined)

    return Network(compute, **parts, **norms, pool=nn.MaxPool2d(3, 1, 1), act=bits(), last=conv(13, 4, 3, bias=True))


def _u_net() -> Network:
    first = {"input": pixels(), "first": conv(3, kernel=2, padding=0), "bn_first": norm(), "act": bits()}  # even sizes
    deep = {"down": nn.MaxPool2d(2), "deep": conv(), "bn_deep": norm()}

    def compute(n: Network, image: Tensor) -> Tensor:
        x = n.act(n.bn_first(n.first(n.input(image))))
        deep = n.act(n.bn_deep(n.deep(n.down(x))))
        return n.last(torch.cat([x, functional.interpolate(deep, scale_factor=2, mode="nearest")], 1))

    return Network(compute, **first, **deep, last=conv(2 * C, 2, 1, bias=True, weight=Uniform(4)))


def _heads() -> Network:
    parts = {"stem": stem(), "next": nn.Sequential(conv(stride=2), norm(), bits())}

    def compute(n: Network, image: Tensor) -> dict[str, Tensor]:
        x = n.stem(image)
        y = n.next(x)
        return {"boxes1": n.boxes1(x), "boxes2": n.boxes2(y), "classes": n.classes(y)}

    heads = {"boxes1": conv(outputs=4, bias=True), "boxes2": conv(outputs=4, bias=True), "classes": conv(outputs=3, bias=True)}
    return Network(compute, **parts, **heads)


def _scores(channels: int) -> Linear:
    return Linear(channels, 5, weight=Uniform(4))


def _sequence() -> nn.Sequential:
    return nn.Sequential(
        nn.Flatten(1, 2),
        Uniform(4, scale=0.125),
        Conv1d(27, 8, 3, padding=1, bias=False, weight=Ternary()),
        norm(8, nn.BatchNorm1d),
        Bipolar(),
        Conv1d(8, 8, 3, padding=2, dilation=2, groups=2, bias=False, weight=Bipolar()),
        nn.MaxPool1d(2),
        norm(8, nn.BatchNorm1d),
        bits(),
        Conv1d(8, 3, 1, weight=Uniform(4, per="channel")),
    )


def makers() -> dict[str, Callable[[], nn.Module]]:
    """One function a network."""
    return {
        "plain": lambda: nn.Sequential(stem(), conv(stride=(2, 1), padding=(0, 1)), norm(), bits(3), nn.Flatten(), _scores(4 * 11 * C)),
        "bipolar, padded with zeros": lambda: nn.Sequential(
            pixels(),
            conv(3),
            norm(),
            Bipolar(),
            conv(),
            norm(),
            Bipolar(),
            conv(kernel=4, padding="same", bias=True),
            norm(),
            Bipolar(),
            conv(),
        ),
        "ternary, dilated": lambda: nn.Sequential(
            stem(), conv(weight=Ternary(), dilation=2, padding=2), norm(), Uniform(2, narrow=True, scale=0.7), conv(stride=3, bias=True)
        ),
        "pools before the norm": lambda: nn.Sequential(
            pixels(), conv(3), nn.MaxPool2d(3, 2), norm(), bits(), conv(), nn.MaxPool2d(2), norm(), Bipolar(), conv(kernel=1, bias=True)
        ),
        "pools behind the activation": lambda: nn.Sequential(
            pixels(),
            conv(3),
            norm(),
            Bipolar(),
            nn.MaxPool2d(2, ceil_mode=True),
            conv(),
            norm(),
            bits(),
            nn.MaxPool2d(3, 2, 1),
            conv(bias=True),
        ),
        "average, padding counted": lambda: nn.Sequential(stem(), nn.AvgPool2d(3, 2, 1), bits(3, scale=0.2), conv(bias=True)),
        "average, padding left out": lambda: nn.Sequential(
            stem(), nn.AvgPool2d(3, 2, 1, count_include_pad=False), Uniform(4, scale=0.15), conv(bias=True)
        ),
        "global average": lambda: nn.Sequential(stem(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), bits(4, scale=0.1), _scores(C)),
        "relu": lambda: nn.Sequential(pixels(), conv(3, weight=Uniform(4), bias=True), norm(), nn.ReLU(), bits(4), conv(bias=True)),
        "depthwise": lambda: nn.Sequential(
            stem(),
            conv(outputs=2 * C, groups=C, weight=Uniform(3)),
            norm(2 * C),
            bits(3),
            conv(2 * C, kernel=1),
            norm(),
            bits(),
            conv(groups=3),
        ),
        "one dimension": _sequence,
        "residual, one scale": lambda: _residual(lambda n, b, x: n.skip(b) + n.skip(x)),
        "residual, two scales": lambda: _residual(lambda n, b, x: n.skip_branch(b) + n.skip_x(x)),
        "residual, shortcut as it is": lambda: _residual(lambda n, b, x: n.skip_branch(b) + x),
        "residual, sum quantized": lambda: _residual(lambda n, b, x: n.skip(b + x)),
        "product": lambda: _residual(lambda n, b, x: n.skip_branch(b) * x),
        "inception, one quantizer": lambda: _inception(True),
        "inception, quantized behind": lambda: _inception(False),
        "u-net": _u_net,
        "detection heads": _heads,
        "saturating": lambda: nn.Sequential(
            stem(),
            conv(weight=Uniform(3), input=Uniform(3, scale=0.5), accumulator=Saturating(5, chunk=7)),
            norm(),
            bits(),
            conv(bias=True),
        ),
    }


def network(name: str) -> nn.Module:
    """One of :func:`makers` in eval mode, its statistics and scales those of :func:`frames`."""
    torch.manual_seed(sum(map(ord, name)))
    made = makers()[name]()
    for part in made.modules():
        part.training = isinstance(part, Quantizer | nn.BatchNorm1d | nn.BatchNorm2d)
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.momentum = None
        if isinstance(part, WeightLayer) and part.bias is not None:
            nn.init.normal_(part.bias)
    with torch.no_grad():
        made(frames(32))
    return made.eval()


def frames(count: int = 40) -> Tensor:
    """Images on a grid of 1/32 (so that ties happen), some of it out of range."""
    return (random_images(IMAGE, count, seed=4) * 40).round() / 32 - 0.125

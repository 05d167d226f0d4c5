"""SSD300 on VGG-16 with batch norm: six feature maps, on each a head of boxes and a head of classes.

Softmax, boxes and non-maximum suppression are the host's. The norm of conv4_3 (L2 over channels, no integer function) is its
batch norm here. Source: arXiv 1512.02325.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from hwq.quant import Conv2d
from hwq.zoo.choice import Choice
from hwq.zoo.size import Size
from hwq.zoo.stack import Stack

__all__ = ["ANCHORS", "SSD", "ssd300"]

VGG16 = {1: (64, 2), 2: (128, 2), 3: (256, 3), 4: (512, 3), 5: (512, 3)}  # stage: channels, convolutions
EXTRAS = {"8": (256, 512, 2, 1), "9": (128, 256, 2, 1), "10": (128, 256, 1, 0), "11": (128, 256, 1, 0)}  # 1x1, 3x3, stride, padding
ANCHORS = (4, 6, 6, 6, 4, 4)
BOX = 4  # numbers a box


class SSD(nn.Module):
    """Backbone in six parts, the output of each a feature map with two heads: ``loc1``, ``conf1``, ... ``conf6``."""

    def __init__(self, choice: Choice, size: Size) -> None:
        super().__init__()
        stack = Stack(choice, size)
        maps = [_vgg(stack), _rest(stack), *(_extra(stack, name) for name in EXTRAS)]
        layers = dict(stack.net.named_children())
        names = list(layers)
        borders = [0, *(names.index(last) + 1 for last, _ in maps)]
        self.parts = nn.ModuleList()
        for start, stop in pairwise(borders):
            part = nn.Sequential()
            for name in names[start:stop]:
                part.add_module(name, layers[name])
            self.parts.append(part)
        self.loc, self.conf = nn.ModuleList(), nn.ModuleList()
        for (_, channels), anchors in zip(maps, ANCHORS, strict=True):
            self.loc.append(Conv2d(channels, anchors * BOX, 3, padding=1, weight=choice.make_last()))
            self.conf.append(Conv2d(channels, anchors * size.classes, 3, padding=1, weight=choice.make_last()))

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        x, heads = image, {}
        for k, (part, loc, conf) in enumerate(zip(self.parts, self.loc, self.conf, strict=True), 1):
            x = part(x)
            heads[f"loc{k}"], heads[f"conf{k}"] = loc(x), conf(x)
        return heads


def _vgg(stack: Stack) -> tuple[str, int]:
    for stage in (1, 2, 3, 4):
        if stage > 1:
            stack.add(f"pool{stage - 1}", nn.MaxPool2d(2, ceil_mode=True))
        _convs(stack, stage)
    return "act4_3", stack.channels


def _rest(stack: Stack) -> tuple[str, int]:
    stack.add("pool4", nn.MaxPool2d(2, ceil_mode=True))
    _convs(stack, 5)
    stack.add("pool5", nn.MaxPool2d(3, 1, padding=1))
    stack.conv("6", 1024, 3, padding=6, dilation=6)
    stack.conv("7", 1024, 1)
    return "act7", stack.channels


def _convs(stack: Stack, stage: int) -> None:
    channels, depth = VGG16[stage]
    for k in range(1, depth + 1):
        stack.conv(f"{stage}_{k}", channels, 3, padding=1)


def _extra(stack: Stack, name: str) -> tuple[str, int]:
    reduced, channels, stride, padding = EXTRAS[name]
    stack.conv(f"{name}_1", reduced, 1)
    stack.conv(f"{name}_2", channels, 3, stride=stride, padding=padding)
    return f"act{name}_2", stack.channels


def ssd300(choice: Choice, size: Size) -> nn.Module:
    """SSD300; ``size.classes`` counts the background."""
    return SSD(choice, size)

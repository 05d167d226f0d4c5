"""How the elements of a model input, flat in the model's own order, become an image (H, W, C) of the Network."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.frontend.layout import Layout
from hwq.network.host import HostStep
from hwq.network.ops import Shape

__all__ = ["Arrangement"]


@dataclass(frozen=True)
class Arrangement:
    """``order`` lists digits ``(size, stride in the model's order, stride in the image)``, slow to fast in the model's order."""

    shape: Shape
    order: tuple[tuple[int, int, int], ...]

    @classmethod
    def flat(cls, size: int) -> Arrangement:
        """One pixel of ``size`` channels in the model's order."""
        return cls((1, 1, size), ((size, 1, 1),))

    @classmethod
    def image(cls, layout: Layout, channel_axis: int) -> Arrangement:
        """The image that a tensor (batch, channels and up to two more axes) shows; raises :class:`InputError` where it is none."""
        rank = len(layout.shape)
        channel = channel_axis % rank
        spatial = [k for k in range(1, rank) if k != channel]
        if len(spatial) > 2 or layout.index is not None or layout.shape[0] != 1:
            raise InputError("LAYOUT", f"a tensor of shape {layout.shape} is no image of one frame")
        sizes = [layout.shape[k] for k in (*spatial, channel)]
        order = []
        for place, k in enumerate((*spatial, channel)):
            stride = prod(sizes[place + 1 :])
            for n, old in reversed(layout.axes[k]):
                order.append((n, old, stride))
                stride *= n
        shape = (*(1,) * (2 - len(spatial)), *sizes)
        return cls((shape[0], shape[1], shape[2]), tuple(sorted(order, key=lambda d: -d[1])))

    @property
    def in_order(self) -> bool:
        """Whether the model's order is the image's."""
        return all(old == new for _, old, new in self.order)

    def constant(self, value: NDArray[np.float64]) -> NDArray[np.float64]:
        """A constant of one value an element in the model's order: one a channel where pixels agree, else one an element (H, W, C)."""
        sizes = [n for n, _, _ in self.order]
        perm = sorted(range(len(sizes)), key=lambda k: -self.order[k][2])
        rows = value.reshape(sizes).transpose(perm).reshape(-1, self.shape[2])
        return rows[0] if (rows == rows[:1]).all() else rows.reshape(self.shape)

    def steps(self) -> tuple[HostStep, ...]:
        """From the model's tensor to (N, H, W, C)."""
        shaped = HostStep("reshape", None, {"shape": list(self.shape)})
        if self.in_order:
            return (shaped,)
        sizes = [n for n, _, _ in self.order]
        perm = sorted(range(len(sizes)), key=lambda k: -self.order[k][2])
        return (
            HostStep("reshape", None, {"shape": sizes}),
            HostStep("transpose", None, {"perm": [0, *(1 + p for p in perm)]}),
            shaped,
        )

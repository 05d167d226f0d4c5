"""Sliding windows of convolutions in torch: their geometry, exact and saturating sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from hwq.errors import InputError
from hwq.quant.saturating import saturating_matmul

__all__ = ["Window", "convolve", "convolve_saturating"]


@dataclass(frozen=True)
class Window:
    """Geometry of a convolution over one or two spatial axes.

    Parameters
    ----------
    stride, dilation
        One integer a spatial axis.
    padding
        Zeros before every axis, then after every axis, as in ONNX: ``(top, left, bottom, right)``.
    groups
        Input and output channels are cut into so many parts, part by part.
    """

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1

    def sizes(self, spatial: Sequence[int], kernel: Sequence[int]) -> list[int]:
        """Output sizes: ``(n + before + after - dilation (k - 1) - 1) // stride + 1`` an axis."""
        rank = len(kernel)
        before, after = self.padding[:rank], self.padding[rank:]
        axes = zip(spatial, before, after, self.dilation, kernel, self.stride, strict=True)
        return [(n + b + a - d * (k - 1) - 1) // s + 1 for n, b, a, d, k, s in axes]

    def check(self, x: Tensor, weight: Tensor, where: str) -> None:
        """Raise :class:`InputError` for an input (N, C, ...) that does not go with ``weight`` (O, C / groups, ...)."""
        channels, rank = weight.shape[1] * self.groups, weight.dim() - 2
        if x.dim() != rank + 2 or x.shape[1] != channels:
            raise InputError(
                "LAYER-INPUT",
                f"the input has shape {tuple(x.shape)}, (frames, {channels}, {'height, width' if rank == 2 else 'length'}) was expected",
                where=where,
            )
        if min(self.sizes(x.shape[2:], weight.shape[2:])) < 1:
            kernel, image = ("x".join(map(str, t.shape[2:])) for t in (weight, x))
            raise InputError("LAYER-INPUT", f"the kernel of {kernel} is larger than the padded input of {image}", where=where)


def convolve(x: Tensor, weight: Tensor, window: Window) -> Tensor:
    """``x`` (N, C, ...) with ``weight`` (O, C / groups, ...): (N, O, ...), cross-correlation as in torch."""
    rank = weight.dim() - 2
    before, after = window.padding[:rank], window.padding[rank:]
    if before != after:
        x, before = _padded(x, window, rank), (0,) * rank
    function = functional.conv1d if rank == 1 else functional.conv2d
    y: Tensor = function(x, weight, None, window.stride, before, window.dilation, window.groups)
    return y


def convolve_saturating(x: Tensor, weight: Tensor, window: Window, bits: int, chunk: int) -> Tensor:
    """As :func:`convolve` on integers, the sums saturating (:func:`~hwq.quant.saturating.saturating_matmul`).

    Order of the products: row of the kernel, column, channel of the group; zeros of the padding have their place in it.
    """
    sizes = window.sizes(x.shape[2:], weight.shape[2:])
    taps = _taps(x, weight, window)  # (N, groups, windows, kernel * channels)
    rows = weight.flatten(2).movedim(1, 2).reshape(window.groups, -1, taps.shape[-1])  # (groups, O / groups, ...)
    y = saturating_matmul(taps, rows, bits, chunk)  # (N, groups, windows, O / groups)
    return y.movedim(3, 2).reshape(x.shape[0], weight.shape[0], *sizes)


def _padded(x: Tensor, window: Window, rank: int) -> Tensor:
    pairs = [(window.padding[axis], window.padding[rank + axis]) for axis in reversed(range(rank))]
    return functional.pad(x, [p for pair in pairs for p in pair])


def _taps(x: Tensor, weight: Tensor, window: Window) -> Tensor:
    rank, channels = weight.dim() - 2, weight.shape[1]
    x = _padded(x, window, rank)
    kernel, stride, dilation = tuple(weight.shape[2:]), window.stride, window.dilation
    if rank == 1:
        x, kernel, stride, dilation = x.unsqueeze(2), (1, *kernel), (1, *stride), (1, *dilation)
    flat = functional.unfold(x, kernel, dilation, 0, stride)  # (N, C * kernel, windows), channel first
    taps = flat.reshape(flat.shape[0], window.groups, channels, -1, flat.shape[2])
    return taps.permute(0, 1, 4, 3, 2).reshape(flat.shape[0], window.groups, flat.shape[2], -1)

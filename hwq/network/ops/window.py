"""The sliding window that convolutions and pools share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwq.network.ops.base import Integers

__all__ = ["Window"]

MOST_PIXELS = 1 << 28  # of a padded image


@dataclass(frozen=True)
class Window:
    """A window of ``kernel`` taps that moves by ``stride`` over the image.

    Parameters
    ----------
    kernel, stride, dilation
        (vertical, horizontal).
    padding
        (top, left, bottom, right) in pixels.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)

    @property
    def is_padded(self) -> bool:
        """Whether taps may lie outside the image."""
        return any(self.padding)

    def size(self, h: int, w: int) -> tuple[int, int]:
        """Rows and columns of windows on an image of ``h`` x ``w``; raises ``ValueError`` where there are none.

        So it does where a field makes no sense, or the padded image has more than ``MOST_PIXELS``.
        """
        self._check()
        top, left, bottom, right = self.padding
        rows, columns = h + top + bottom, w + left + right
        if rows * columns > MOST_PIXELS:
            raise ValueError(f"padding of {self.padding} makes an image of {rows}x{columns}, expected at most {MOST_PIXELS} pixels")
        oh = (rows - self.dilation[0] * (self.kernel[0] - 1) - 1) // self.stride[0] + 1
        ow = (columns - self.dilation[1] * (self.kernel[1] - 1) - 1) // self.stride[1] + 1
        if oh < 1 or ow < 1:
            raise ValueError(f"a kernel of {self.kernel[0]}x{self.kernel[1]} does not fit an image of {h}x{w}")
        return oh, ow

    def _check(self) -> None:
        for name, values in (("kernel", self.kernel), ("stride", self.stride), ("dilation", self.dilation)):
            if min(values) < 1:
                raise ValueError(f"a {name} of {values}, expected 1 or more")
        if min(self.padding) < 0:
            raise ValueError(f"padding of {self.padding}, expected 0 or more")

    def taps(self, x: Integers, fill: int = 0) -> Iterator[Integers]:
        """For each tap (kh, kw) its values (N, OH, OW, C) in all windows; ``fill`` stands outside the image."""
        oh, ow = self.size(*x.shape[1:3])
        top, left, bottom, right = self.padding
        x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill) if self.is_padded else x
        for a in range(self.kernel[0]):
            for b in range(self.kernel[1]):
                rows = x[:, a * self.dilation[0] :][:, : (oh - 1) * self.stride[0] + 1 : self.stride[0]]
                yield rows[:, :, b * self.dilation[1] :][:, :, : (ow - 1) * self.stride[1] + 1 : self.stride[1]]

    def valid_rows(self, h: int) -> NDArray[np.int64]:
        """Vertical taps inside an image of ``h`` rows, for each row of windows: (OH,)."""
        return _valid(h, self.kernel[0], self.stride[0], self.padding[0], self.padding[2], self.dilation[0])

    def valid_columns(self, w: int) -> NDArray[np.int64]:
        """Horizontal taps inside an image of ``w`` columns, for each column of windows: (OW,)."""
        return _valid(w, self.kernel[1], self.stride[1], self.padding[1], self.padding[3], self.dilation[1])


def _valid(n: int, k: int, stride: int, before: int, after: int, dilation: int) -> NDArray[np.int64]:
    count = (n + before + after - dilation * (k - 1) - 1) // stride + 1
    start = np.arange(count) * stride - before
    # Taps first..last - 1 of a window that begins at ``start`` lie at 0..n - 1.
    first, last = (np.clip(-((start - end) // dilation), 0, k) for end in (0, n))
    return last - first

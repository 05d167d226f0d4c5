"""Zero padding where the real zero is no integer of the grid: a constant for each class of pixels at the border."""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.frontend.step import Step
from hwq.frontend.values import Integers, Leaf
from hwq.network.ops import BorderAffine, Window
from hwq.numerics.encoding import MAX_BITS

__all__ = ["border_sums", "bordered", "classes", "window_classes"]

Ints = NDArray[np.int64]


def classes(size: int, kernel: int, stride: int, before: int, after: int, dilation: int) -> tuple[Ints, NDArray[np.bool_]]:
    """Class of each window along one axis, and which taps (classes, kernel) lie inside the image."""
    count = (size + before + after - dilation * (kernel - 1) - 1) // stride + 1
    place = np.arange(count)[:, None] * stride - before + np.arange(kernel) * dilation
    kinds, which = np.unique((place >= 0) & (place < size), axis=0, return_inverse=True)
    return which.reshape(-1).astype(np.int64), kinds


def window_classes(window: Window, h: int, w: int) -> tuple[Ints, Ints, NDArray[np.bool_], NDArray[np.bool_]]:
    """Classes of rows and of columns, and their valid taps."""
    top, left, bottom, right = window.padding
    rows, valid_rows = classes(h, window.kernel[0], window.stride[0], top, bottom, window.dilation[0])
    columns, valid_columns = classes(w, window.kernel[1], window.stride[1], left, right, window.dilation[1])
    return rows, columns, valid_rows, valid_columns


def bordered(
    step: Step, sums: Leaf, taps: Ints, groups: int, window: Window, source: Integers, unit: NDArray[np.float64], tensor: str
) -> tuple[Leaf, int]:
    """``multiple * sums + constant of the class`` on the integer grid ``unit / multiple``, and that multiple.

    ``real = sum over valid taps of w * (s * n + o)``; with o / s = p / q the integer is ``q * sums + sum over valid taps of w * p``.
    """
    channels = source.leaf.channels
    ratios = [Fraction(float(o)) / Fraction(float(unit)) for o in np.broadcast_to(source.offset, (channels,))]
    multiple = lcm(*(r.denominator for r in ratios))
    reach = max(abs(int(b)) for b in sums.interval.bounds) if sums.interval is not None else 0
    largest = max(abs(int(r * multiple)) for r in ratios) * int(np.abs(taps).sum((1, 2, 3)).max())
    if (reach * multiple + largest).bit_length() + 1 > MAX_BITS:
        raise step.error(
            "PADDING-EXACT",
            "its zero padding cannot be exact: the real 0 is no integer of its input's grid, nor a fraction that fits in "
            f"{MAX_BITS} bits (offset {float(np.ravel(source.offset)[0]):g}, scale {float(unit):g})",
            "Quantize the input with a zero point that is an integer, or with an offset that is a small fraction of the scale",
        )
    constants = np.array([int(r * multiple) for r in ratios]).reshape(groups, -1)
    rows, columns, valid_rows, valid_columns = window_classes(window, *source.leaf.shape[:2])
    weighted = (taps * np.repeat(constants, len(taps) // groups, axis=0)[:, None, None, :]).sum(3)
    offset = np.einsum("ak,okl,bl->abo", valid_rows.astype(np.int64), weighted, valid_columns.astype(np.int64))
    op = BorderAffine(rows, columns, np.full(offset.shape[:2], multiple), _shared(offset))
    _, made = step.builder.emit(f"{step.name}.border", op, (sums,), tensor)
    return made, multiple


def border_sums(step: Step, sums: Leaf, source: Integers, window: Window, tensor: str) -> tuple[Leaf, int]:
    """As :func:`bordered` for a padded sum pool, whose taps are all 1."""
    c = source.leaf.channels
    if source.scale.ndim and (source.scale != source.scale.flat[0]).any():
        raise step.error("PADDING-EXACT", "its zero padding cannot be exact: its channels have different scales and an offset")
    return bordered(step, sums, np.ones((c, *window.kernel, 1), np.int64), c, window, source, np.asarray(source.scale.flat[0]), tensor)


def _shared(offset: NDArray[Any]) -> Ints:
    return np.ascontiguousarray(offset[..., :1]) if (offset == offset[..., :1]).all() else offset

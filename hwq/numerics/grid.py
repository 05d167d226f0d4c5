"""Common measures: real scales of several tensors as integer multiples of one."""

from __future__ import annotations

from fractions import Fraction
from math import gcd, lcm

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["common_grid"]


def common_grid(scales: ArrayLike, limit: int) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
    """Integers k (n, C) and units u (C,) > 0 with ``scales[i, c] = k[i, c] * u[c]`` exactly, the largest such u.

    ``scales`` is binary64 (n, C), taken as the rational numbers they are; a column of zeros has u = 1.
    None where some \\|k\\| would exceed ``limit``.
    """
    values = np.asarray(scales, dtype=np.float64)
    columns, place = np.unique(values, axis=1, return_inverse=True)
    integers = np.zeros(columns.shape, np.int64)
    units = np.ones(columns.shape[1])
    for c, column in enumerate(columns.T):
        exact = [Fraction(float(v)) for v in column]
        used = [f for f in exact if f]
        if not used:
            continue
        unit = Fraction(gcd(*(f.numerator for f in used)), lcm(*(f.denominator for f in used)))
        ratios = [f / unit for f in exact]
        if max(abs(r) for r in ratios) > limit:
            return None
        integers[:, c], units[c] = [int(r) for r in ratios], float(unit)
    place = place.reshape(-1)
    return integers[:, place], units[place]

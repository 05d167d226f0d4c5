"""Operands of lanes, and what numpy says of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwq.fabric.lane_form import LaneForm
from hwq.numerics.encoding import Encoding


def integers(rng: np.random.Generator, encoding: Encoding, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Any integers of an encoding; of the first axis the first row all smallest, the second all largest."""
    every = np.arange(encoding.lo, encoding.hi + 1)
    found = rng.choice(every[encoding.contains(every)], shape)
    found[:1], found[1:2] = encoding.lo, encoding.hi
    return found


def packed(codes: NDArray[np.int64], bits: int) -> NDArray:
    """Words of the codes of the last axis, the first one least."""
    return sum((codes[..., k].astype(object) << (bits * k) for k in range(codes.shape[-1])), np.zeros(codes.shape[:-1], object))


def words(form: LaneForm, w: NDArray[np.int64]) -> NDArray:
    """Words of weights as the lane takes them."""
    return packed(form.w.encode(w), form.w.bits)


def raw_sums(form: LaneForm, x: NDArray[np.int64], w: NDArray[np.int64]) -> NDArray[np.int64]:
    """What ``y`` must be: ``step * y`` and the weights' share are the dot product."""
    sums = (x * w).sum(-1) - form.share(form.w.encode(w))
    assert not (sums % form.step).any()
    return sums // form.step

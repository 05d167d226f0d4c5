"""Which element of an integer tensor stands where in the source's tensor, as mixed-radix digits instead of index arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.network.host import HostStep

__all__ = ["Digit", "Layout"]

Digit = tuple[int, int]  # (size, stride in the leaf's flat order)
Axis = tuple[Digit, ...]
MAX_INDEX = 1 << 24  # elements of a tensor whose order needs an index array


@dataclass(frozen=True, eq=False)
class Layout:
    """The element at place (i, j, ...) of the source's tensor is the leaf's element ``sum of digit * stride``.

    The leaf's flat order is row, column, channel. Every axis is a mixed-radix number: its digits from slow to fast, none of
    size 1. NCHW over a leaf (H, W, C) is ``((), ((C, 1),), ((H, W * C),), ((W, C),))``.

    Parameters
    ----------
    axes
        Digits of each axis, batch 1 included.
    index
        int64, of the tensor's shape: position in the leaf; only where digits cannot say it.
    """

    axes: tuple[Axis, ...]
    index: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, shape: Sequence[int]) -> Layout:
        """Elements in the leaf's own order."""
        strides = [prod(shape[k + 1 :]) for k in range(len(shape))]
        return cls(tuple(_axis([(n, s)]) for n, s in zip(shape, strides, strict=True)))

    @classmethod
    def channels_first(cls, shape: Sequence[int]) -> Layout:
        """(1, C, ...) over a leaf that holds the channels innermost."""
        c = shape[1]
        spatial = [(n, c * prod(shape[k + 3 :])) for k, n in enumerate(shape[2:])]
        return cls(((), _axis([(c, 1)]), *(_axis([d]) for d in spatial)))

    @classmethod
    def at(cls, index: NDArray[np.int64]) -> Layout:
        """From positions in the leaf."""
        return cls(tuple(((n, 0),) for n in index.shape), index)

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's shape, batch 1 included."""
        return tuple(prod(n for n, _ in axis) for axis in self.axes)

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def in_order(self) -> bool:
        """Whether the elements are in the leaf's order."""
        if self.index is not None:
            return bool((self.index.reshape(-1) == np.arange(self.size)).all())
        return _axis([d for axis in self.axes for d in axis]) == _axis([(self.size, 1)])

    def same(self, other: Layout) -> bool:
        """Whether both put every element in the same place."""
        if self.shape != other.shape:
            return False
        if self.index is None and other.index is None:
            return self.axes == other.axes
        return bool(np.array_equal(self.positions(), other.positions()))

    def positions(self) -> NDArray[np.int64]:
        """Position in the leaf, of the tensor's shape; raises :class:`InputError` where that would take too much memory."""
        if self.index is not None:
            return self.index
        if self.size > MAX_INDEX:
            message = f"the order of a tensor of shape {self.shape} is too irregular"
            raise InputError("LAYOUT", message, hint="Leave out reshapes and transpositions that cut across channels and pixels")
        place = np.zeros((), np.int64)
        for n, s in (d for axis in self.axes for d in axis):
            place = np.add.outer(place, np.arange(n) * s)
        return place.reshape(self.shape)

    def reshaped(self, shape: Sequence[int]) -> Layout:
        """The same elements in another shape."""
        shape = tuple(shape)
        axes = None if self.index is not None else _regrouped([d for axis in self.axes for d in axis], shape)
        return Layout.at(self.positions().reshape(shape)) if axes is None else Layout(axes)

    def transposed(self, perm: Sequence[int]) -> Layout:
        """The same elements, axes permuted."""
        if self.index is not None:
            return Layout.at(self.index.transpose(perm))
        return Layout(tuple(self.axes[p] for p in perm))

    def through(self, order: Sequence[tuple[int, int, int]]) -> Layout:
        """The layout over a leaf whose elements were rearranged: digits ``(size, old stride, new stride)`` of the rearrangement."""
        axes = None if self.index is not None else [self._moved(axis, order) for axis in self.axes]
        if axes is not None and None not in axes:
            return Layout(tuple(a for a in axes if a is not None))
        moved = np.zeros(self.size, np.int64)
        old = self.positions()
        for n, before, after in order:
            moved += (old.reshape(-1) // before % n) * after
        return Layout.at(moved.reshape(self.shape))

    @staticmethod
    def _moved(axis: Axis, order: Sequence[tuple[int, int, int]]) -> Axis | None:
        out: list[Digit] = []
        for digit in axis:
            pieces: list[Digit] | None = [digit]
            for _, before, _ in order:
                pieces = None if pieces is None else _split_all(pieces, before)
            if pieces is None:
                return None
            for n, s in pieces:
                home = next(((size, b, a) for size, b, a in order if b <= s < size * b), None)
                if home is None or s % home[1]:
                    return None
                out.append((n, s // home[1] * home[2]))
        return _axis(out)

    def to_leaf(self, operand: NDArray[Any], channels: int) -> NDArray[np.float64] | None:
        """A constant operand in the leaf's order: (), (channels,), or one value an element; None where it would enlarge the tensor."""
        value = np.asarray(operand, dtype=np.float64)
        if value.size == 1 and value.ndim <= len(self.shape):
            return value.reshape(())
        try:
            if np.broadcast_shapes(value.shape, self.shape) != self.shape:
                return None
        except ValueError:
            return None
        value = value.reshape((1,) * (len(self.shape) - value.ndim) + value.shape)
        digits = None if self.index is not None else self._split_at(channels)
        if digits is None:
            return self._scattered(value, channels)
        return _in_leaf_order(value, digits, channels)

    def _split_at(self, channels: int) -> list[list[Digit]] | None:
        """Digits of each axis, none reaching across the border between channels and pixels."""
        split = [_split_all(list(axis), channels) for axis in self.axes]
        return None if any(s is None for s in split) else [s for s in split if s is not None]

    def _scattered(self, value: NDArray[np.float64], channels: int) -> NDArray[np.float64]:
        out = np.empty(self.size)
        out[self.positions().reshape(-1)] = np.broadcast_to(value, self.shape).reshape(-1)
        rows = out.reshape(-1, channels)
        return rows[0] if (rows == rows[:1]).all() else out

    def host_steps(self) -> tuple[HostStep, ...]:
        """From (N, H, W, C) to the tensor's shape."""
        last = HostStep("reshape", None, {"shape": list(self.shape[1:])})
        if self.in_order:
            return (last,)
        if self.index is not None:
            raise InputError("LAYOUT", f"the order of a tensor of shape {self.shape} is too irregular for the host program")
        digits = [d for axis in self.axes for d in axis]
        sizes, perm = _sorted(digits)
        place = [0] * len(perm)
        for k, p in enumerate(perm):
            place[p] = k
        moved = HostStep("transpose", None, {"perm": [0, *(1 + p for p in place)]})
        return (HostStep("reshape", None, {"shape": sizes}), moved, last)

    def from_leaf(self, values: NDArray[Any]) -> NDArray[Any]:
        """The tensor (N, ...) for values (N, elements) in the leaf's order."""
        if self.index is not None:
            return values.reshape(len(values), -1)[:, self.index[0]]
        digits = [d for axis in self.axes for d in axis]
        sizes, perm = _sorted(digits)
        moved = values.reshape(len(values), *sizes).transpose(0, *(1 + np.argsort(perm)))
        return moved.reshape(len(values), *self.shape[1:])

    def into_leaf(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values (N, elements) in the leaf's order for the tensor; the inverse of :meth:`from_leaf`."""
        if self.index is not None:
            out = np.empty((len(values), self.size), values.dtype)
            out[:, self.index.reshape(-1)] = values.reshape(len(values), -1)
            return out
        digits = [d for axis in self.axes for d in axis]
        _, perm = _sorted(digits)
        return values.reshape(len(values), *(n for n, _ in digits)).transpose(0, *(1 + p for p in perm)).reshape(len(values), -1)

    def document(self) -> dict[str, Any]:
        """The layout as plain data: ``axes``, or ``shape`` and ``index``."""
        if self.index is not None:
            return {"shape": list(self.shape), "index": self.index.ravel().tolist()}
        return {"axes": [[list(d) for d in axis] for axis in self.axes]}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Layout:
        """The inverse of :meth:`document`; raises ``KeyError`` or ``TypeError`` on foreign data."""
        if "index" in document:
            return cls.at(np.asarray(document["index"], np.int64).reshape(document["shape"]))
        return cls(tuple(tuple((int(n), int(s)) for n, s in axis) for axis in document["axes"]))


def _axis(digits: list[Digit]) -> Axis:
    """Digits of size 1 left out, neighbours that are one number merged."""
    out: list[Digit] = []
    for n, s in digits:
        if n == 1:
            continue
        if out and out[-1][1] == n * s:
            out[-1] = (out[-1][0] * n, s)
        else:
            out.append((n, s))
    return tuple(out)


def _split_all(digits: list[Digit], border: int) -> list[Digit] | None:
    """Every digit that reaches across the stride ``border`` cut there; None where that is not possible."""
    out: list[Digit] = []
    for n, s in digits:
        if not s < border < n * s:
            out.append((n, s))
        elif border % s or (n * s) % border:
            return None
        else:
            out += [(n * s // border, border), (border // s, s)]
    return out


def _regrouped(digits: list[Digit], shape: tuple[int, ...]) -> tuple[Axis, ...] | None:
    """The digits cut into axes of the sizes ``shape``; None where a digit would have to be cut unevenly."""
    left = [d for d in digits if d[0] > 1]
    axes: list[Axis] = []
    for wanted in shape:
        axis: list[Digit] = []
        rest = wanted
        while rest > 1:
            n, s = left.pop(0)
            if rest % n == 0:
                axis.append((n, s))
                rest //= n
            elif n % rest == 0:
                axis.append((rest, s * (n // rest)))
                left.insert(0, (n // rest, s))
                rest = 1
            else:
                return None
        axes.append(_axis(axis))
    return tuple(axes)


def _sorted(digits: Sequence[Digit]) -> tuple[list[int], list[int]]:
    """Sizes of the digits in the leaf's order and their places in ``digits``."""
    perm = sorted(range(len(digits)), key=lambda k: -digits[k][1])
    return [digits[p][0] for p in perm], perm


def _in_leaf_order(value: NDArray[np.float64], digits: list[list[Digit]], channels: int) -> NDArray[np.float64]:
    sizes = [[n if full else 1 for n, _ in axis] for axis, full in zip(digits, (np.array(value.shape) > 1).tolist(), strict=True)]
    flat = [d for axis in digits for d in axis]
    value = value.reshape([n for axis in sizes for n in axis])
    for k, (_, stride) in enumerate(flat):
        first = value.take([0], k)
        if stride >= channels and value.shape[k] > 1 and (value == first).all():
            value = first
    pixelwise = any(s >= channels and value.shape[k] > 1 for k, (_, s) in enumerate(flat))
    kept = [k for k, (_, s) in enumerate(flat) if pixelwise or s < channels]
    value = value.reshape([value.shape[k] for k in kept])
    value = np.broadcast_to(value, [flat[k][0] for k in kept])
    _, perm = _sorted([flat[k] for k in kept])
    return np.ascontiguousarray(value.transpose(perm)).reshape(-1)

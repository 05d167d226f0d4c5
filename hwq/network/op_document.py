"""Ops as plain data and arrays, and back; a field that an older file does not have takes its default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.network.ops import (
    Accumulation,
    Add,
    ArgMax,
    BorderAffine,
    Concat,
    Conv,
    Exact,
    Flatten,
    Lookup,
    Mul,
    Op,
    Pad,
    Pool,
    Requantize,
    Saturating,
    Split,
    Threshold,
    TopK,
    Upsample,
    Window,
)
from hwq.numerics.encoding import Encoding, parse_encoding
from hwq.numerics.rounding import Rounding

__all__ = ["op_document", "read_op"]

Arrays = dict[str, NDArray[Any]]

KINDS: dict[str, type[Op]] = {
    op.kind: op
    for op in (Add, ArgMax, BorderAffine, Concat, Conv, Flatten, Lookup, Mul, Pad, Pool, Requantize, Split, Threshold, TopK, Upsample)
}


def op_document(op: Op, prefix: str, arrays: Arrays) -> dict[str, Any]:
    """The fields of ``op`` by name; its arrays go to ``arrays`` under names that begin with ``prefix``."""
    document: dict[str, Any] = {"kind": op.kind}
    for f in fields(op):
        value = getattr(op, f.name)
        if isinstance(value, np.ndarray):
            arrays[f"{prefix}.{f.name}"] = _narrow(value)
            value = f"{prefix}.{f.name}"
        document[f.name] = _plain(value)
    return document


def read_op(document: Mapping[str, Any], arrays: Arrays) -> Op:
    """The op of :func:`op_document`; raises ``KeyError``, ``TypeError`` or ``ValueError`` where it is damaged."""
    op = KINDS[document["kind"]]
    values = {}
    for f in fields(op):
        if f.name in document:
            values[f.name] = _READERS[str(f.type)](document[f.name], arrays)
        elif f.default is MISSING and f.default_factory is MISSING:
            raise KeyError(f.name)
    return op(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, Encoding):
        return value.name
    if isinstance(value, Rounding):
        return value.value
    if isinstance(value, Saturating):
        return {"kind": "saturating", "bits": value.bits, "chunk": value.chunk}
    if isinstance(value, Exact):
        return {"kind": "exact"}
    if isinstance(value, Window):
        return {f.name: list(getattr(value, f.name)) for f in fields(value)}
    return list(value) if isinstance(value, tuple) else value


def _narrow(value: NDArray[np.int64]) -> NDArray[Any]:
    for dtype in ("<i1", "<i2", "<i4"):
        info = np.iinfo(dtype)
        if value.size == 0 or (value.min() >= info.min and value.max() <= info.max):
            return value.astype(dtype)
    return value.astype("<i8")


def _accumulation(d: Mapping[str, Any], arrays: Arrays) -> Accumulation:
    return Saturating(d["bits"], d["chunk"]) if d["kind"] == "saturating" else Exact()


def _integers(count: int | None = None) -> Callable[[Any, Arrays], tuple[int, ...]]:
    def read(value: Any, arrays: Arrays) -> tuple[int, ...]:
        if count is not None and len(value) != count:
            raise ValueError(f"{len(value)} numbers, expected {count}")
        return tuple(int(v) for v in value)

    return read


def _window(d: Mapping[str, Any], arrays: Arrays) -> Window:
    (kh, kw), (sh, sw), (dh, dw) = d["kernel"], d["stride"], d["dilation"]
    top, left, bottom, right = d["padding"]
    return Window((kh, kw), (sh, sw), (top, left, bottom, right), (dh, dw))


# By the type that the op's field states.
_READERS: dict[str, Callable[[Any, Arrays], Any]] = {
    "NDArray[np.int64]": lambda value, arrays: arrays[value].astype(np.int64),
    "Encoding": lambda value, arrays: parse_encoding(value),
    "Rounding": lambda value, arrays: Rounding(value),
    "Accumulation": _accumulation,
    "Window": _window,
    "int": lambda value, arrays: int(value),
    "str": lambda value, arrays: str(value),
    "tuple[int, int]": _integers(2),
    "tuple[int, int, int, int]": _integers(4),
    "tuple[int, ...]": _integers(),
}

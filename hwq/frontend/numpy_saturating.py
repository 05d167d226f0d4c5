"""The numpy meaning of saturating accumulators in MatMul and Conv: the nodes that hwq.quant's layers become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["product_of"]

Array = NDArray[Any]
Product = Callable[[Array, Array], Array]


def product_of(attributes: Mapping[str, Any]) -> Product:
    """The matrix product of a node: exact, or with the attribute ``accumulation`` (``bits``, ``chunk``) saturating.

    Inside a chunk of consecutive products the sum is exact; it is then added to an accumulator of ``bits`` bits, two's
    complement, which starts at 0 and clips. The sum is that of the integers in front of the node's ``input_scale``.
    """
    accumulation = attributes.get("accumulation")
    if not accumulation:
        return np.matmul
    return lambda a, b: _saturating(a, b, int(accumulation["bits"]), int(accumulation["chunk"]))


def _saturating(a: Array, b: Array, bits: int, chunk: int) -> Array:
    if not 2 <= bits <= 64 or chunk < 1:
        raise ValueError(f"an accumulator of {bits} bits and chunks of {chunk}")
    limit = 1 << (bits - 1)
    total = np.zeros((*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1]), np.result_type(a, b))
    for start in range(0, a.shape[-1], chunk):
        part = np.matmul(a[..., start : start + chunk], b[..., start : start + chunk, :])
        total = np.clip(total + part, -limit, limit - 1)
    return total

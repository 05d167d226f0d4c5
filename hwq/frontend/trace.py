"""Where the Network's integers stand in the source graph: plain data kept with the model for the comparison of rung 1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.frontend.expression import Expr
from hwq.frontend.host_program import before_rounding
from hwq.frontend.values import Layout
from hwq.network.graph import Network
from hwq.network.ops import BorderAffine, Conv

__all__ = ["TRACE", "Trace", "plain", "trace_entry", "turned"]

TRACE = ""  # the key of Model.notes that holds the trace: the empty name, which no layer has

Trace = dict[str, dict[str, Any]]  # by tensor of the Network


def plain(value: NDArray[np.float64]) -> float | list[float]:
    """A scale or offset as plain data."""
    return float(value) if np.ndim(value) == 0 else [float(v) for v in value]


def trace_entry(
    source: str, scale: NDArray[np.float64], offset: NDArray[np.float64], layout: Layout | None = None, core: Expr | None = None
) -> dict[str, Any]:
    """``source = integer * scale + offset`` under ``layout``; with ``core``, the steps in front of its rounding and where its ties lie."""
    place = None if layout is None or layout.in_order else layout.document()
    entry = {"tensor": source, "scale": plain(scale), "offset": plain(offset), "layout": place}
    return entry if core is None else {**entry, **before_rounding(core)}


def turned(trace: Trace, before: Network, after: Network) -> Trace:
    """The trace after rows of contractions were negated."""
    changed = dict(trace)
    for old, new in zip(before.nodes, after.nodes, strict=True):
        if not isinstance(old.op, Conv) or not isinstance(new.op, Conv) or np.array_equal(old.op.weights, new.op.weights):
            continue
        sign = np.where((old.op.weights == new.op.weights).all((1, 2, 3)), 1.0, -1.0)
        _flip(changed, after, new.outputs[0], sign)
    return changed


def _flip(trace: Trace, network: Network, tensor: str, sign: NDArray[np.float64]) -> None:
    """Negates the channels of a tensor of sums where ``sign`` is -1, and of what border classes make of it."""
    if tensor in trace:
        trace[tensor] = {**trace[tensor], "scale": plain(np.asarray(trace[tensor]["scale"]) * sign)}
    for reader in network.consumers(tensor):
        made = reader.outputs[0]
        if isinstance(reader.op, BorderAffine):
            _flip(trace, network, made, sign)
        elif "before" in trace.get(made, {}):
            flip = {"op": "mul", "constant": sign.tolist(), "attributes": {}}
            trace[made] = {**trace[made], "before": [flip, *trace[made]["before"]]}

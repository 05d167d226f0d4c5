"""The source executor of rung 1: the source graph itself, op by op in numpy, in the model's own float format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.errors import InputError
from hwq.frontend.numpy_ops import compute
from hwq.frontend.source import SourceGraph, SourceNode

__all__ = ["execute"]

Array = NDArray[Any]
FRAME_ELEMENTS = 1 << 20  # of the inputs of one batch: the tensors inside are a few times larger


def execute(
    graph: SourceGraph,
    inputs: Mapping[str, Array],
    keep: Iterable[str] | None = None,
    *,
    override: Mapping[str, Array] | None = None,
    batch: int | None = None,
) -> dict[str, Array]:
    """Tensors of the source graph (its outputs, or those in ``keep``) for its own inputs (N, ...).

    Nothing of the algebra takes part: every op is computed as QONNX or ONNX defines it, in ``graph.precision``.
    ``override`` puts other values (N, ...) in place of computed tensors: what comes behind them is computed from those.
    A tensor that does not depend on the input has batch 1. ``batch`` frames go through together, by default as many as keep
    memory small; results do not depend on it, but for the order in which BLAS adds floats.
    Raises :class:`InputError` for missing inputs and unknown ops.
    """
    wanted = tuple(graph.outputs if keep is None else keep)
    override = {} if override is None else override
    order = _leading_to(graph, set(wanted) - set(override), set(override))
    needed = {*wanted, *(i for node in order for i in node.inputs)} - set(override)
    if not inputs or any(i.name in needed and i.name not in inputs for i in graph.inputs):
        names = ", ".join(i.name for i in graph.inputs)
        raise InputError("INPUT-MISSING", f"the model wants the inputs {names}")
    total = len(next(iter(inputs.values())))
    batch = batch or _batch(graph)
    parts = [_run(graph, order, wanted, inputs, override, slice(k, k + batch)) for k in range(0, max(total, 1), batch)]
    return {name: np.concatenate([p[name] for p in parts]) if parts[0][name].ndim else parts[0][name] for name in wanted}


def _batch(graph: SourceGraph) -> int:
    """Frames at a time: 256 small ones, few images."""
    return max(1, min(256, FRAME_ELEMENTS // max((prod(i.shape) for i in graph.inputs), default=1)))


def _run(
    graph: SourceGraph,
    order: list[SourceNode],
    wanted: tuple[str, ...],
    inputs: Mapping[str, Array],
    override: Mapping[str, Array],
    part: slice,
) -> dict[str, Array]:
    precision = np.dtype(graph.precision)
    last = {name: k for k, node in enumerate(order) for name in node.inputs}
    live: dict[str, Array] = {n: _widened(np.asarray(c), precision) for n, c in graph.constants.items() if n in last or n in wanted}
    for i in graph.inputs:
        if i.name in inputs:
            live[i.name] = _widened(np.asarray(inputs[i.name])[part], precision)
    live |= {name: value[part].astype(precision) for name, value in override.items()}
    for k, node in enumerate(order):
        for name, value in zip(node.outputs, _outputs(node, live), strict=False):
            if name and name not in override:
                live[name] = value
        for name in {*node.inputs, *node.outputs}:
            if last.get(name, -1) <= k and name not in wanted:
                live.pop(name, None)  # nobody reads it any more
    return {name: live[name] for name in wanted}


def _outputs(node: SourceNode, live: Mapping[str, Array]) -> tuple[Array, ...]:
    try:
        return compute(node.op, [live[i] if i else None for i in node.inputs], node.attributes)
    except KeyError as error:
        raise InputError("GRAPH-ORDER", f"its input {error.args[0]!r} is computed by no earlier node", where=node.name) from None
    except InputError as error:
        raise InputError(error.code, error.message, where=node.name or node.op, hint=error.hint) from None


def _widened(x: Array, precision: np.dtype[Any]) -> Array:
    return x.astype(precision) if x.dtype.kind == "f" and x.dtype != precision else x


def _leading_to(graph: SourceGraph, wanted: set[str], known: set[str]) -> list[SourceNode]:
    """Nodes that the wanted tensors need beyond the known ones, in order."""
    wanted = set(wanted)
    nodes = []
    for node in reversed(graph.nodes):
        if wanted.intersection(o for o in node.outputs if o):
            wanted.update(i for i in node.inputs if i and i not in known)
            nodes.append(node)
    return nodes[::-1]

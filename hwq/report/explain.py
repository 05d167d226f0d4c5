"""What a model becomes: every layer's encoding, range and form, its work, and what is left to the host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from hwq.network.graph import Network, Node, TensorInfo
from hwq.network.host_words import steps_in_words
from hwq.network.model import Model
from hwq.network.ops import Add, ArgMax, BorderAffine, Conv, Lookup, Op, Requantize, Saturating, Threshold, TopK
from hwq.report.operation import operation
from hwq.report.table import Table, grouped, printable, shortened

__all__ = ["explain_model", "explain_text"]


def explain_model(model: Model) -> dict[str, Any]:
    """``model`` as plain data: inputs with their host head, one entry a layer, outputs with their tail, totals.

    ``macs`` are products a frame, ``weight_bits`` bits of constants in the contraction, ``threshold_bits`` bits of
    constants in the staircase; ``range`` are the reachable integers of the layer's output and ``bits`` their code's width.
    """
    network = model.network
    layers = [_layer(network, node) for node in network.nodes]
    for layer in layers:
        if layer["name"] in model.notes:
            layer["frontend"] = model.notes[layer["name"]]
    return {
        "name": model.name,
        "provenance": dict(model.provenance),
        "inputs": [
            {
                "name": i.name,
                "shape": list(i.shape),
                "dtype": i.dtype,
                "host": steps_in_words(i.head, i.shape),
                **_tensor(network.tensors[i.name]),
            }
            for i in model.inputs
        ],
        "layers": layers,
        "outputs": [
            {
                "name": o.name,
                "shape": list(o.shape),
                "dtype": o.dtype,
                "host": steps_in_words(o.tail, network.tensors[o.tensor].shape),
                **_tensor(network.tensors[o.tensor]),
            }
            for o in model.outputs
        ],
        "totals": {k: sum(layer.get(k, 0) for layer in layers) for k in ("macs", "weights", "weight_bits", "threshold_bits")},
    }


def _tensor(t: TensorInfo) -> dict[str, Any]:
    return {"stream_shape": list(t.shape), "encoding": t.encoding.name, "bits": t.encoding.bits, "range": list(t.interval.bounds)}


def _layer(network: Network, node: Node) -> dict[str, Any]:
    x, y = network.tensors[node.inputs[0]], network.tensors[next(o for o in node.outputs if o)]
    t = _tensor(y)
    entry = {"name": node.name, "op": node.op.kind, "shape": t.pop("stream_shape"), **t}
    return entry | _FACTS.get(type(node.op), lambda op, x, y: {"form": operation(op)})(node.op, x, y)


def _conv(op: Conv, x: TensorInfo, y: TensorInfo) -> dict[str, Any]:
    o, _, _, i = op.weights.shape
    dense = op.is_dense and x.shape[:2] == (1, 1)
    what = f"fully connected {i}->{o}" if dense else f"{operation(op) if not op.is_dense else 'conv 1x1'}, {i * op.groups}->{o}"
    acc = op.accumulation
    how = f"saturating at {acc.bits} bits every {acc.chunk} products" if isinstance(acc, Saturating) else "exact"
    return {
        "form": f"{what}, {op.weight_encoding.name} weights, {how}",
        "weight_encoding": op.weight_encoding.name,
        "zero_weights": int((op.weights == 0).sum()),
        "macs": op.mw * op.mh * y.shape[0] * y.shape[1],
        "weights": int(op.weights.size),
        "weight_bits": int(op.weights.size) * op.weight_encoding.bits,
    }


def _threshold(op: Threshold, x: TensorInfo, y: TensorInfo) -> dict[str, Any]:
    fires = (op.thresholds > x.interval.lo[:, None]) & (op.thresholds <= x.interval.hi[:, None])
    falls = (np.broadcast_to(op.steps, fires.shape) < 0) & fires
    rows = f"{len(op.thresholds)} channels" if len(op.thresholds) > 1 or x.shape[2] == 1 else "shared"
    return {
        "form": f"{op.count} threshold{'s' * (op.count != 1)} ({rows})",
        "thresholds": op.count,
        "constant_channels": int((y.interval.lo == y.interval.hi).sum()),
        "decreasing_channels": int(falls.any(1).sum()),
        "threshold_bits": int(op.thresholds.size) * x.encoding.bits,
    }


def _requantize(op: Requantize, x: TensorInfo, y: TensorInfo) -> dict[str, Any]:
    width = max(int(np.abs(op.multiplier).max()).bit_length(), 1)
    return {
        "form": f"clip((M*x + B) >> {op.shift}, {op.low}, {op.high}), M of {width} bits, {op.rounding.value}",
        "multiplier_bits": width,
        "constant_channels": int((y.interval.lo == y.interval.hi).sum()),
        "decreasing_channels": int((np.broadcast_to(op.multiplier, y.interval.lo.shape) < 0).sum()),
        "threshold_bits": int(op.multiplier.size) * (width + 1) + int(op.offset.size) * (int(np.abs(op.offset).max()).bit_length() + 1),
    }


def _add(op: Add, x: TensorInfo, y: TensorInfo) -> dict[str, Any]:
    rows = op.coefficients
    same = (rows == rows[:, :1]).all()
    terms = ", ".join(str(int(r[0])) for r in rows) if same else f"{len(rows)} rows of {rows.shape[1]}"
    return {"form": f"sum of {len(rows)} streams, coefficients {terms}"}


def _border(op: BorderAffine, x: TensorInfo, y: TensorInfo) -> dict[str, Any]:
    classes = (int(op.rows.max()) + 1) * (int(op.columns.max()) + 1)
    return {"form": f"constants of {classes} border class{'es' * (classes != 1)}", "threshold_bits": int(op.offset.size) * y.encoding.bits}


_FACTS: dict[type[Op], Callable[..., dict[str, Any]]] = {
    Conv: _conv,
    Threshold: _threshold,
    Requantize: _requantize,
    Add: _add,
    BorderAffine: _border,
    ArgMax: lambda op, x, y: {"form": "index of the largest channel"},
    TopK: lambda op, x, y: {"form": f"indices of the {op.k} largest channels"},
    Lookup: lambda op, x, y: {"form": f"table of {op.table.shape[-1]} entries", "threshold_bits": int(op.table.size) * y.encoding.bits},
}


def explain_text(document: dict[str, Any]) -> str:
    """:func:`explain_model`'s answer for people."""
    rows = [
        (
            shortened(layer["name"]),
            layer["form"],
            "x".join(map(str, layer["shape"])),
            layer["encoding"],
            "{}..{}".format(*layer["range"]),
            grouped(layer.get("macs")),
            grouped(layer.get("weight_bits", layer.get("threshold_bits"))),
        )
        for layer in document["layers"]
    ]
    table = Table(("layer", "becomes", "shape", "encoding", "range", ">MACs", ">const. bits"), rows)
    totals = document["totals"]
    parts = [
        *(_port("input", "host before", p) for p in document["inputs"]),
        table.text(),
        *_remarks(document["layers"]),
        *(_port("output", "host after", p) for p in document["outputs"]),
    ]
    weights = f"{grouped(totals['weights'])} weights in {grouped(totals['weight_bits'])} bits"
    rest = f"{grouped(totals['threshold_bits'])} bits of thresholds and multipliers"
    return "\n".join([*parts, f"{grouped(totals['macs'])} multiply-accumulates a frame, {weights}, {rest}"])


def _port(kind: str, when: str, p: dict[str, Any]) -> str:
    shape = "x".join(map(str, p["shape"])) or "scalar"
    stream = "x".join(map(str, p["stream_shape"]))
    work = ", then ".join(p["host"]) or "nothing"
    low, high = p["range"]
    return printable(f"{kind} {p['name']}: {p['dtype']} {shape}; on the wire {stream} {p['encoding']}, {low}..{high}; {when}: {work}")


def _remarks(layers: list[dict[str, Any]]) -> list[str]:
    return [printable(f"  {layer['name']}: {words}") for layer in layers for words in _remarks_on(layer)]


def _remarks_on(layer: dict[str, Any]) -> Iterator[str]:
    seen = layer.get("frontend", {})
    constant = layer.get("constant_channels", 0)
    # The frontend negates rows of weights where that turns a falling staircase into a rising one.
    falling = max(layer.get("decreasing_channels", 0), seen.get("decreasing_channels", 0))
    negated = seen.get("negated_channels", 0)
    if constant:
        yield f"{_channels(constant)} always give{'s' * (constant == 1)} the same code"
    if falling:
        yield f"{_channels(falling)} fall{'s' * (falling == 1)} as {'its' if falling == 1 else 'their'} input rises"
    if negated:
        yield f"weights of {_channels(negated)} negated, so that the staircase behind rises"
    if layer.get("zero_weights"):
        yield f"{grouped(layer['zero_weights'])} of {grouped(layer['weights'])} weights are 0"


def _channels(count: int) -> str:
    return f"{count} channel{'s' * (count != 1)}"

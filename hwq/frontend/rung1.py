"""Rung 1 of the ladder: the source model's own discrete tensors against those of the golden Network, on real inputs.

A float model is no function of its integer accumulators, so a code of the source may differ from the exact one next to a
tie. A difference is *local* where the golden tensors before it, fed into the source, still make the source round the
other way; all others merely follow. Local differences carry their distance to the tie, in steps of the quantizer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwq.frontend.execute import execute
from hwq.frontend.layout import Layout
from hwq.frontend.source import SourceGraph
from hwq.frontend.trace import TRACE
from hwq.network.host import HostStep, run_steps
from hwq.network.model import Model

__all__ = ["LayerComparison", "Rung1", "compare_with_source"]

Array = NDArray[Any]


@dataclass(frozen=True)
class LayerComparison:
    """One layer: codes compared, differences in all, differences when golden tensors are fed in, and their kind.

    ``largest_tie_distance`` is the largest distance from the local differences to the nearest tie, in steps; None where
    there are none, or where it is not defined (accumulators). ``systematic`` counts local differences at exact ties.
    ``first`` is (frame, element, source's integer, golden's integer) of the first local difference.
    """

    layer: str
    tensor: str
    compared: int
    different: int
    local: int
    systematic: int
    largest_tie_distance: float | None
    first: tuple[int, int, int, int] | None


@dataclass(frozen=True)
class Rung1:
    """The comparison of all layers, and of the outputs in the model's own dtype."""

    frames: int
    layers: tuple[LayerComparison, ...]
    outputs_different: int
    outputs_compared: int
    largest_output_difference: float

    @property
    def local(self) -> int:
        """Local differences of all layers; 0 for models of hwq.quant."""
        return sum(layer.local for layer in self.layers)

    @property
    def exact(self) -> bool:
        """Whether every discrete tensor agrees."""
        return not any(layer.different for layer in self.layers)


def compare_with_source(model: Model, inputs: Mapping[str, Array], graph: SourceGraph | None = None) -> Rung1:
    """Runs the source and the golden Network on ``inputs`` (N, ...) and counts where their discrete tensors differ.

    ``graph`` is the source graph; by default the one kept in the model. Raises ``ValueError`` where there is none.
    """
    if graph is None:
        if model.source is None:
            raise ValueError("the model keeps no source graph")
        graph = SourceGraph.from_document(*model.source)
    views = _views(model)
    names = [v.source for v in views]
    golden = model.network.run(model.encode(inputs), keep=tuple(dict.fromkeys([*(v.tensor for v in views), *model.network.outputs])))
    plain = execute(graph, inputs, keep=tuple(dict.fromkeys([*names, *graph.outputs])))
    real = {v.source: v.real(golden[v.tensor], plain[v.source].shape) for v in views}
    layers = []
    for k, view in enumerate(views):
        fed = {v.source: real[v.source] for v in views[:k] if v.source != view.source}
        local = execute(graph, inputs, keep=(view.source,), override=fed)[view.source]
        layers.append(_compare(view, golden, plain[view.source], local))
    return _with_outputs(model, golden, plain, tuple(layers), len(next(iter(inputs.values()))))


@dataclass(frozen=True, eq=False)
class _View:
    """Where a tensor of the Network stands in the source: ``source[index] = integer * scale + offset``."""

    layer: str
    tensor: str
    source: str
    scale: Array
    offset: Array
    layout: Layout | None
    before: tuple[HostStep, ...] | None
    reads: str
    tie: float

    def real(self, integers: Array, shape: tuple[int, ...]) -> Array:
        """The source's tensor for integers (N, H, W, C)."""
        values = integers * self.scale + self.offset
        return (values if self.layout is None else self.layout.from_leaf(values)).reshape(shape)

    def integers(self, source: Array) -> Array:
        """Real-valued integers (N, elements), in the leaf's order, for the source's tensor."""
        values = source.reshape(len(source), -1).astype(np.float64)
        flat = values if self.layout is None else self.layout.into_leaf(values)
        ordered = flat.reshape(len(source), -1, max(self.scale.size, self.offset.size))
        with np.errstate(all="ignore"):
            found = np.where(self.scale == 0, 0.0, (ordered - self.offset) / self.scale)
        return found.reshape(len(source), -1)


def _views(model: Model) -> list[_View]:
    views = []
    trace = model.notes.get(TRACE, {})
    made = [(i.name, i.name, "") for i in model.network.inputs]
    made += [(n.name, n.outputs[0], n.inputs[0]) for n in model.network.nodes]
    for layer, tensor, reads in made:
        entry = trace.get(tensor)
        if entry is not None:
            layout = None if entry["layout"] is None else Layout.from_document(entry["layout"])
            before = entry.get("before")
            steps = None if before is None else tuple(HostStep(s["op"], _real(s["constant"]), s["attributes"]) for s in before)
            scale, offset = np.asarray(entry["scale"], np.float64), np.asarray(entry["offset"], np.float64)
            views.append(_View(layer, tensor, entry["tensor"], scale, offset, layout, steps, reads, entry.get("tie", 0.5)))
    return views


def _real(value: Any) -> NDArray[np.float64] | None:
    return None if value is None else np.asarray(value, dtype=np.float64)


def _compare(view: _View, golden: Mapping[str, Array], plain: Array, local: Array) -> LayerComparison:
    exact = golden[view.tensor].reshape(len(plain), -1)
    different = np.rint(view.integers(plain)) != exact
    own = np.rint(view.integers(local))
    differs = own != exact
    systematic, largest, first = 0, None, None
    if differs.any():
        frame, element = (int(v) for v in np.argwhere(differs)[0])
        first = (frame, element, int(own[frame, element]), int(exact[frame, element]))
        if view.before is not None:
            distance = _tie_distance(view, golden[view.reads])[differs]
            systematic, largest = int((distance == 0).sum()), float(distance.max())
    return LayerComparison(view.layer, view.source, int(exact.size), int(different.sum()), int(differs.sum()), systematic, largest, first)


def _tie_distance(view: _View, source: Array) -> NDArray[np.float64]:
    """How far the exact real number in front of the rounding is from the nearest place where the code changes, (N, C)."""
    assert view.before is not None
    value = run_steps(view.before, source).reshape(len(source), -1)
    return np.abs(value - view.tie - np.rint(value - view.tie))


def _with_outputs(
    model: Model, golden: Mapping[str, Array], plain: Mapping[str, Array], layers: tuple[LayerComparison, ...], frames: int
) -> Rung1:
    ours = model.decode({t: golden[t] for t in model.network.outputs})
    different = compared = 0
    largest = 0.0
    for name, value in ours.items():
        other = plain[name].reshape(value.shape)
        compared += value.size
        different += int((value != other).sum())
        largest = max(largest, float(np.abs(value.astype(np.float64) - other).max(initial=0.0)))
    return Rung1(frames, layers, different, compared, largest)

"""Weights and multiply-accumulates of a torch module, counted by running shapes through it; no tensor is computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hwq.errors import InputError
from hwq.quant.layers import WeightLayer

__all__ = ["Counts", "LayerCount", "count", "output_shape"]

LAYERS = (WeightLayer, nn.Linear, nn.Conv1d, nn.Conv2d)


@dataclass(frozen=True)
class LayerCount:
    """One use of one layer: its weights (0 where an earlier use has counted them), its MACs, the shape of its output."""

    name: str
    weights: int
    macs: int
    output: tuple[int, ...]


@dataclass(frozen=True)
class Counts:
    """A frame's work, layer by layer in order of execution. Biases and batch norms are not counted."""

    layers: tuple[LayerCount, ...]

    @property
    def weights(self) -> int:
        """Weights of all layers."""
        return sum(layer.weights for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates a frame; products with zeros of the padding count, as is usual."""
        return sum(layer.macs for layer in self.layers)


def count(module: nn.Module, frame: Sequence[int]) -> Counts:
    """Counts of ``module`` for one frame of shape ``frame``; the module may live on torch's meta device."""
    found: list[LayerCount] = []
    seen: set[int] = set()

    def record(name: str, layer: Any, output: Tensor) -> None:
        weights = layer.weight.numel() if id(layer) not in seen else 0
        seen.add(id(layer))
        macs = output.numel() * layer.weight[0].numel()
        found.append(LayerCount(name, weights, macs, tuple(output.shape[1:])))

    with _recording(module, record):
        _run_shapes(module, frame)
    return Counts(tuple(found))


def output_shape(module: nn.Module, frame: Sequence[int]) -> tuple[int, ...]:
    """Shape of what ``module`` makes of one frame."""
    return tuple(_run_shapes(module, frame).shape[1:])


@contextmanager
def _recording(module: nn.Module, record: Any) -> Iterator[None]:
    hooks = [
        part.register_forward_hook(lambda layer, _, output, name=name: record(name, layer, output))
        for name, part in module.named_modules()
        if isinstance(part, LAYERS)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _run_shapes(module: nn.Module, frame: Sequence[int]) -> Any:
    training = {part: part.training for part in module.modules()}
    state = {k: v.detach().to("meta") for k, v in (*module.named_parameters(), *module.named_buffers())}
    try:
        with torch.no_grad():
            return torch.func.functional_call(module.eval(), state, (torch.empty((1, *frame), device="meta"),))
    except (RuntimeError, InputError) as error:  # a window larger than its image, mostly
        if isinstance(error, InputError) and error.code != "LAYER-INPUT":
            raise
        size = " x ".join(str(n) for n in frame)
        reason = str(error).splitlines()[0][:200]
        raise InputError("ZOO-IMAGE", f"a frame of {size} does not go through the network ({reason})", hint="Use a larger image") from None
    finally:
        for part, mode in training.items():
            part.training = mode

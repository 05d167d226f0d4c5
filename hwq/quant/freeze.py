"""Freeze: from a trained module to integers, constants and float64 arithmetic, with what it cost."""

from __future__ import annotations

import copy
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.utils import _pytree as pytree

from hwq.errors import InputError, Problems
from hwq.quant.frozen import Frozen, FrozenAffine, FrozenWeights
from hwq.quant.layers import Activation, WeightLayer
from hwq.quant.quantizer import Quantizer

__all__ = ["FreezeReport", "LayerCost", "freeze", "is_unfrozen", "refuse_training"]

LOG = logging.getLogger("hwq")


@dataclass(frozen=True)
class LayerCost:
    """What the freeze changed in one layer: the distance of its effective weights before and after.

    ``max_change`` and ``mean_change`` are absolute. The quantization itself is no cost: training has seen it.
    """

    name: str
    encoding: str
    max_change: float
    mean_change: float


@dataclass(frozen=True)
class FreezeReport:
    """What a freeze cost, by layer; ``max_output_change`` over the example input, where one was given."""

    layers: tuple[LayerCost, ...]
    max_output_change: float | None = None

    def __str__(self) -> str:
        lines = [
            f"{c.name or 'module'}: {c.encoding} weights, changed by at most {c.max_change:.3g} (mean {c.mean_change:.3g})"
            for c in self.layers
        ]
        if self.max_output_change is not None:
            lines.append(f"outputs of the example changed by at most {self.max_output_change:.3g}")
        return "\n".join(lines)


def freeze(module: nn.Module, *example: Any) -> Frozen:
    """A frozen copy of a trained ``module``; the module itself is left alone.

    Weights become integer codes and binary32 scales, quantizers their hard form, each batch norm one multiply and one add
    computed in binary64 from its stored parameters, dropout nothing; everything after runs in float64.
    ``example`` inputs, where given, are run through both to report what changed.

    Raises :class:`InputError` in train mode, :class:`Problems` for all layers that cannot be frozen.
    """
    if isinstance(module, Frozen):
        return module
    refuse_training(module)
    dtype = next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.float32)
    costs: list[LayerCost] = []
    problems: list[InputError] = []
    inner = _Freezer(costs, problems).convert(copy.deepcopy(module), "")
    if problems:
        raise Problems(problems)
    frozen = Frozen(inner.double().requires_grad_(False), dtype, FreezeReport(tuple(costs)))
    if example:
        frozen.report = FreezeReport(tuple(costs), _output_change(module, frozen, example))
    LOG.info("frozen: %s", frozen.report)
    return frozen


def refuse_training(module: nn.Module) -> None:
    """Raise :class:`InputError` when any part of ``module`` is in train mode."""
    for name, part in module.named_modules():
        if part.training and (name == "" or next(part.children(), None) is None):
            raise InputError(
                "TRAIN-MODE",
                f"the module is in train mode ({type(part).__name__}), where batch norm and dropout mean something else",
                where=name or type(module).__name__,
                hint="Call module.eval() first",
            )


def is_unfrozen(module: nn.Module) -> bool:
    """Whether ``module`` holds layers or quantizers of hwq.quant in their training form."""
    return not isinstance(module, Frozen) and any(isinstance(part, WeightLayer | Activation | Quantizer) for part in module.modules())


class _Freezer:
    """Replaces the parts of a module in place; a part used in several places stays one part."""

    def __init__(self, costs: list[LayerCost], problems: list[InputError]) -> None:
        self.costs = costs
        self.problems = problems
        self.done: dict[int, nn.Module] = {}

    def convert(self, module: nn.Module, name: str) -> nn.Module:
        if id(module) not in self.done:
            self.done[id(module)] = module
            try:
                self.done[id(module)] = self._replacement(module, name)
            except InputError as error:
                self.problems.append(InputError(error.code, error.message, where=name or type(module).__name__, hint=error.hint))
        return self.done[id(module)]

    def _replacement(self, module: nn.Module, name: str) -> nn.Module:
        _refuse_nonfinite(module)
        if isinstance(module, WeightLayer):
            frozen = module.frozen()
            assert isinstance(frozen, FrozenWeights)
            self.costs.append(_cost(name, module, frozen))
            return frozen
        if isinstance(module, Activation | Quantizer):
            return module.frozen()
        if isinstance(module, _BatchNorm):
            return _affine(module)
        if isinstance(module, _DropoutNd):
            return nn.Identity()
        for key, child in list(module._modules.items()):
            if child is not None:
                module._modules[key] = self.convert(child, f"{name}.{key}" if name else key)
        return module


def _refuse_nonfinite(module: nn.Module) -> None:
    for key, value in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)):
        if isinstance(module, Quantizer) and key == "step":
            continue  # says itself that it has seen no data
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise InputError("WEIGHT-NAN", f"{key} holds NaN or infinity", hint="Train again, or repair the checkpoint")


def _affine(norm: _BatchNorm) -> FrozenAffine:
    """(a, b) of a batch norm: ``a = gamma / sqrt(var + eps)``, ``b = beta - mean * a``, each operation in binary64."""
    if norm.running_mean is None or norm.running_var is None:
        raise InputError("BATCHNORM-STATS", "the batch norm has no running statistics", hint="Use track_running_stats=True")
    # numpy: its binary64 square root and division are IEEE's on every machine.
    mean, var = _binary64(norm.running_mean), _binary64(norm.running_var)
    gamma = np.ones_like(mean) if norm.weight is None else _binary64(norm.weight)
    beta = np.zeros_like(mean) if norm.bias is None else _binary64(norm.bias)
    with np.errstate(all="ignore"):
        a = gamma / np.sqrt(var + norm.eps)
        b = beta - mean * a
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise InputError("BATCHNORM-STATS", "the batch norm divides by zero or by a negative variance")
    return FrozenAffine(torch.from_numpy(a), torch.from_numpy(b))


def _binary64(tensor: Tensor) -> NDArray[np.float64]:
    array: NDArray[np.float64] = tensor.detach().double().cpu().numpy()
    return array


@torch.no_grad()
def _cost(name: str, layer: WeightLayer, frozen: FrozenWeights) -> LayerCost:
    scale = layer.weight_quantizer.weight_scale(layer.weight)
    before = (layer.weight_quantizer.integers(layer.weight, scale) * scale).double()
    after = frozen.codes.double().flatten(1) * frozen.scale.reshape(-1, 1)
    change = (before.flatten(1) - after).abs()
    return LayerCost(name, layer.weight_quantizer.encoding.name, float(change.max()), float(change.mean()))


@torch.no_grad()
def _output_change(module: nn.Module, frozen: Frozen, example: tuple[Any, ...]) -> float:
    pairs = zip(pytree.tree_leaves(module(*example)), pytree.tree_leaves(frozen(*example)), strict=True)
    changes = [float((a.double() - b.double()).abs().max()) for a, b in pairs if isinstance(a, Tensor) and a.numel()]
    return max(changes, default=0.0)

"""What a quantizer is: a scale and the integers of a tensor; the registry that finds quantizers by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

import torch
from torch import Tensor, nn

from hwq.errors import InputError
from hwq.numerics.encoding import Encoding

__all__ = ["ENTRY_POINT_GROUP", "Quantizer", "available_quantizers", "make_quantizer", "quantizer_of", "refuse_export"]

ENTRY_POINT_GROUP = "hwq.quantizers"


class Quantizer(nn.Module):
    """Maps a real tensor to ``integers * scale``; the base of every quantizer, yours included.

    As a module it quantizes activations: ``forward(x) = integers(x, s) * s`` with ``s = input_scale(x)``.
    In a layer it quantizes weights: the layer takes ``s = weight_scale(w)`` and computes on ``integers(w, s)``.

    A new method is a subclass with :attr:`encoding`, :meth:`integers` and the scale it needs. A package offers it
    by name through the entry-point group ``hwq.quantizers``::

        [project.entry-points."hwq.quantizers"]
        twice = "my_package:Twice"           # then hwq.quant.make_quantizer("twice", ...) makes one

        class Twice(Quantizer):              # integers -2, 0, +2
            @property
            def encoding(self):
                return Integer(3, True, True)

            def integers(self, x, scale):
                return 2 * straight_through_round(torch.clamp(x / scale, -1, 1))
    """

    @property
    def encoding(self) -> Encoding:
        """Encoding that holds every integer of this quantizer."""
        raise NotImplementedError

    def integers(self, x: Tensor, scale: Tensor) -> Tensor:
        """Integers of ``x`` (same shape and dtype), with the gradient that the method defines."""
        raise NotImplementedError

    def weight_scale(self, weight: Tensor) -> Tensor:
        """Scale of a weight (O, ...): shape () for one a layer, (O, 1, ...) for one an output channel. Default 1."""
        return weight.new_ones(())

    def input_scale(self, x: Tensor) -> Tensor:
        """Scale of an activation, shape (); may update statistics in train mode. Default 1."""
        return x.new_ones(())

    def frozen_scale(self) -> Tensor:
        """Scale of activations after training, shape (), float32. Raises :class:`InputError` before any data was seen."""
        return torch.ones(())

    def frozen(self) -> nn.Module:
        """The hard form for activations: a module that computes in float64 and keeps no state but constants."""
        from hwq.quant.frozen import FrozenStaircase

        return FrozenStaircase(self, self.frozen_scale())

    def forward(self, x: Tensor) -> Tensor:
        refuse_export(self)
        scale = self.input_scale(x)
        return self.integers(x, scale) * scale


def refuse_export(module: nn.Module) -> None:
    """Refuse to be exported before the freeze: the soft form means nothing to hardware."""
    if torch.compiler.is_exporting():
        raise InputError(
            "UNFROZEN",
            f"a {type(module).__name__} of hwq.quant is still in its training form",
            hint="Export or compile what hwq.quant.freeze(module) returns, or use hwq.save, which freezes",
        )


def available_quantizers() -> dict[str, Callable[..., Quantizer]]:
    """Quantizers by name: those of hwq and those that installed packages offer."""
    from hwq.quant.bipolar import Bipolar
    from hwq.quant.identity import Identity
    from hwq.quant.ternary import Ternary
    from hwq.quant.uniform import Uniform

    found: dict[str, Callable[..., Quantizer]] = {e.name: e.load() for e in entry_points(group=ENTRY_POINT_GROUP)}
    return {**found, "none": Identity, "bipolar": Bipolar, "ternary": Ternary, "uniform": Uniform}


def make_quantizer(name: str, **options: Any) -> Quantizer:
    """A new quantizer by name; raises :class:`InputError` for a name nobody offers."""
    known = available_quantizers()
    if name not in known:
        raise InputError("QUANTIZER-NAME", f"there is no quantizer {name!r}", hint=f"Known: {', '.join(sorted(known))}")
    return known[name](**options)


def quantizer_of(value: Quantizer | str, where: str) -> Quantizer:
    """``value`` itself, or a new quantizer of that name; raises :class:`InputError` naming ``where`` for anything else."""
    if isinstance(value, Quantizer):
        return value
    if not isinstance(value, str):
        what = f"{value.__name__} (the class)" if isinstance(value, type) else type(value).__name__
        raise InputError("QUANTIZER", f"{what} was given, a quantizer was expected", where=where, hint="Write for example Bipolar()")
    try:
        return make_quantizer(value)
    except TypeError:
        raise InputError(
            "QUANTIZER", f"the quantizer {value!r} needs options", where=where, hint=f"make_quantizer({value!r}, ...)"
        ) from None

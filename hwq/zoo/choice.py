"""Which quantizer goes where in a network of the zoo, by name or as a function that makes one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from hwq.errors import InputError
from hwq.quant import Bipolar, Quantizer, Ternary, Uniform
from hwq.quant.quantizer import quantizer_of

__all__ = ["Choice", "PixelInput", "Spec"]

Spec = str | Callable[[], Quantizer]
LEARNED_BITS = 4  # below and here, a learned scale trains better than the largest value seen


@dataclass(frozen=True)
class Choice:
    """Quantizers of a network.

    Each is a name — ``bipolar``, ``ternary``, ``uniform<bits>``, or one that a package offers — or a function that makes a
    quantizer. ``uniform<bits>`` is signed and narrow for weights, unsigned for activations and pixels, signed for skips.

    Parameters
    ----------
    weight, activation
        Of every layer but the first and last.
    first, last
        Weights of the first layer and of the last (in a detector: of all heads).
    input
        Pixels, which come as 0..1; ``uniform8`` takes the 256 levels of a byte as they are. Signed ones see ``2 x - 1``.
    last_input
        What a classifier's last layer reads.
    skip
        One quantizer a residual block, used on both branches, so that they share its scale. None: the branches are added as
        they are, and the activation behind quantizes the sum.
    """

    weight: Spec = "bipolar"
    activation: Spec = "uniform2"
    first: Spec = "uniform8"
    last: Spec = "uniform8"
    input: Spec = "uniform8"
    last_input: Spec = "uniform8"
    skip: Spec | None = "uniform4"

    def make_weight(self) -> Quantizer:
        """A quantizer of inner weights."""
        return _weight(self.weight, "weight")

    def make_first(self) -> Quantizer:
        """The quantizer of the first layer's weights."""
        return _weight(self.first, "first")

    def make_last(self) -> Quantizer:
        """A quantizer of a last layer's weights."""
        return _weight(self.last, "last")

    def make_activation(self) -> Quantizer:
        """A quantizer behind a batch norm; it is the non-linearity too."""
        return _activation(self.activation, "activation", signed=False)

    def make_last_input(self) -> Quantizer:
        """The quantizer in front of a classifier's last layer."""
        return _activation(self.last_input, "last_input", signed=False)

    def make_skip(self) -> nn.Module:
        """What both branches of one block pass before they are added."""
        return nn.Identity() if self.skip is None else _activation(self.skip, "skip", signed=True)

    def make_input(self) -> nn.Module:
        """What pixels pass first."""
        if not isinstance(self.input, str):
            return quantizer_of(self.input(), "input")
        bits = _bits(self.input, "input")
        if bits is not None:
            return Uniform(bits, signed=False, scale=1 / (2**bits - 1))
        if self.input.lower() == "ternary":
            return PixelInput(Uniform(2, narrow=True, scale=1.0))
        return PixelInput(_named(self.input, "input"))


class PixelInput(nn.Module):
    """Pixels 0..1 stretched to -1..1, then quantized: for quantizers that look at signs."""

    def __init__(self, quantizer: Quantizer) -> None:
        super().__init__()
        self.quantizer = quantizer

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.quantizer(2.0 * x - 1.0)
        return y


def _weight(spec: Spec, option: str) -> Quantizer:
    if not isinstance(spec, str):
        return quantizer_of(spec(), option)
    bits = _bits(spec, option)
    if bits == 1:
        raise InputError("QUANTIZER-OPTION", "weights of one bit are 'bipolar'", where=option)
    return _named(spec, option) if bits is None else Uniform(bits, narrow=True)


def _activation(spec: Spec, option: str, signed: bool) -> Quantizer:
    if not isinstance(spec, str):
        return quantizer_of(spec(), option)
    if spec.lower() == "ternary":
        return Uniform(2, narrow=True, scale="learned")
    bits = _bits(spec, option)
    if bits is None:
        return _named(spec, option)
    return Uniform(bits, signed=signed, scale="learned" if bits <= LEARNED_BITS else "max")


def _bits(spec: str, option: str) -> int | None:
    match = re.fullmatch(r"uniform(\d{1,3})?", spec.lower())
    if match is None:
        return None
    if match[1] is None:
        raise InputError("QUANTIZER-OPTION", "'uniform' needs its bits", where=option, hint="Write for example uniform4")
    return int(match[1])


def _named(spec: str, option: str) -> Quantizer:
    known: dict[str, Callable[[], Quantizer]] = {"bipolar": Bipolar, "ternary": Ternary}
    try:
        return known[spec.lower()]() if spec.lower() in known else quantizer_of(spec, option)
    except InputError as error:
        if error.code != "QUANTIZER-NAME":
            raise
        hint = f"{error.hint}; uniform is written with its bits, uniform4"
        raise InputError(error.code, error.message, where=option, hint=hint) from None

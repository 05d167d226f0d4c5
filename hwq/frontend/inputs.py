"""Model inputs: who makes the integers that enter the hardware, the host head or the user."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from hwq.errors import InputError
from hwq.frontend.arrangement import Arrangement
from hwq.frontend.expression import Expr, evaluate, leaf, map_constants
from hwq.frontend.host_program import host_steps
from hwq.frontend.normalize import Affine, is_integral
from hwq.frontend.options import InputEncoding
from hwq.frontend.source import SourceInput
from hwq.frontend.values import Leaf
from hwq.network.host import HostStep
from hwq.numerics.encoding import Bipolar, Encoding, Integer, smallest_integer
from hwq.numerics.interval import Interval

__all__ = ["InputState", "host_integers", "raw_integers"]


@dataclass(frozen=True, eq=False)
class InputState:
    """One model input; the lower half is filled when the first layer asks for its integers.

    Parameters
    ----------
    source
        What the model says of it.
    stated
        Integers that the user or the model's annotation names.
    hardware
        Whether the model's own quantizer is built in.
    leaf, encoding, head
        The integer tensor, its encoding, and the host's steps to it.
    core, rest
        The pending function that the integers stand for, and the same as a function of the integers.
    arrangement
        How the model's elements become the image.
    """

    source: SourceInput
    stated: InputEncoding | None
    hardware: bool
    leaf: Leaf | None = None
    encoding: Encoding | None = None
    head: tuple[HostStep, ...] = ()
    core: Expr | None = None
    rest: Expr | None = None
    arrangement: Arrangement | None = None

    @property
    def name(self) -> str:
        """The user's name of the input."""
        return self.source.name

    def wants_host(self, affine: Affine) -> bool:
        """Whether the model's own quantizer makes the integers on the host."""
        if self.hardware and self.stated is None:
            raise _no_encoding(self, "the input quantizer is to be built into the hardware, but nothing names the integers that arrive")
        return not self.hardware and affine.core.discretises and is_integral(affine.core, False)


def host_integers(state: InputState, affine: Affine, arrangement: Arrangement) -> InputState:
    """The model's own input quantizer becomes the host head."""
    core, rest = affine.core, leaf()
    elements = prod(arrangement.shape)
    with np.errstate(all="ignore"):
        ends = evaluate(core, np.tile([-np.inf, np.inf], (elements, 1)))
    if not np.isfinite(ends).all() or not core.is_monotone:
        raise InputError(
            "INPUT-RANGE-OPEN",
            f"the input {state.name!r} is rounded but not limited to a range",
            where=next(reversed(core.labels), state.name),
            hint="Clip it to the range of its quantizer",
        )
    lo, hi = int(ends.min()), int(ends.max())
    scale, offset = affine.scale * lo + affine.offset, affine.scale * hi + affine.offset
    head = core
    encoding: Encoding
    if core.op == "bipolar":
        encoding = Bipolar()
    elif hi - lo == 1 and np.ndim(scale) == 0 and scale == -offset:
        # Two values that differ in sign only: -1 and +1 times their magnitude.
        head, rest = core.then("sub", lo).then("mul", 2.0).then("sub", 1.0), leaf().then("mul", 0.5).then("add", lo + 0.5)
        encoding = Bipolar()
    else:
        encoding = exact_encoding(lo, hi)
    steps = host_steps(map_constants(head, arrangement.constant))
    return _with(state, encoding, arrangement, (*arrangement.steps(), *steps), core, rest)


def raw_integers(state: InputState, arrangement: Arrangement, *, needed: bool) -> InputState:
    """The integers that the user or the annotation names arrive as they are; floats are rounded to them by the head."""
    stated = state.stated
    if stated is None:
        raise _no_encoding(
            state, f"the input {state.name!r} carries no quantizer" if needed else f"the quantizer of {state.name!r} is not usable"
        )
    encoding, scale, offset = stated.encoding, stated.scale, stated.offset
    rest = leaf().then("mul", float(scale.numerator)).then("div", float(scale.denominator)).then("add", float(offset))
    head: list[HostStep] = list(arrangement.steps())
    if offset:
        head.append(HostStep("sub", np.asarray(float(offset))))
    if scale != 1:
        head += [HostStep("mul", np.asarray(float(scale.denominator))), HostStep("div", np.asarray(float(scale.numerator)))]
    if isinstance(encoding, Bipolar):
        head.append(HostStep("bipolar"))
    else:
        head += [HostStep("round", None, {"mode": "half_even"}), HostStep("clip", None, {"low": encoding.lo, "high": encoding.hi})]
    return _with(state, encoding, arrangement, tuple(head), leaf(), rest)


def exact_encoding(lo: int, hi: int) -> Encoding:
    """Narrowest encoding with the integers ``lo..hi``; narrow where that is exactly its range or leaves out the most negative one."""
    plain = smallest_integer(lo, hi)
    if plain.is_signed:
        return Integer(plain.width, True, narrow=lo > plain.lo)
    return Integer(plain.width, False, narrow=plain.width > 1 and hi == plain.hi - 1)


def _with(
    state: InputState, encoding: Encoding, arrangement: Arrangement, head: tuple[HostStep, ...], core: Expr, rest: Expr
) -> InputState:
    channels = arrangement.shape[2]
    reach = Interval(np.full(channels, encoding.lo), np.full(channels, encoding.hi), encoding.step)
    made = Leaf(state.name, arrangement.shape, reach)
    return replace(state, leaf=made, encoding=encoding, head=head, core=core, rest=rest, arrangement=arrangement)


def _no_encoding(state: InputState, message: str) -> InputError:
    return InputError(
        "INPUT-ENCODING",
        message,
        where=state.name,
        hint="Name the integers that arrive: --input-encoding UINT8 --input-scale 1/255, for example, says that 0..255 stand for 0..1",
    )

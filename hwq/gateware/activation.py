"""What stands behind an accumulator: the interface of threshold, requantize and the plain affine map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Module, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwq.gateware.accumulator import domain_shape
from hwq.gateware.parts import Parts
from hwq.gateware.pipeline import register
from hwq.numerics.encoding import Encoding, smallest_integer
from hwq.plan.domain import Domain

__all__ = ["ActivationForm", "ActivationUnit", "Affine", "AffineForm", "pack_fields"]


@dataclass(frozen=True, eq=False)
class ActivationForm:
    """What is computed behind a value of ``domain``, apart from the hardware that does it."""

    domain: Domain
    out: Encoding

    @property
    def latency(self) -> int:
        """Cycles from value to code."""
        raise NotImplementedError

    @property
    def held(self) -> int:
        """Cycles, from the value's on, for which the constants must stand."""
        return 1

    @property
    def constant_width(self) -> int:
        """Bits of the constants of one channel."""
        raise NotImplementedError

    @property
    def key(self) -> str:
        """Stands for the hardware, constants not included."""
        raise NotImplementedError

    def words(self, channels: int) -> list[int]:
        """The packed constants of each of ``channels`` channels."""
        raise NotImplementedError

    def build(self, parts: Parts | None = None) -> ActivationUnit:
        """The hardware; what of it is a part of fabric is placed by ``parts``, in place without."""
        raise NotImplementedError


class ActivationUnit(wiring.Component):
    """One channel a cycle: a value and the constants of its channel in, a code out.

    Free-running, initiation interval 1, ``form.latency`` cycles.

    Members
    -------
    value : In
        In ``form.domain``.
    constants : In(unsigned(form.constant_width))
        The word of ``form.words`` that belongs to the channel of ``value``, for ``form.held`` cycles; absent where the width is 0.
    code : Out(unsigned)
        Code of the result.
    """

    def __init__(self, form: ActivationForm) -> None:
        self.form = form
        members = {"value": In(domain_shape(form.domain)), "code": Out(unsigned(form.out.bits))}
        if form.constant_width:
            members["constants"] = In(unsigned(form.constant_width))
        super().__init__(members)


@dataclass(frozen=True, eq=False)
class AffineForm(ActivationForm):
    """No staircase: the integer itself, ``scale * value + offset`` and the channel's own of ``offsets``, in the output encoding.

    One cycle, none where the value is the integer already.
    """

    offsets: tuple[int, ...] = ()

    @property
    def latency(self) -> int:
        return 0 if self.domain.is_integer and not self.offsets else 1

    @property
    def constant_width(self) -> int:
        return smallest_integer(min(*self.offsets, -1), max(self.offsets)).bits if self.offsets else 0

    @property
    def key(self) -> str:
        return repr(("affine", self.domain, self.out, self.constant_width))

    def words(self, channels: int) -> list[int]:
        return pack_fields([np.array(self.offsets)], [self.constant_width]) if self.offsets else [0] * channels

    def build(self, parts: Parts | None = None) -> ActivationUnit:
        return Affine(self)


class Affine(ActivationUnit):
    """Hardware of :class:`AffineForm`. Cost: an adder, or wires."""

    form: AffineForm

    def elaborate(self, platform):
        m = Module()
        domain = self.form.domain
        shift, rest = domain.scale.bit_length() - 1, domain.scale & (domain.scale - 1)
        integer = (self.value * domain.scale if rest else self.value << shift) + domain.offset
        if self.form.constant_width:
            integer = integer + self.constants.as_signed()
        m.d.comb += self.code.eq(register(m, integer, "integer") if self.form.latency else self.value)
        return m


def pack_fields(fields: list[np.ndarray], widths: list[int]) -> list[int]:
    """One integer a channel from rows of integers: field f in ``widths[f]`` bits, two's complement, the first in the low bits."""
    words = []
    for values in zip(*fields, strict=True):
        word = shift = 0
        for value, width in zip(values, widths, strict=True):
            word |= (int(value) & ((1 << width) - 1)) << shift
            shift += width
        words.append(word)
    return words

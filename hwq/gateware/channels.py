"""Constants of channels, and rows of activation units that read them: V pixels x PE lanes a word."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Signal, Value

from hwq.gateware.activation import ActivationForm
from hwq.gateware.parts import Parts
from hwq.gateware.pipeline import named
from hwq.gateware.rom import field, place_rom
from hwq.plan.plan import StagePlan

__all__ = ["Activations", "channel_words", "constants_memory", "lanes_of", "masked"]


def constants_memory(plan: StagePlan) -> str:
    """The memory of the constants of channels that ``plan`` means."""
    if plan.constants != "auto":
        return plan.constants
    return "logic" if plan.memory == "logic" else "lutram"


def channel_words(constants: Sequence[int], pe: int, width: int) -> list[int]:
    """Words of a memory: the ``width``-bit constants of ``pe`` channels each, the first channel in the low bits."""
    return [sum(c << (k * width) for k, c in enumerate(constants[first : first + pe])) for first in range(0, len(constants), pe)]


def lanes_of(m: Module, payload: Value, lanes: int, bits: int, name: str) -> list[Value]:
    """The codes of a word. A word of another width, which then holds a single pixel whole, is cut or filled with zeros."""
    word = Signal(lanes * bits, name=name)
    m.d.comb += word.eq(payload)
    return [word[k * bits : (k + 1) * bits] for k in range(lanes)]


def masked(m: Module, codes: Sequence[Value], real: int, pe: int, last: Value) -> Value:
    """The word of ``codes`` (V x ``pe``); while ``last``, the lanes from ``real`` on of every pixel are zero."""
    if real == pe:
        return Cat(*codes)
    keep = named(m, ~last, "keep")
    return Cat(*(code if lane % pe < real else code & keep.replicate(len(code)) for lane, code in enumerate(codes)))


class Activations:
    """``pixels`` x ``pe`` activation units of ``form`` in module ``m``, fed from one memory of constants.

    Timing: a word of values, codes ``form.latency`` later; the channel word addresses the memory READ_LATENCY cycles before the
    values (``address``). Cost: that of the units; the memory feeds the units of all pixels.

    Attributes
    ----------
    codes
        One of every value.
    ok
        The memory holds what it should.
    """

    def __init__(
        self,
        m: Module,
        parts: Parts,
        form: ActivationForm,
        values: Sequence[Value],
        channels: int,
        plan: StagePlan,
        address: Value,
    ) -> None:
        pe, width = plan.pe, form.constant_width
        words = channel_words(form.words(channels) + [0] * (-channels % pe), pe, width)
        constants, self.ok = place_rom(m, parts, "constants", words, pe * width, constants_memory(plan), address)
        self.codes: list[Value] = []
        for lane, value in enumerate(values):
            m.submodules[f"lane_{lane}"] = unit = form.build(parts)
            m.d.comb += unit.value.eq(value)
            if width:
                m.d.comb += unit.constants.eq(field(constants, lane % pe, width))
            self.codes.append(unit.code)

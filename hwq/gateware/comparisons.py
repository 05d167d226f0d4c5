"""Comparisons of a value with the thresholds of its channel."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Value, unsigned
from amaranth.lib.wiring import In, Out

from hwq.fabric.netlist import Netlist
from hwq.fabric.staircase import comparisons_netlist
from hwq.gateware.fabric_part import FabricPart
from hwq.gateware.parts import Parts, content_key

__all__ = ["Comparisons", "place_comparisons"]


class Comparisons(FabricPart):
    """One bit a limit: ``value >= limit``. As a circuit of the fabric: :func:`hwq.fabric.staircase.comparisons_netlist`.

    Combinational. Cost: half a LUT a bit; a LUT for a known limit of up to six bits that matter.

    Members
    -------
    value : In(unsigned(bits))
        Two's complement where ``signed``.
    limits : In(unsigned)
        Those limits that are not known, ``bits`` bits each; absent where all are.
    reached : Out(unsigned)
        A bit a limit.
    """

    def __init__(self, bits: int, signed: bool, limits: tuple[int | None, ...]) -> None:
        self.bits, self.is_signed, self.known = bits, signed, limits
        given = {"limits": In(unsigned(bits * limits.count(None)))} if None in limits else {}
        super().__init__({"value": In(unsigned(bits)), **given, "reached": Out(unsigned(len(limits)))})

    @property
    def netlist(self) -> Netlist:
        return comparisons_netlist(self.bits, self.is_signed, self.known)

    def elaborate(self, platform):
        m = Module()
        value, at, reached = self._number(self.value), 0, []
        for limit in self.known:
            if limit is None:
                reached.append(value >= self._number(self.limits[at : at + self.bits]))
                at += self.bits
            else:
                reached.append(value >= limit)
        m.d.comb += self.reached.eq(Cat(*reached))
        return m

    def _number(self, bits: Value) -> Value:
        return bits.as_signed() if self.is_signed else bits


def place_comparisons(
    m: Module, parts: Parts, name: str, value: Value, limits: list[Value | None], known: list[int | None], bits: int, signed: bool
) -> Value:
    """The bits of :class:`Comparisons` of ``value``, of up to ``bits`` bits, as submodule ``name``; ``limits`` where not ``known``."""
    hint, key = f"{len(known)}_of_{bits}", content_key("comparisons", bits, signed, tuple(known))
    m.submodules[name] = part = parts.place("comparisons", hint, key, lambda: Comparisons(bits, signed, tuple(known)))
    given = [limit for limit, constant in zip(limits, known, strict=True) if constant is None]
    m.d.comb += part.value.eq(value)
    if given:
        m.d.comb += part.limits.eq(Cat(*given))
    return part.reached

"""Floating-point multiply-accumulate: a product rounded, added, rounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from hwq.fabric.ages import check_pipeline
from hwq.fabric.counters import plain
from hwq.fabric.dsp48e2 import Slice48
from hwq.fabric.embed import delayed, embed
from hwq.fabric.floating.add import Special, rounded_sum
from hwq.fabric.floating.format import BINARY32, FloatFormat
from hwq.fabric.floating.multiply import operands, rounded_product
from hwq.fabric.netlist import Netlist
from hwq.fabric.pipeline import pipeline
from hwq.fabric.prune import prune

__all__ = ["FloatMac"]

#: Bits of an unsigned operand on port B.
HALF = 17


@dataclass(frozen=True)
class FloatMac:
    """``y = round(round(a * b) + c)``: what numpy's ``a * b + c`` of float32 is, bit for bit; subnormals in and out.

    Rounding: to nearest, ties to even, after the product and after the sum (two roundings, no fused multiply-add).
    NaN: inf * 0, inf - inf, or a NaN operand give the format's one NaN (positive, quiet); signs and payloads of NaNs are dropped.
    Infinities as IEEE 754 has them; overflow gives one. A sum that cancels is +0; -0 + -0 is -0.

    Timing: feed-forward, initiation interval 1, latency :attr:`latency` for all three operands; ``levels`` LUTs a stage at most.
    A running sum thus interleaves at least ``latency`` partial sums; their order of addition is the caller's.
    Cost of binary32: 2 DSP48E2 and the LUTs that :mod:`tests.fabric.floating.test_mac` bounds.

    Ports: ``a``, ``b``, ``c``, ``y``.
    """

    form: FloatFormat = BINARY32
    levels: int = 3

    @property
    def slices(self) -> int:
        """DSP slices: one for significands of up to 17 bits, two up to 26."""
        return 1 if self.form.precision <= HALF else 2

    @property
    def latency(self) -> int:
        """Cycles from operands to result."""
        return self._built[1]

    def netlist(self) -> Netlist:
        """The circuit."""
        return self._built[0]

    @cached_property
    def _built(self) -> tuple[Netlist, int]:
        made = Netlist("float_mac")
        a, b, c = (made.input(name, self.form.bits) for name in "abc")
        before, taken = pipeline(prune(_before(self.form)), self.levels)
        found = embed(made, before, {"a": a, "b": b})
        product, wait = self._product(made, found["x"], found["y"])
        after, rest = pipeline(prune(_after(self.form)), self.levels)
        kept = {name: delayed(made, found[name], wait) for name in ("scale", "flags")}
        late = delayed(made, c, taken + wait)
        made.output("y", embed(made, after, {**_plain(made, kept), "product": product, "c": late})["y"])
        result, latency = prune(made), taken + wait + rest
        check_pipeline(result, latency)
        return result, latency

    def _product(self, netlist: Netlist, x: Sequence[int], y: Sequence[int]) -> tuple[list[int], int]:
        """The integer product of the significands, and its latency: ``y`` times the low and the high bits of ``x``."""
        low = Slice48().build(netlist, a=_signals(netlist, y), b=_signals(netlist, x[:HALF]))
        if self.slices == 1:
            return low.p[: 2 * self.form.precision], 3
        ports = {"a": _signals(netlist, y), "b": _signals(netlist, x[HALF:])}
        high = Slice48(z=4, a_regs=2, b_regs=2).build(netlist, **ports, pcin=low.pcout)
        return delayed(netlist, low.p[:HALF], 1) + high.p[: 2 * self.form.precision - HALF], 4


def _before(form: FloatFormat) -> Netlist:
    """Everything up to the integer product."""
    netlist = Netlist("operands")
    found = operands(netlist, form, netlist.input("a", form.bits), netlist.input("b", form.bits))
    netlist.output("x", found.x)
    netlist.output("y", found.y)
    netlist.output("scale", found.scale)
    netlist.output("flags", [found.nothing, found.special, found.nan, found.sign])
    return netlist


def _after(form: FloatFormat) -> Netlist:
    """Everything behind the integer product."""
    netlist = Netlist("sum")
    product = netlist.input("product", 2 * form.precision)
    scale = netlist.input("scale", form.exponent + 2)
    nothing, special, nan, sign = netlist.input("flags", 4)
    c = netlist.input("c", form.bits)
    bits, over = rounded_product(netlist, form, product, scale, nothing)
    infinite = netlist.lut(lambda s, n, o: (s or o) and not n, special, nan, over)
    netlist.output("y", rounded_sum(netlist, form, [*bits, sign], c, Special(infinite, nan)))
    return netlist


def _plain(netlist: Netlist, ports: dict[str, list[int]]) -> dict[str, list[int]]:
    return {name: _signals(netlist, bits) for name, bits in ports.items()}


def _signals(netlist: Netlist, bits: Sequence[int]) -> list[int]:
    """The bits, complements inverted: a part takes plain signals."""
    return [plain(netlist, b) for b in bits]

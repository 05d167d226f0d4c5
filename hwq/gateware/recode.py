"""Codes of one encoding as codes of another that holds the same integers: wiring, and an inverter for bipolar codes."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Value

from hwq.numerics.encoding import Bipolar, Encoding

__all__ = ["recoded"]


def recoded(code: Value, x: Encoding, out: Encoding) -> Value:
    """The code in ``out`` of the integer that ``code`` stands for in ``x``."""
    if isinstance(x, Bipolar) == isinstance(out, Bipolar) and (x.bits, x.signed) == (out.bits, out.signed):
        return code
    if isinstance(x, Bipolar):
        # -1 is all ones, +1 is 1.
        return Cat(Const(1, 1), (~code).replicate(out.bits - 1))
    return Cat(code, (code[-1] if x.signed else Const(0, 1)).replicate(out.bits - x.bits))

"""Codes of one encoding as codes of another that holds the same integers: wiring, and an inverter for bipolar codes; codes from outside."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Value

from hwq.numerics.encoding import Bipolar, Encoding, Integer

__all__ = ["legal_code", "recoded"]


def recoded(code: Value, x: Encoding, out: Encoding) -> Value:
    """The code in ``out`` of the integer that ``code`` stands for in ``x``."""
    if isinstance(x, Bipolar) == isinstance(out, Bipolar) and (x.bits, x.signed) == (out.bits, out.signed):
        return code
    if isinstance(x, Bipolar):
        # -1 is all ones, +1 is 1.
        return Cat(Const(1, 1), (~code).replicate(out.bits - 1))
    return Cat(code, (code[-1] if x.signed else Const(0, 1)).replicate(out.bits - x.bits))


def legal_code(code: Value, encoding: Encoding) -> Value:
    """``code`` where it stands for an integer of ``encoding``. A narrow integer has one code that does not: the most negative one becomes
    0, the largest one of an unsigned integer the largest that there is. Cost: a LUT a code of up to six bits.
    """
    if not (isinstance(encoding, Integer) and encoding.narrow):
        return code
    if encoding.signed:
        return Cat(code[:-1], code[-1] & code[:-1].any())
    return Cat(code[0] & ~code[1:].all() if encoding.bits > 1 else Const(0, 1), code[1:])

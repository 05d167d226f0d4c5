"""Truth tables as short formulas of and, or, exclusive or and multiplexer: what simulators compile fast and people can read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

__all__ = ["Formula", "formula", "value_of"]


class Formula(NamedTuple):
    """A formula of input bits.

    ``kind`` and its operands: ``pin`` (``pin`` is its number), ``const`` (``pin`` is its value), ``not`` (1), ``and``, ``or``,
    ``xor`` (2), ``mux`` (3: where the first holds the second, else the third).
    """

    kind: str
    operands: tuple[Formula, ...] = ()
    pin: int = 0

    @property
    def cost(self) -> int:
        """Operators."""
        return sum(o.cost for o in self.operands) + bool(self.operands)


ZERO, ONE = Formula("const"), Formula("const", pin=1)
PINS = tuple(Formula("pin", pin=k) for k in range(6))
# Table of input k, and of 1.
BITS = tuple(sum(1 << i for i in range(64) if i >> k & 1) for k in range(6))
FULL = (1 << 64) - 1
# How two bits are taken as one: exclusive or, and their conjunctions with each of them inverted or not.
PAIRS = (0b0110, 0b1000, 0b0100, 0b0010, 0b0001)


def formula(table: int, inputs: int) -> Formula:
    """A formula of the function of ``inputs`` (0..6) bits whose value at input i is bit i of ``table``.

    Two inputs that matter only through one bit (an exclusive or, a conjunction) are taken together first; else the function is split
    at the input that gives the fewest operators.
    """
    table &= (1 << (1 << inputs)) - 1
    for k in range(inputs, 6):
        table |= table << (1 << k)
    return _formula(table)


def value_of(expression: Formula, inputs: int) -> int:
    """Value of ``expression`` where pin k is bit k of ``inputs``."""
    kind, pin = expression.kind, expression.pin
    if kind in ("pin", "const"):
        return inputs >> pin & 1 if kind == "pin" else pin
    values = [value_of(o, inputs) for o in expression.operands]
    if kind == "not":
        return 1 - values[0]
    if kind == "mux":
        return values[1] if values[0] else values[2]
    first, second = values
    return {"and": first & second, "or": first | second, "xor": first ^ second}[kind]


@lru_cache(maxsize=65536)
def _formula(table: int) -> Formula:
    """A formula of a function of six bits."""
    if table in (0, FULL):
        return ONE if table else ZERO
    halves = [(k, *_halves(table, k)) for k in range(6)]
    matter = [(k, low, high) for k, low, high in halves if low != high]
    for k, low, high in matter:
        if low ^ high == FULL:
            return _xor(PINS[k], _formula(low))
    return _paired(table, matter) or min((_mux(PINS[k], _formula(high), _formula(low)) for k, low, high in matter), key=lambda f: f.cost)


def _paired(table: int, matter: Sequence[tuple[int, int, int]]) -> Formula | None:
    """The formula with two bits taken as one, if the function allows it."""
    for j, low, high in matter:
        for k, _, _ in matter:
            if k >= j:
                break
            corners = (*_halves(low, k), *_halves(high, k))
            for pair in PAIRS:
                zero, one = ({corners[i] for i in range(4) if pair >> i & 1 == value} for value in (0, 1))
                if len(zero) == len(one) == 1:
                    merged = zero.pop() & ~BITS[k] | one.pop() & BITS[k]
                    return _substitute(_formula(merged), k, _pair(pair, PINS[k], PINS[j]))
    return None


def _substitute(expression: Formula, pin: int, value: Formula) -> Formula:
    """``expression`` with ``value`` in the place of a pin."""
    if not expression.operands:
        return value if expression == PINS[pin] else expression
    operands = tuple(_substitute(o, pin, value) for o in expression.operands)
    return _not(operands[0]) if expression.kind == "not" else Formula(expression.kind, operands)


def _pair(table: int, a: Formula, b: Formula) -> Formula:
    if table == 0b0110:
        return _xor(a, b)
    place = table.bit_length() - 1
    return Formula("and", (a if place & 1 else _not(a), b if place & 2 else _not(b)))


def _not(a: Formula) -> Formula:
    if a.kind == "const":
        return ZERO if a.pin else ONE
    if a.kind == "not":
        return a.operands[0]
    if a.kind == "and" and all(o.kind == "not" for o in a.operands):
        return Formula("or", tuple(o.operands[0] for o in a.operands))
    return Formula("not", (a,))


def _xor(a: Formula, b: Formula) -> Formula:
    if b.kind == "const":
        return _not(a) if b.pin else a
    if b.kind == "not":
        return _not(_xor(a, b.operands[0]))
    return Formula("xor", (a, b))


def _mux(select: Formula, high: Formula, low: Formula) -> Formula:
    if low == ZERO:
        return select if high == ONE else Formula("and", (select, high))
    if high == ZERO:
        return _not(select) if low == ONE else Formula("and", (_not(select), low))
    if high == ONE:
        return Formula("or", (select, low))
    if low == ONE:
        return Formula("or", (_not(select), high))
    return Formula("mux", (select, high, low))


def _halves(table: int, k: int) -> tuple[int, int]:
    """The function with input ``k`` at 0 and at 1, both of six bits still."""
    low, high = table & ~BITS[k], table & BITS[k]
    return low | low << (1 << k), high | high >> (1 << k)

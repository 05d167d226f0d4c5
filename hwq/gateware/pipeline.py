"""Free-running registers: delays and broadcast trees of bounded fan-out."""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Module, Signal, Value

from hwq.plan.latency import FANOUT, broadcast_levels

__all__ = ["Pace", "broadcast", "delay", "named", "register", "valid_chain"]


def named(m: Module, value: Value, name: str) -> Signal:
    """``value`` as a signal. Amaranth emits a concatenation anew, bit by bit, for every slice taken of it; of a signal it does not."""
    wire = Signal(value.shape(), name=name)
    m.d.comb += wire.eq(value)
    return wire


def register(m: Module, value: Value, name: str, *, keep: bool = False) -> Signal:
    """``value`` one cycle later; no reset. ``keep`` asks synthesis not to merge it with an equal register."""
    q = Signal(value.shape(), reset_less=True, name=name, attrs={"keep": "true"} if keep else {})
    m.d.sync += q.eq(value)
    return q


def delay(m: Module, value: Value, cycles: int, name: str) -> Value:
    """``value`` ``cycles`` later; no reset."""
    for k in range(cycles):
        value = register(m, value, f"{name}_{k + 1}")
    return value


class Pace:
    """Registers of a pipeline of ``levels`` levels that shall take ``cycles``: spread evenly, some levels with none or several.

    The last level has one where there is any.
    """

    def __init__(self, levels: int, cycles: int) -> None:
        ends = [k * cycles // levels for k in range(levels + 1)]
        self.counts = [b - a for a, b in pairwise(ends)]

    def after(self, m: Module, level: int, value: Value, name: str) -> Value:
        """``value`` behind the registers after ``level``; a signal in any case."""
        return delay(m, value, self.counts[level], name) if self.counts[level] else named(m, value, name)


def valid_chain(m: Module, valid: Value, cycles: int, name: str) -> Value:
    """A bit ``cycles`` later; reset clears every stage, so that nothing issued before a reset arrives after it."""
    if not cycles:
        return valid
    chain = Signal(cycles, name=name)
    m.d.sync += chain.eq(chain << 1 | valid)
    return chain[cycles - 1]


def broadcast(m: Module, value: Value, leaves: int, name: str) -> list[Value]:
    """One copy of ``value`` for each of ``leaves`` rows, ``broadcast_levels(leaves)`` cycles later.

    A tree of registers: none drives more than :data:`hwq.plan.latency.FANOUT` rows or registers.
    """
    levels = broadcast_levels(leaves)
    copies: list[Value] = [value]
    for level in range(levels):
        count = -(-leaves // FANOUT ** (levels - level))
        copies = [register(m, copies[k // FANOUT], f"{name}_{level}_{k}", keep=True) for k in range(count)]
    return [copies[k // FANOUT if levels else 0] for k in range(leaves)]

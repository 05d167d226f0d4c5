"""Nested loops in hardware: counters, and the distance from one step to the next of any quantity that is affine in them."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Const, Module, Mux, Signal, Value

from hwq.plan.loops import Loop, distances

__all__ = ["Counter", "Nest", "table"]


class Counter:
    """Counts ``step`` from 0 to ``count - 1`` and over: ``value``, and ``last`` while it stands at its end."""

    def __init__(self, m: Module, step, count: int, name: str) -> None:
        self.value = Signal(range(max(count, 2)), name=name)
        self.last = Signal(name=f"{name}_last")
        m.d.comb += self.last.eq(self.value == count - 1)
        if count > 1:
            with m.If(step):
                m.d.sync += self.value.eq(Mux(self.last, 0, self.value + 1))


class Nest:
    """Counters of nested loops, innermost first; each ``step`` is one round of the innermost."""

    def __init__(self, m: Module, step: Value, loops: Sequence[Loop]) -> None:
        self.loops = tuple(loops)
        self.counters: dict[str, Counter] = {}
        for loop in loops:
            if loop.count is None:
                break
            counter = Counter(m, step, loop.count, loop.name)
            self.counters[loop.name] = counter
            step = step & counter.last

    def move(self, m: Module, step: Value, quantity: int, name: str, *, sign: int = 1, offset: int = 0, modulus: int = 0) -> Signal:
        """``sign`` times the distance of a quantity to its next place in a cycle of ``step``, 0 in others; plus ``offset``.

        With a ``modulus`` the distance is brought to ``0 .. modulus - 1``.
        """
        moves = [[_reduced(sign * d, modulus) + offset for d in choices] for choices in distances(self.loops, quantity)]
        flat = [d for choices in moves for d in choices] + [offset]
        signal = Signal(range(min(0, *flat), max(0, *flat) + 1), name=name, init=offset)
        with m.If(step):
            self._choose(m, signal, moves)
        return signal

    def _choose(self, m: Module, signal: Signal, distances: list[list[int]]) -> None:
        # Loops that move alike at the outer end need no telling apart.
        depth = len(distances)
        while depth > 1 and len(distances[depth - 1]) == 1 and distances[depth - 2] == distances[depth - 1]:
            depth -= 1
        for k in range(depth):
            loop, choices = self.loops[k], distances[k]
            counter = self.counters.get(loop.name)
            condition = Const(1, 1) if k == depth - 1 or counter is None else ~counter.last
            with m.If(condition) if k == 0 else m.Elif(condition):
                m.d.comb += signal.eq(choices[0] if len(choices) == 1 else table(m, self.counters[loop.name].value, choices, signal.name))


def _reduced(distance: int, modulus: int) -> int:
    return distance % modulus if modulus else distance


def table(m: Module, index: Value, entries: Sequence[int], name: str) -> Value:
    """``entries[index]``; the last one beyond the end."""
    if len(set(entries)) == 1:
        return Const(entries[0])
    chosen = Signal(range(min(0, *entries), max(0, *entries) + 1), name=f"{name}_choice")
    with m.Switch(index):
        for k, entry in enumerate(entries[:-1]):
            with m.Case(k):
                m.d.comb += chosen.eq(entry)
        with m.Default():
            m.d.comb += chosen.eq(entries[-1])
    return chosen

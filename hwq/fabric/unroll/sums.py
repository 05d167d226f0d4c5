"""Sums of literals that many rows need: an abstract circuit of counters, before it becomes LUTs.

A literal is twice a signal's number, plus one if inverted, as in a netlist. Signals below ``inputs`` are the inputs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Gate", "Heap", "Sums"]


@dataclass(frozen=True)
class Gate:
    """``count``: the number of up to seven ``literals`` that are 1, as three signals from ``made`` on; ``parity``, ``carry``: its
    first or second bit for up to three literals, as signal ``made``."""

    kind: Literal["count", "parity", "carry"]
    literals: tuple[int, ...]
    made: int


@dataclass
class Heap:
    """``sum over columns c of 2**c * (literals that are 1) + constant``; each column is the inversion (0, 1) of each signal."""

    columns: list[dict[int, int]] = field(default_factory=lambda: [{}])
    constant: int = 0

    def add(self, column: int, literal: int) -> None:
        """Adds a literal; twice the same carries over, a literal and its complement are 1."""
        while len(self.columns) <= column:
            self.columns.append({})
        here = self.columns[column]
        if literal >> 1 not in here:
            here[literal >> 1] = literal & 1
        elif here.pop(literal >> 1) == literal & 1:
            self.add(column + 1, literal)
        else:
            self.constant += 1 << column

    def absorb(self, other: Heap, size: int, opposite: bool) -> None:
        """Adds the sum of ``other``, or where ``opposite`` what it lacks to ``size``, by complementing all its literals."""
        full = sum(len(c) << k for k, c in enumerate(other.columns))
        self.constant += size - full - other.constant if opposite else other.constant
        for k, column in enumerate(other.columns):
            for signal, inverted in column.items():
                self.add(k, 2 * signal + (inverted ^ opposite))

    @property
    def heights(self) -> tuple[int, ...]:
        """Literals by column."""
        return tuple(map(len, self.columns))


@dataclass
class Sums:
    """Gates in topological order, and the heap of every row: the number of inputs that agree with the row's weights."""

    inputs: int
    gates: list[Gate] = field(default_factory=list)
    rows: list[Heap] = field(default_factory=list)
    signals: int = 0
    _known: dict[tuple, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.signals = self.inputs

    def count(self, literals: tuple[int, ...]) -> int:
        """A new counter of up to seven literals: its first signal."""
        self.gates.append(Gate("count", literals, self.signals))
        self.signals += 3
        return self.signals - 3

    def function(self, kind: Literal["parity", "carry"], literals: tuple[int, ...]) -> int:
        """The literal of a parity or carry of up to three literals, made once (up to complement where all literals are)."""
        literals = tuple(sorted(literals))
        flip = sum(literals) & 1 if kind == "parity" else (literals[0] & 1 if len(literals) == 3 else 0)
        base = tuple(v & ~1 for v in literals) if kind == "parity" else tuple(v ^ flip for v in literals)
        if (kind, base) not in self._known:
            self.gates.append(Gate(kind, base, self.signals))
            self._known[kind, base] = self.signals
            self.signals += 1
        return 2 * self._known[kind, base] + flip

    @property
    def luts(self) -> float:
        """LUT sites of the gates, and for the rows' heaps half a LUT a literal, which is what carry chains reach."""
        gates = sum(2 if g.kind == "count" else 0.5 for g in self.gates)
        return gates + sum(sum(h.heights) for h in self.rows) / 2
